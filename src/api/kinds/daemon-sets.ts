/** DaemonSets (apps/v1). */
import { defaultPodSpec } from "../defaults-pod.ts";
import { equalSemantics } from "../equality.ts";
import type { Draft } from "../object.ts";
import { daemonSets } from "../resources.ts";
import { formatSelector, selectorOf } from "../selectors.ts";
import type { DaemonSet } from "../types.ts";
import { validateDaemonSet } from "../validation/daemon-set.ts";
import { podSpecWarnings } from "../validation/pod-warnings.ts";
import { ageColumn, defineKind, integer, labelsText, nameColumn, text, wide } from "./define.ts";
import { templateColumns } from "./workload-columns.ts";

/** Counts templates; once a field, kept as an annotation for old clients (`pkg/apis/apps/v1/conversion.go`). */
export const templateGenerationAnnotation = "deprecated.daemonset.template.generation";

const emptyStatus = { currentNumberScheduled: 0, numberMisscheduled: 0, desiredNumberScheduled: 0, numberReady: 0 };

function applyDefaults({ spec }: Draft<DaemonSet>): void {
  if (spec === undefined) return;
  const strategy = (spec.updateStrategy ??= {});
  strategy.type ||= "RollingUpdate";
  if (strategy.type === "RollingUpdate") {
    const update = (strategy.rollingUpdate ??= {});
    update.maxUnavailable ??= 1;
    update.maxSurge ??= 0;
  }
  spec.revisionHistoryLimit ??= 10;
  defaultPodSpec(((spec.template ??= {}).spec ??= { containers: [] }));
}

function setTemplateGeneration({ metadata }: Draft<DaemonSet>, generation: number): void {
  (metadata.annotations ??= {})[templateGenerationAnnotation] = String(generation);
}

function prepareForUpdate(set: Draft<DaemonSet>, old: DaemonSet): void {
  set.status = structuredClone(old.status ?? emptyStatus) as NonNullable<Draft<DaemonSet>["status"]>;
  const before = Number(old.metadata.annotations?.[templateGenerationAnnotation] ?? 1);
  setTemplateGeneration(set, before + (equalSemantics(set.spec?.template, old.spec?.template) ? 0 : 1));
  if (!equalSemantics(set.spec, old.spec)) set.metadata.generation = (old.metadata.generation ?? 0) + 1;
}

export const daemonSetKind = defineKind<DaemonSet>({
  resource: daemonSets,
  definition: "DaemonSet",
  singular: "daemonset",
  shortNames: ["ds"],
  categories: ["all"],
  subresources: ["status"],
  nameRule: "dns1123Subdomain",
  applyDefaults,
  prepareForCreate: (set) => {
    set.status = { ...emptyStatus };
    set.metadata.generation = 1;
    setTemplateGeneration(set, 1);
  },
  prepareForUpdate,
  validate: validateDaemonSet,
  warnings: ({ spec }) => podSpecWarnings(spec?.template?.spec ?? { containers: [] }, "spec.template.spec"),
  columns: [
    nameColumn,
    integer("Desired", "Nodes that should run it.", ({ status }) => status?.desiredNumberScheduled ?? 0),
    integer("Current", "Nodes that run it and should.", ({ status }) => status?.currentNumberScheduled ?? 0),
    integer("Ready", "Nodes where it is ready.", ({ status }) => status?.numberReady ?? 0),
    integer("Up-to-date", "Nodes with a pod of the present template.", ({ status }) => status?.updatedNumberScheduled ?? 0),
    integer("Available", "Nodes where it has been ready for long enough.", ({ status }) => status?.numberAvailable ?? 0),
    text("Node Selector", "Labels of the nodes that it wants.", ({ spec }) => labelsText(spec?.template?.spec?.nodeSelector)),
    ageColumn,
    ...templateColumns<DaemonSet>(({ spec }) => spec?.template),
    wide(text("Selector", "Labels of its pods.", ({ spec }) => formatSelector(selectorOf(spec?.selector)))),
  ],
});
