/** What `kubectl get pods` says of a pod in a word (`pkg/printers/internalversion/printers.go` printPod). */
import { age } from "../duration.ts";
import type { ContainerStatus, Pod } from "../types.ts";

export interface PodSummary {
  /** `2/3` */
  readonly ready: string;
  /** `Running`, `CrashLoopBackOff`, `Init:0/1`, `Terminating` … */
  readonly reason: string;
  /** `4 (12s ago)` */
  readonly restarts: string;
}

interface Counts {
  ready: number;
  restarts: number;
  /** RFC 3339; the latest end of a container that was started again. */
  lastRestart: string;
}

interface InitOutcome {
  /** Sidecars that run and are ready. */
  readonly counts: Counts;
  /** Restarts of all init containers, which count while the pod initializes. */
  readonly all: Counts;
  /** Set while an init container keeps the pod from starting. */
  readonly reason: string | undefined;
}

export function podSummary(pod: Pod, now: number): PodSummary {
  const { spec } = pod;
  const sidecars = new Set((spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always").map(({ name }) => name));
  const total = (spec?.containers?.length ?? 0) + sidecars.size;
  const init = initOutcome(pod, sidecars);
  const initialized = init.reason === undefined || conditionTrue(pod, "Initialized");
  const counts = initialized ? init.counts : { ...init.all, ready: init.counts.ready };
  let reason = init.reason ?? phaseReason(pod);
  if (initialized) reason = mainReason(pod, reason, counts);
  return {
    ready: `${counts.ready}/${total}`,
    reason: deletionReason(pod) ?? reason,
    restarts:
      counts.restarts !== 0 && counts.lastRestart !== ""
        ? `${counts.restarts} (${age(counts.lastRestart, now)} ago)`
        : String(counts.restarts),
  };
}

function phaseReason({ status }: Pod): string {
  const gated = status?.conditions?.some(({ type, reason }) => type === "PodScheduled" && reason === "SchedulingGated");
  return gated === true ? "SchedulingGated" : status?.reason || status?.phase || "";
}

/** What a pod that is being deleted shows instead; one that has ended keeps its end. */
function deletionReason({ metadata, status }: Pod): string | undefined {
  if (metadata.deletionTimestamp === undefined) return undefined;
  if (status?.reason === "NodeLost") return "Unknown";
  return status?.phase === "Succeeded" || status?.phase === "Failed" ? undefined : "Terminating";
}

function initOutcome({ spec, status }: Pod, sidecars: ReadonlySet<string>): InitOutcome {
  const counts: Counts = { ready: 0, restarts: 0, lastRestart: "" };
  const all: Counts = { ready: 0, restarts: 0, lastRestart: "" };
  for (const [index, container] of (status?.initContainerStatuses ?? []).entries()) {
    const sidecar = sidecars.has(container.name);
    countRestarts(container, all);
    if (sidecar) countRestarts(container, counts);
    const ended = container.state?.terminated;
    if (ended?.exitCode === 0) continue;
    if (sidecar && container.started === true) {
      if (container.ready) counts.ready += 1;
      continue;
    }
    return { counts, all, reason: initReason(container, index, spec?.initContainers?.length ?? 0) };
  }
  return { counts, all, reason: undefined };
}

function initReason({ state }: ContainerStatus, index: number, total: number): string {
  if (state?.terminated !== undefined) return `Init:${endReason(state.terminated)}`;
  const waiting = state?.waiting?.reason ?? "";
  return waiting !== "" && waiting !== "PodInitializing" ? `Init:${waiting}` : `Init:${index}/${total}`;
}

function endReason({
  reason = "",
  signal = 0,
  exitCode,
}: {
  reason?: string | undefined;
  signal?: number | undefined;
  exitCode: number;
}): string {
  if (reason !== "") return reason;
  return signal === 0 ? `ExitCode:${exitCode}` : `Signal:${signal}`;
}

/** The first container that is not well gives the word; a completed one does not while another runs. */
function mainReason(pod: Pod, start: string, counts: Counts): string {
  let reason = start;
  let running = false;
  for (const container of [...(pod.status?.containerStatuses ?? [])].reverse()) {
    countRestarts(container, counts);
    const { waiting, terminated } = container.state ?? {};
    if ((waiting?.reason ?? "") !== "") reason = waiting?.reason as string;
    else if (terminated !== undefined) reason = endReason(terminated);
    else if (container.ready && container.state?.running !== undefined) {
      running = true;
      counts.ready += 1;
    }
  }
  if (reason !== "Completed" || !running) return reason;
  return conditionTrue(pod, "Ready") ? "Running" : "NotReady";
}

function countRestarts(container: ContainerStatus, counts: Counts): void {
  counts.restarts += container.restartCount ?? 0;
  const finished = container.lastState?.terminated?.finishedAt ?? "";
  if (finished > counts.lastRestart) counts.lastRestart = finished;
}

function conditionTrue({ status }: Pod, wanted: string): boolean {
  return status?.conditions?.find(({ type }) => type === wanted)?.status === "True";
}
