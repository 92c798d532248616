/** Pods (core/v1). */
import { defaultPod } from "../defaults-pod.ts";
import { equalSemantics } from "../equality.ts";
import type { Draft } from "../object.ts";
import { pods } from "../resources.ts";
import type { Pod, PodStatus } from "../types.ts";
import { podWarnings } from "../validation/pod-warnings.ts";
import { validatePod } from "../validation/pod.ts";
import { ageColumn, defineKind, nameColumn, orNone, text, wide } from "./define.ts";
import { podSummary } from "./pod-summary.ts";
import { qosClass } from "./pod-qos.ts";

function prepareForCreate(pod: Draft<Pod>): void {
  pod.metadata.generation = 1;
  pod.status = { phase: "Pending", qosClass: qosClass(pod.spec?.containers ?? [], pod.spec?.initContainers ?? []) };
  if ((pod.spec?.schedulingGates?.length ?? 0) === 0) return;
  pod.status.conditions = [
    {
      type: "PodScheduled",
      status: "False",
      reason: "SchedulingGated",
      message: "Scheduling is blocked due to non-empty scheduling gates",
    },
  ];
}

function prepareForUpdate(pod: Draft<Pod>, old: Pod): void {
  pod.status = structuredClone(old.status ?? {}) as Draft<PodStatus>;
  pod.metadata.generation = (old.metadata.generation ?? 0) + (equalSemantics(pod.spec, old.spec) ? 0 : 1);
}

/** A pod that no kubelet runs, or that has ended, goes at once. */
function defaultGracePeriodSeconds({ spec, status }: Pod): number {
  if ((spec?.nodeName ?? "") === "" || status?.phase === "Succeeded" || status?.phase === "Failed") return 0;
  return Math.max(spec?.terminationGracePeriodSeconds ?? 30, 0);
}

function readinessGates({ spec, status }: Pod): string {
  const gates = spec?.readinessGates ?? [];
  if (gates.length === 0) return "<none>";
  const open = gates.filter((gate) => status?.conditions?.find(({ type }) => type === gate.conditionType)?.status === "True");
  return `${open.length}/${gates.length}`;
}

export const podKind = defineKind<Pod>({
  resource: pods,
  definition: "Pod",
  singular: "pod",
  shortNames: ["po"],
  categories: ["all"],
  subresources: ["status", "binding", "eviction", "log", "exec", "attach", "portforward", "proxy", "ephemeralcontainers", "resize"],
  nameRule: "dns1123Subdomain",
  applyDefaults: (pod) => defaultPod((pod.spec ??= { containers: [] })),
  prepareForCreate,
  prepareForUpdate,
  validate: validatePod,
  warnings: (pod) => podWarnings(pod),
  selectableFields: {
    "spec.nodeName": ({ spec }) => spec?.nodeName ?? "",
    "spec.restartPolicy": ({ spec }) => spec?.restartPolicy ?? "",
    "spec.schedulerName": ({ spec }) => spec?.schedulerName ?? "",
    "spec.serviceAccountName": ({ spec }) => spec?.serviceAccountName ?? "",
    "spec.hostNetwork": ({ spec }) => String(spec?.hostNetwork ?? false),
    "status.phase": ({ status }) => status?.phase ?? "",
    "status.podIP": ({ status }) => status?.podIPs?.[0]?.ip ?? status?.podIP ?? "",
    "status.podIPs": ({ status }) => status?.podIPs?.[0]?.ip ?? status?.podIP ?? "",
    "status.nominatedNodeName": ({ status }) => status?.nominatedNodeName ?? "",
  },
  columns: [
    nameColumn,
    text("Ready", "Containers that are ready, of all.", (pod, now) => podSummary(pod, now).ready),
    text("Status", "What the pod does or waits for.", (pod, now) => podSummary(pod, now).reason),
    text("Restarts", "How often its containers were started again, and when last.", (pod, now) => podSummary(pod, now).restarts),
    ageColumn,
    wide(text("IP", "Its address.", ({ status }) => orNone(status?.podIPs?.[0]?.ip ?? status?.podIP))),
    wide(text("Node", "The node that runs it.", ({ spec }) => orNone(spec?.nodeName))),
    wide(text("Nominated Node", "The node where others are evicted for it.", ({ status }) => orNone(status?.nominatedNodeName))),
    wide(text("Readiness Gates", "Conditions that must hold besides its probes, met of all.", readinessGates)),
  ],
  defaultGracePeriodSeconds,
});
