/** Which container of which pod a log, exec or attach is about, and the agent that runs it (`pkg/registry/core/pod/strategy.go`). */
import type { NodeAgent, PodRef } from "../../api/node-agent.ts";
import { badRequestError, unavailableError } from "../../api/status.ts";
import type { Pod } from "../../api/types.ts";

export type NodeAgentLookup = (nodeName: string) => NodeAgent | undefined;

export function podRef({ metadata }: Pod): PodRef {
  return { namespace: metadata.namespace ?? "", name: metadata.name ?? "", uid: metadata.uid ?? "" };
}

/** The container that is named, or the only one. Throws 400 with upstream's texts. */
export function containerOf(pod: Pod, wanted: string): string {
  const names = (pod.spec?.containers ?? []).map(({ name }) => name);
  const initial = (pod.spec?.initContainers ?? []).map(({ name }) => name);
  const ephemeral = (pod.spec?.ephemeralContainers ?? []).map(({ name }) => name);
  const name = pod.metadata.name ?? "";
  if (wanted !== "") {
    if ([...names, ...initial, ...ephemeral].includes(wanted)) return wanted;
    throw badRequestError(`container ${wanted} is not valid for pod ${name}`);
  }
  if (names.length === 1 && initial.length === 0) return names[0] as string;
  if (names.length === 0) throw badRequestError(`a container name must be specified for pod ${name}`);
  if (names.length === 1) return names[0] as string;
  const others = initial.length === 0 ? "" : ` or one of the init containers: [${initial.join(" ")}]`;
  throw badRequestError(`a container name must be specified for pod ${name}, choose one of: [${names.join(" ")}]${others}`);
}

/** Throws 503 when the pod's node has no agent here. */
export function agentOf(pod: Pod, lookup: NodeAgentLookup): NodeAgent {
  const node = pod.spec?.nodeName ?? "";
  const agent = lookup(node);
  if (agent === undefined) throw unavailableError(`the agent of node ${JSON.stringify(node)} is not connected`);
  return agent;
}
