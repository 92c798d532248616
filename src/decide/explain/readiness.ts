/** Why a pod is not ready, in the words of its own status. */
import type { ContainerStatus, Pod } from "../../api/types.ts";
import { isPodReady, podCondition } from "../endpoints/pod-state.ts";
import { endpointReasons, type EndpointReason } from "../endpoints/reasons.ts";

/** `since 2026-01-01T00:00:00Z: container app is waiting: CrashLoopBackOff (back-off 10s …)` */
export function readinessDetail(pod: Pod, reason: EndpointReason): string {
  const since = podCondition(pod, "Ready")?.lastTransitionTime;
  switch (reason) {
    case "Ready":
      return since === undefined ? "ready" : `ready since ${since}`;
    case "TerminatingServing":
    case "Terminating":
      // The timestamp is the end of the grace period, not its beginning.
      return `being deleted, gone by ${pod.metadata.deletionTimestamp} at the latest${isPodReady(pod) ? "; still ready" : ""}`;
    case "PublishNotReady":
      return `published though it is ${pod.metadata.deletionTimestamp === undefined ? `not ready: ${whyNotReady(pod)}` : "being deleted"}`;
    case "NotReady":
      return `not ready${since === undefined ? "" : ` since ${since}`}: ${whyNotReady(pod)}`;
    default:
      return endpointReasons[reason].meaning;
  }
}

function whyNotReady(pod: Pod): string {
  const containers = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  const texts = containers.flatMap((status) => containerProblem(pod, status) ?? []);
  const gates = (pod.spec?.readinessGates ?? [])
    .map(({ conditionType }) => conditionType)
    .filter((type) => podCondition(pod, type)?.status !== "True");
  if (gates.length > 0) texts.push(`readiness gate ${gates.join(", ")} is not True`);
  if (texts.length > 0) return texts.join("; ");
  const ready = podCondition(pod, "Ready");
  return ready?.message ?? ready?.reason ?? "its status has no condition Ready yet";
}

function containerProblem(pod: Pod, { name, ready, state, restartCount }: ContainerStatus): string | undefined {
  if (state?.waiting !== undefined) return `container ${name} is waiting: ${reasonText(state.waiting.reason, state.waiting.message)}`;
  if (state?.terminated !== undefined) {
    const { exitCode, reason, message } = state.terminated;
    const isInit = pod.spec?.initContainers?.some((container) => container.name === name) ?? false;
    return isInit && exitCode === 0 ? undefined : `container ${name} ended with exit code ${exitCode}: ${reasonText(reason, message)}`;
  }
  if (ready) return undefined;
  const probe = pod.spec?.containers.find((container) => container.name === name)?.readinessProbe;
  const restarts = restartCount > 0 ? `, restarted ${restartCount} times` : "";
  return `container ${name} runs${restarts}, but ${probe === undefined ? "is not ready" : `its readiness probe has not succeeded (${probeText(probe)})`}`;
}

const reasonText = (reason: string | undefined, message: string | undefined): string =>
  [reason ?? "Unknown", message].filter(Boolean).join(": ");

function probeText({
  httpGet,
  tcpSocket,
  exec,
  grpc,
}: NonNullable<NonNullable<Pod["spec"]>["containers"][number]["readinessProbe"]>): string {
  if (httpGet !== undefined)
    return `GET ${(httpGet.scheme ?? "HTTP").toLowerCase()}://${httpGet.host ?? ""}:${httpGet.port}${httpGet.path ?? "/"}`;
  if (tcpSocket !== undefined) return `connect to port ${tcpSocket.port}`;
  if (exec !== undefined) return `command ${(exec.command ?? []).join(" ")}`;
  return grpc === undefined ? "no action" : `grpc to port ${grpc.port}`;
}
