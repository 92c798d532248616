/** StatefulSets (apps/v1). */
import { defaultClaim } from "../defaults-storage.ts";
import { defaultPodSpec } from "../defaults-pod.ts";
import type { Draft } from "../object.ts";
import { statefulSets } from "../resources.ts";
import type { StatefulSet } from "../types.ts";
import { podSpecWarnings } from "../validation/pod-warnings.ts";
import { validateStatefulSet, validateStatefulSetStatus } from "../validation/stateful-set.ts";
import { ageColumn, defineKind, nameColumn, text } from "./define.ts";
import { templateColumns } from "./workload-columns.ts";

function applyDefaults({ spec }: Draft<StatefulSet>): void {
  if (spec === undefined) return;
  spec.podManagementPolicy ||= "OrderedReady";
  const strategy = (spec.updateStrategy ??= {});
  strategy.type ||= "RollingUpdate";
  if (strategy.type === "RollingUpdate") (strategy.rollingUpdate ??= {}).partition ??= 0;
  const retention = (spec.persistentVolumeClaimRetentionPolicy ??= {});
  retention.whenDeleted ||= "Retain";
  retention.whenScaled ||= "Retain";
  spec.replicas ??= 1;
  spec.revisionHistoryLimit ??= 10;
  defaultPodSpec(((spec.template ??= {}).spec ??= { containers: [] }));
  for (const claim of spec.volumeClaimTemplates ?? []) {
    claim.apiVersion ??= "v1";
    claim.kind ??= "PersistentVolumeClaim";
    defaultClaim(claim);
  }
}

export const statefulSetKind = defineKind<StatefulSet>({
  resource: statefulSets,
  definition: "StatefulSet",
  singular: "statefulset",
  shortNames: ["sts"],
  categories: ["all"],
  subresources: ["status", "scale"],
  nameRule: "dns1123Subdomain",
  applyDefaults,
  prepareForCreate: (set) => {
    set.status = { replicas: 0 };
    set.metadata.generation = 1;
  },
  validate: validateStatefulSet,
  validateStatus: validateStatefulSetStatus,
  warnings: ({ spec }) => podSpecWarnings(spec?.template?.spec ?? { containers: [] }, "spec.template.spec"),
  columns: [
    nameColumn,
    text("Ready", "Pods that are ready, of those wanted.", ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`),
    ageColumn,
    ...templateColumns<StatefulSet>(({ spec }) => spec?.template),
  ],
});
