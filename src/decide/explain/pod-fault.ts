/** What keeps a pod from being ready, as a code: from the states of its containers, its probes and its conditions. */
import type { Container, ContainerStatus, Pod } from "../../api/types.ts";
import { isPodFinished, isPodReady, isPodTerminating, podAddresses, podCondition } from "../endpoints/pod-state.ts";
import type { ExplainCode } from "./codes.ts";
import type { World } from "./world.ts";
import { isNodeReady } from "./nodes.ts";

export type PodFault = Extract<
  ExplainCode,
  | "PodsFinished"
  | "PodsUnscheduled"
  | "ImageCannotBePulled"
  | "PodsCrash"
  | "ProbePortWrong"
  | "ProbeFails"
  | "ReadinessGateClosed"
  | "PodsNotReady"
  | "PodsTerminating"
  | "NodeUnknown"
  | "NodeDown"
>;

const imageReasons: ReadonlySet<string> = new Set([
  "ErrImagePull",
  "ImagePullBackOff",
  "InvalidImageName",
  "ErrImageNeverPull",
  "RegistryUnavailable",
  "ImageInspectError",
]);

/** Undefined: nothing keeps it. */
export function podFault(world: World, pod: Pod): PodFault | undefined {
  if (isPodFinished(pod)) return "PodsFinished";
  if (isPodTerminating(pod)) return "PodsTerminating";
  if (isPodReady(pod)) return undefined;
  if ((pod.spec?.nodeName ?? "") === "") return "PodsUnscheduled";
  const states = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  if (states.some(({ state }) => imageReasons.has(state?.waiting?.reason ?? ""))) return "ImageCannotBePulled";
  if (states.some(hasCrashed)) return "PodsCrash";
  const node = world.node(pod.spec?.nodeName ?? "");
  if (node !== undefined && !isNodeReady(node)) return "NodeDown";
  if (states.some((status) => isUnproven(pod, status))) return wrongProbePort(pod) === undefined ? "ProbeFails" : "ProbePortWrong";
  const closed = (pod.spec?.readinessGates ?? []).some(({ conditionType }) => podCondition(pod, conditionType)?.status !== "True");
  if (closed && podAddresses(pod).length > 0) return "ReadinessGateClosed";
  return "PodsNotReady";
}

function hasCrashed({ state, lastState, ready, restartCount }: ContainerStatus): boolean {
  if (state?.waiting?.reason === "CrashLoopBackOff") return true;
  const ended = state?.terminated ?? (ready || state?.running !== undefined ? undefined : lastState?.terminated);
  return ended !== undefined && ended.exitCode !== 0 && (restartCount > 0 || state?.terminated !== undefined);
}

function isUnproven(pod: Pod, { name, ready, state }: ContainerStatus): boolean {
  return !ready && state?.running !== undefined && containerOf(pod, name)?.readinessProbe !== undefined;
}

function containerOf(pod: Pod, name: string): Container | undefined {
  return pod.spec?.containers.find((container) => container.name === name);
}

/** A readiness probe that asks where no container says that it listens; pods that say nothing are not judged. */
export function wrongProbePort(
  pod: Pod,
):
  | { readonly container: string; readonly index: number; readonly port: number | string; readonly declared: readonly number[] }
  | undefined {
  const declared = declaredPorts(pod, "TCP");
  if (declared.length === 0) return undefined;
  const names = new Set((pod.spec?.containers ?? []).flatMap(({ ports = [] }) => ports.map(({ name }) => name)));
  for (const [index, { name, readinessProbe }] of (pod.spec?.containers ?? []).entries()) {
    const port = readinessProbe?.httpGet?.port ?? readinessProbe?.tcpSocket?.port ?? readinessProbe?.grpc?.port;
    if (port === undefined) continue;
    const known = typeof port === "number" ? declared.includes(port) : names.has(port);
    if (!known) return { container: name, index, port, declared };
  }
  return undefined;
}

/** Numbers that the containers say they listen at. */
export function declaredPorts(pod: Pod, protocol: string): readonly number[] {
  const sidecars = (pod.spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always");
  const all = [...(pod.spec?.containers ?? []), ...sidecars].flatMap(({ ports = [] }) => ports);
  return [...new Set(all.filter((port) => (port.protocol ?? "TCP") === protocol).map(({ containerPort }) => containerPort))];
}
