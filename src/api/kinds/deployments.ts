/** Deployments (apps/v1). */
import { defaultPodSpec } from "../defaults-pod.ts";
import { equalSemantics } from "../equality.ts";
import type { Draft } from "../object.ts";
import { deployments } from "../resources.ts";
import { formatSelector, selectorOf } from "../selectors.ts";
import type { Deployment } from "../types.ts";
import { podSpecWarnings } from "../validation/pod-warnings.ts";
import { validateDeployment } from "../validation/workloads.ts";
import { ageColumn, defineKind, integer, nameColumn, text, wide } from "./define.ts";
import { templateColumns } from "./workload-columns.ts";

function applyDefaults({ spec }: Draft<Deployment>): void {
  if (spec === undefined) return;
  spec.replicas ??= 1;
  spec.revisionHistoryLimit ??= 10;
  spec.progressDeadlineSeconds ??= 600;
  const strategy = (spec.strategy ??= {});
  strategy.type ||= "RollingUpdate";
  if (strategy.type === "RollingUpdate") {
    const update = (strategy.rollingUpdate ??= {});
    update.maxUnavailable ??= "25%";
    update.maxSurge ??= "25%";
  }
  defaultPodSpec(((spec.template ??= {}).spec ??= { containers: [] }));
}

function prepareForUpdate(deployment: Draft<Deployment>, old: Deployment): void {
  deployment.status = structuredClone(old.status ?? {}) as NonNullable<Draft<Deployment>["status"]>;
  // Annotations count as well: the controller copies them to its ReplicaSets.
  const same = equalSemantics(deployment.spec, old.spec) && equalSemantics(deployment.metadata.annotations, old.metadata.annotations);
  deployment.metadata.generation = (old.metadata.generation ?? 0) + (same ? 0 : 1);
}

export const deploymentKind = defineKind<Deployment>({
  resource: deployments,
  definition: "Deployment",
  singular: "deployment",
  shortNames: ["deploy"],
  categories: ["all"],
  subresources: ["status", "scale"],
  nameRule: "dns1123Subdomain",
  applyDefaults,
  prepareForUpdate,
  validate: validateDeployment,
  warnings: ({ spec }) => podSpecWarnings(spec?.template?.spec ?? { containers: [] }, "spec.template.spec"),
  columns: [
    nameColumn,
    text("Ready", "Pods that are ready, of those wanted.", ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`),
    integer("Up-to-date", "Pods made from the present template.", ({ status }) => status?.updatedReplicas ?? 0),
    integer("Available", "Pods that have been ready for long enough.", ({ status }) => status?.availableReplicas ?? 0),
    ageColumn,
    ...templateColumns<Deployment>(({ spec }) => spec?.template),
    wide(text("Selector", "Labels of its pods.", ({ spec }) => formatSelector(selectorOf(spec?.selector)))),
  ],
});
