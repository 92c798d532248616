/** A pod's status from what is known of its containers (upstream `generateAPIPodStatus`, pkg/kubelet/status/generate.go). */
import type { ContainerState, ContainerStatus, Pod, PodCondition, PodStatus } from "../api/types.ts";
import { rfc3339 } from "../lib/clock.ts";
import { podPhase, type PodPhase } from "./compute-pod-actions.ts";
import {
  declaredContainers,
  newRecord,
  type ContainerExit,
  type ContainerRecord,
  type ContainerRecords,
  type ContainerRole,
  type DeclaredContainer,
} from "./container-record.ts";

export interface StatusInput {
  readonly pod: Pod;
  readonly records: ContainerRecords;
  /** None before it has one. */
  readonly podIPs: readonly string[];
  readonly hostIPs: readonly string[];
  /** When the node took the pod, ms since the epoch. */
  readonly startTime: number;
  readonly now: number;
  /** What was computed last: conditions that stay as they were keep their time of transition. Default: what the API has. */
  readonly previous?: PodStatus;
  /** The phase that the pod is forced into: past its deadline. */
  readonly failure?: { readonly reason: string; readonly message: string };
}

export function podStatus(input: StatusInput): PodStatus {
  const { pod, records, podIPs, hostIPs } = input;
  const declared = declaredContainers(pod);
  const initialized = isInitialized(declared, records);
  const statuses = (...roles: readonly ContainerRole[]) =>
    declared.filter(({ role }) => roles.includes(role)).map((one) => containerStatus(one, records.get(one.container.name), initialized));
  const phase = input.failure === undefined ? podPhase(pod, records) : "Failed";
  const init = statuses("init", "sidecar");
  const ephemeral = statuses("ephemeral");
  return {
    phase,
    conditions: conditions(input, phase, declared, initialized),
    ...input.failure,
    hostIP: hostIPs[0] ?? "",
    hostIPs: hostIPs.map((ip) => ({ ip })),
    ...(podIPs.length === 0 ? {} : { podIP: podIPs[0] as string, podIPs: podIPs.map((ip) => ({ ip })) }),
    startTime: rfc3339(input.startTime),
    ...(init.length === 0 ? {} : { initContainerStatuses: init }),
    containerStatuses: statuses("main"),
    ...(ephemeral.length === 0 ? {} : { ephemeralContainerStatuses: ephemeral }),
    qosClass: qosClass(pod),
  };
}

function containerStatus(
  { container, role }: DeclaredContainer,
  known: ContainerRecord | undefined,
  initialized: boolean,
): ContainerStatus {
  const record = known ?? newRecord(container.name, role);
  const [state, lastState] = states(record, role, initialized);
  const id = record.running?.id ?? record.exit?.id;
  return {
    name: container.name,
    image: container.image ?? "",
    imageID: record.imageID ?? "",
    ...(id === undefined ? {} : { containerID: id }),
    restartCount: record.restarts,
    state,
    lastState,
    started: role === "init" ? record.running !== undefined : record.started,
    ready: role === "init" ? record.exit?.exitCode === 0 && record.running === undefined : record.ready,
  };
}

function states(record: ContainerRecord, role: ContainerRole, initialized: boolean): readonly [ContainerState, ContainerState] {
  const ended = (exit: ContainerExit | undefined): ContainerState => (exit === undefined ? {} : { terminated: terminated(exit) });
  if (record.running !== undefined) return [{ running: { startedAt: rfc3339(record.running.startedAt) } }, ended(record.exit)];
  if (record.waiting !== undefined) return [{ waiting: { ...record.waiting } }, ended(record.exit)];
  if (record.exit !== undefined) return [ended(record.exit), ended(record.earlierExit)];
  return [{ waiting: { reason: role === "main" && !initialized ? "PodInitializing" : "ContainerCreating" } }, {}];
}

function terminated(exit: ContainerExit): NonNullable<ContainerState["terminated"]> {
  return {
    exitCode: exit.exitCode,
    reason: exit.reason,
    ...(exit.message === undefined ? {} : { message: exit.message }),
    ...(exit.startedAt === undefined ? {} : { startedAt: rfc3339(exit.startedAt) }),
    finishedAt: rfc3339(exit.finishedAt),
    ...(exit.id === undefined ? {} : { containerID: exit.id }),
  };
}

function isInitialized(declared: readonly DeclaredContainer[], records: ContainerRecords): boolean {
  return incompleteInit(declared, records).length === 0;
}

