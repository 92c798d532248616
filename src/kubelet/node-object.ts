/** The Node object of this machine (upstream pkg/kubelet/nodestatus/setters.go). Pure. */
import type { Node, NodeAddress, NodeCondition, NodeStatus } from "../api/types.ts";
import { rfc3339 } from "../lib/clock.ts";

/** What the machine is; read once. */
export interface MachineFacts {
  readonly cpuCores: number;
  readonly memoryBytes: number;
  readonly architecture: string;
  readonly operatingSystem: string;
  readonly kernelVersion: string;
  readonly osImage: string;
  readonly machineID: string;
  readonly bootID: string;
}

export interface NodeInput {
  readonly nodeName: string;
  readonly addresses: readonly NodeAddress[];
  /** One per family; the first is the node's `podCIDR`. */
  readonly podCIDRs: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly machine: MachineFacts;
  /** `v1.36.0`: what `kubectl get nodes` shows. */
  readonly version: string;
  readonly runtimeVersion: string;
  readonly maxPods: number;
}

export function nodeObject(input: NodeInput, now: number): Node {
  const { nodeName, podCIDRs, machine } = input;
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name: nodeName,
      labels: {
        "kubernetes.io/hostname": nodeName,
        "kubernetes.io/os": machine.operatingSystem,
        "kubernetes.io/arch": machine.architecture,
        ...input.labels,
      },
    },
    spec: { podCIDR: podCIDRs[0], podCIDRs },
    status: nodeStatus(input, undefined, now),
  };
}

export function nodeStatus(input: NodeInput, old: NodeStatus | undefined, now: number): NodeStatus {
  const { machine } = input;
  const resources = { cpu: String(machine.cpuCores), memory: `${Math.floor(machine.memoryBytes / 1024)}Ki`, pods: String(input.maxPods) };
  return {
    capacity: resources,
    allocatable: resources,
    conditions: conditions.map((condition) => dated(condition, old, now)),
    addresses: input.addresses,
    nodeInfo: {
      machineID: machine.machineID,
      systemUUID: machine.machineID,
      bootID: machine.bootID,
      kernelVersion: machine.kernelVersion,
      osImage: machine.osImage,
      containerRuntimeVersion: input.runtimeVersion,
      kubeletVersion: input.version,
      kubeProxyVersion: "",
      operatingSystem: machine.operatingSystem,
      architecture: machine.architecture,
    },
  };
}

const conditions: readonly Omit<NodeCondition, "lastHeartbeatTime" | "lastTransitionTime">[] = [
  { type: "MemoryPressure", status: "False", reason: "KubeletHasSufficientMemory", message: "kubelet has sufficient memory available" },
  { type: "DiskPressure", status: "False", reason: "KubeletHasNoDiskPressure", message: "kubelet has no disk pressure" },
  { type: "PIDPressure", status: "False", reason: "KubeletHasSufficientPID", message: "kubelet has sufficient PID available" },
  { type: "Ready", status: "True", reason: "KubeletReady", message: "kubelet is posting ready status" },
];

function dated(
  condition: Omit<NodeCondition, "lastHeartbeatTime" | "lastTransitionTime">,
  old: NodeStatus | undefined,
  now: number,
): NodeCondition {
  const before = old?.conditions?.find(({ type }) => type === condition.type);
  const since = before?.status === condition.status ? before.lastTransitionTime : undefined;
  return { ...condition, lastHeartbeatTime: rfc3339(now), lastTransitionTime: since ?? rfc3339(now) };
}
