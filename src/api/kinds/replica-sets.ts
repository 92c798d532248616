/** ReplicaSets (apps/v1). */
import { defaultPodSpec } from "../defaults-pod.ts";
import type { Draft } from "../object.ts";
import { replicaSets } from "../resources.ts";
import { formatSelector, selectorOf } from "../selectors.ts";
import type { ReplicaSet } from "../types.ts";
import { podSpecWarnings } from "../validation/pod-warnings.ts";
import { validateReplicaSet } from "../validation/workloads.ts";
import { ageColumn, defineKind, integer, nameColumn, orNone, text, wide } from "./define.ts";
import { templateColumns } from "./workload-columns.ts";

function applyDefaults({ spec }: Draft<ReplicaSet>): void {
  if (spec === undefined) return;
  spec.replicas ??= 1;
  defaultPodSpec(((spec.template ??= {}).spec ??= { containers: [] }));
}

export const replicaSetKind = defineKind<ReplicaSet>({
  resource: replicaSets,
  definition: "ReplicaSet",
  singular: "replicaset",
  shortNames: ["rs"],
  categories: ["all"],
  subresources: ["status", "scale"],
  nameRule: "dns1123Subdomain",
  applyDefaults,
  // Never absent, since its counters are what everybody reads.
  prepareForCreate: (replicaSet) => {
    replicaSet.status = { replicas: 0 };
    replicaSet.metadata.generation = 1;
  },
  validate: validateReplicaSet,
  warnings: ({ spec }) => podSpecWarnings(spec?.template?.spec ?? { containers: [] }, "spec.template.spec"),
  columns: [
    nameColumn,
    integer("Desired", "Pods wanted.", ({ spec }) => spec?.replicas ?? 0),
    integer("Current", "Pods there are.", ({ status }) => status?.replicas ?? 0),
    integer("Ready", "Pods that are ready.", ({ status }) => status?.readyReplicas ?? 0),
    ageColumn,
    ...templateColumns<ReplicaSet>(({ spec }) => spec?.template),
    wide(text("Selector", "Labels of its pods.", ({ spec }) => orNone(formatSelector(selectorOf(spec?.selector))))),
  ],
});
