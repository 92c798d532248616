/** ReplicationControllers (core/v1), what there was before ReplicaSets. */
import { defaultPodSpec } from "../defaults-pod.ts";
import type { Draft } from "../object.ts";
import { replicationControllers } from "../resources.ts";
import type { ReplicationController } from "../types.ts";
import { podSpecWarnings } from "../validation/pod-warnings.ts";
import { validateReplicationController } from "../validation/replication-controller.ts";
import { ageColumn, defineKind, integer, labelsText, nameColumn, text, wide } from "./define.ts";
import { templateColumns } from "./workload-columns.ts";

function applyDefaults(controller: Draft<ReplicationController>): void {
  const { metadata, spec } = controller;
  if (spec === undefined) return;
  const labels = spec.template?.metadata?.labels ?? {};
  if (Object.keys(labels).length > 0) {
    if (Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels };
    if (Object.keys(metadata.labels ?? {}).length === 0) metadata.labels = { ...labels };
  }
  spec.replicas ??= 1;
  if (spec.template !== undefined) defaultPodSpec((spec.template.spec ??= { containers: [] }));
}

export const replicationControllerKind = defineKind<ReplicationController>({
  resource: replicationControllers,
  definition: "ReplicationController",
  singular: "replicationcontroller",
  shortNames: ["rc"],
  categories: ["all"],
  subresources: ["status", "scale"],
  nameRule: "dns1123Subdomain",
  applyDefaults,
  prepareForCreate: (controller) => {
    controller.status = { replicas: 0 };
    controller.metadata.generation = 1;
  },
  validate: validateReplicationController,
  warnings: ({ spec }) => podSpecWarnings(spec?.template?.spec ?? { containers: [] }, "spec.template.spec"),
  defaultPropagationPolicy: "Orphan",
  columns: [
    nameColumn,
    integer("Desired", "Pods wanted.", ({ spec }) => spec?.replicas ?? 0),
    integer("Current", "Pods there are.", ({ status }) => status?.replicas ?? 0),
    integer("Ready", "Pods that are ready.", ({ status }) => status?.readyReplicas ?? 0),
    ageColumn,
    ...templateColumns<ReplicationController>(({ spec }) => spec?.template),
    wide(text("Selector", "Labels of its pods.", ({ spec }) => labelsText(spec?.selector))),
  ],
});
