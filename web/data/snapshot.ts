/** The Snapshot that `explain` looks at, from what this page holds. */
import { defaultConfig, snapshotKinds, type Snapshot, type SnapshotConfig, type SnapshotList } from "../../src/decide/explain/snapshot.ts";
import type { FollowedKind } from "../../src/console/wire.ts";
import type { KubeObject } from "../../src/api/object.ts";
import type { Model } from "./model.ts";

let kept: { readonly version: number; readonly tables: Model["tables"]; readonly snapshot: Snapshot } | undefined;

/** The same object until something changes. */
export function snapshotOfModel(model: Model): Snapshot {
  const version = model.tables.version(...(Object.values(snapshotKinds) as FollowedKind[]));
  if (kept?.version === version && kept.tables === model.tables) return kept.snapshot;
  const lists = (Object.entries(snapshotKinds) as [SnapshotList, FollowedKind][]).map(([list, kind]) => [
    list,
    model.tables.list<KubeObject>(kind),
  ]);
  const snapshot = { ...Object.fromEntries(lists), config: configOf(model) } as Snapshot;
  kept = { version, tables: model.tables, snapshot };
  return snapshot;
}

function configOf({ cluster, lacking }: Model): SnapshotConfig {
  return {
    ...defaultConfig,
    clusterDomain: cluster?.clusterDomain ?? defaultConfig.clusterDomain,
    gateway: cluster?.fairlead === true ? "fairlead" : "unknown",
    networkPolicy: cluster?.networkPolicy ?? "unknown",
    unread: lacking.filter(({ what }) => what !== "counters").map(({ what, why }) => ({ kind: what, why })),
  };
}
