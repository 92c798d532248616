/** Objects as they change from version to version: what there is, and what a write did to it. */
import type { KubeObject } from "../../../api/object.ts";
import { snapshotKinds, snapshotOf, type ObjectRef, type Snapshot, type SnapshotConfig } from "../snapshot.ts";

/** One write. */
export interface PastVersion {
  /** `/registry/endpointslices.discovery.k8s.io/shop/web-x7k2p` */
  readonly key: string;
  readonly revision: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** Null: deleted. */
  readonly object: KubeObject | null;
}

const plurals: ReadonlyMap<string, string> = new Map(
  Object.entries(snapshotKinds).map(([list, kind]) => [list.toLowerCase(), kind] as const),
);

/** `/registry/httproutes.gateway.networking.k8s.io/shop/web` → HTTPRoute shop/web; undefined: of a kind that a Snapshot has not. */
export function refOfKey(key: string): ObjectRef | undefined {
  const [, , resource = "", ...rest] = key.split("/");
  const kind = plurals.get(resource.split(".")[0] ?? "");
  const [namespace, name] = rest.length > 1 ? rest : [undefined, rest[0]];
  return kind === undefined || name === undefined ? undefined : { kind, name, ...(namespace === undefined ? {} : { namespace }) };
}

/** What was there at one moment, as a Snapshot. Stored objects do not always say of what kind they are. */
export function pastSnapshot(versions: readonly PastVersion[], config: Partial<SnapshotConfig>): Snapshot {
  const objects = versions.flatMap(({ key, revision, object }) => {
    const ref = refOfKey(key);
    if (ref === undefined || object === null) return [];
    return [{ ...object, kind: ref.kind, metadata: { ...object.metadata, resourceVersion: String(revision) } }];
  });
  return snapshotOf(objects, config);
}

/** Who wrote it, by the newest entry of managedFields. */
export function writerOf(object: KubeObject | null): string | undefined {
  const fields = object?.metadata.managedFields ?? [];
  const [newest] = fields.toSorted((a, b) => ((a.time ?? "") < (b.time ?? "") ? 1 : -1));
  return newest?.manager;
}