function incompleteInit(declared: readonly DeclaredContainer[], records: ContainerRecords): readonly string[] {
  return declared
    .filter(({ container, role }) => {
      const record = records.get(container.name);
      if (role === "sidecar") return record?.started !== true;
      return role === "init" && record?.exit?.exitCode !== 0;
    })
    .map(({ container }) => container.name);
}

interface Verdict {
  readonly status: boolean;
  readonly reason?: string;
  readonly message?: string;
}

function conditions(
  input: StatusInput,
  phase: PodPhase,
  declared: readonly DeclaredContainer[],
  initialized: boolean,
): readonly PodCondition[] {
  const containersReady = containersVerdict(input.records, phase, declared);
  const wanted: readonly (readonly [string, Verdict])[] = [
    ["PodReadyToStartContainers", { status: input.podIPs.length > 0 && phase !== "Succeeded" && phase !== "Failed" }],
    ["Initialized", initializedVerdict(input.records, phase, declared, initialized)],
    ["Ready", readyVerdict(input.pod, containersReady)],
    ["ContainersReady", containersReady],
    ["PodScheduled", { status: true }],
  ];
  const target: readonly (readonly [string, Verdict])[] =
    input.failure?.reason === "Evicted"
      ? [["DisruptionTarget", { status: true, reason: "TerminationByKubelet", message: input.failure.message }]]
      : [];
  return [...wanted, ...target].map(([type, verdict]) => condition(type, verdict, input));
}

function condition(type: string, verdict: Verdict, { pod, previous, now }: StatusInput): PodCondition {
  const status = verdict.status ? "True" : "False";
  const old = (previous ?? pod.status)?.conditions?.find((other) => other.type === type);
  return {
    type,
    status,
    lastTransitionTime: old?.status === status && old.lastTransitionTime !== undefined ? old.lastTransitionTime : rfc3339(now),
    ...(verdict.reason === undefined ? {} : { reason: verdict.reason }),
    ...(verdict.message === undefined ? {} : { message: verdict.message }),
  };
}

function initializedVerdict(
  records: ContainerRecords,
  phase: PodPhase,
  declared: readonly DeclaredContainer[],
  initialized: boolean,
): Verdict {
  if (phase === "Succeeded") return { status: true, reason: "PodCompleted" };
  if (initialized) return { status: true };
  const names = incompleteInit(declared, records);
  return { status: false, reason: "ContainersNotInitialized", message: `containers with incomplete status: [${names.join(" ")}]` };
}

function containersVerdict(records: ContainerRecords, phase: PodPhase, declared: readonly DeclaredContainer[]): Verdict {
  if (phase === "Succeeded") return { status: false, reason: "PodCompleted" };
  if (phase === "Failed") return { status: false, reason: "PodFailed" };
  const unready = declared.filter(
    ({ container, role }) => (role === "main" || role === "sidecar") && records.get(container.name)?.ready !== true,
  );
  if (unready.length === 0) return { status: true };
  const names = unready.map(({ container }) => container.name).join(" ");
  return { status: false, reason: "ContainersNotReady", message: `containers with unready status: [${names}]` };
}

function readyVerdict(pod: Pod, containersReady: Verdict): Verdict {
  if (!containersReady.status) return containersReady;
  const problems = (pod.spec?.readinessGates ?? []).flatMap(({ conditionType }) => {
    const gate = pod.status?.conditions?.find(({ type }) => type === conditionType);
    if (gate === undefined) return [`corresponding condition of pod readiness gate "${conditionType}" does not exist.`];
    return gate.status === "True" ? [] : [`the status of pod readiness gate "${conditionType}" is not "True", but ${gate.status}`];
  });
  return problems.length === 0 ? { status: true } : { status: false, reason: "ReadinessGatesNotReady", message: problems.join(", ") };
}

/** Upstream pkg/apis/core/v1/helper/qos: from requests and limits of cpu and memory. */
function qosClass(pod: Pod): string {
  const containers = declaredContainers(pod)
    .filter(({ role }) => role !== "ephemeral")
    .map(({ container }) => container.resources);
  const named = (map: Readonly<Record<string, string>> | undefined) => ["cpu", "memory"].filter((key) => map?.[key] !== undefined);
  if (containers.every((resources) => named(resources?.limits).length === 0 && named(resources?.requests).length === 0))
    return "BestEffort";
  const guaranteed = containers.every((resources) => {
    const limits = resources?.limits;
    return named(limits).length === 2 && named(limits).every((key) => (resources?.requests?.[key] ?? limits?.[key]) === limits?.[key]);
  });
  return guaranteed ? "Guaranteed" : "Burstable";
}
