/**
 * Where ipvs mode cannot do as the plan says. A virtual server has one list of real servers, so clients are not told apart; the
 * filter comes before the choice; and masquerading goes by address alone. Each way in which that shows has a code.
 */
import type { PortPlan, SourceClass, VirtualAddress } from "../plan.ts";
import { endpointsOf } from "../plan.ts";

export const ipvsAnswers = {
  LocalPolicyForAll: "policy Local counts for pods and the node itself too: they reach this node's endpoints only",
  LocalPolicyFallsBack:
    "policy Local without an endpoint here leads to other nodes' endpoints instead of dropping; who comes from outside gets no answer",
  LocalPolicyRefuses: "internalTrafficPolicy Local without an endpoint here refuses instead of dropping",
  NodeKeepsAddress: "the node's own connections to an address of policy Local are not masqueraded",
  NodeMasqueraded: "the node's own connections to the cluster IP are masqueraded although nobody else's are",
  LoopbackNodePort: "a NodePort at 127.0.0.1 is not served: IPVS takes no packets from there",
  SourceRangesFirst: "a client outside of loadBalancerSourceRanges is dropped also where there is no endpoint, not refused",
} as const satisfies Readonly<Record<string, string>>;

export type IpvsAnswer = keyof typeof ipvsAnswers;

export interface Deviation {
  readonly code: IpvsAnswer;
  /** Whose packets are treated in this way. */
  readonly clients: readonly SourceClass[];
}

export interface DeviationOptions {
  /** Whether ranges of pods are known. */
  readonly podsKnown: boolean;
}

const everyone: readonly SourceClass[] = ["pod", "node", "external"];

export function ipvsDeviations(port: PortPlan, address: VirtualAddress, { podsKnown }: DeviationOptions): readonly Deviation[] {
  const { cluster, local, hasAny } = endpointsOf(port, address.family);
  const internal = address.kind === "clusterIP";
  const found: Deviation[] = [];
  const add = (applies: boolean, code: IpvsAnswer, clients: readonly SourceClass[]) => void (applies && found.push({ code, clients }));
  const isLocal = (internal ? port.internalTrafficPolicy : port.externalTrafficPolicy) === "Local";
  add(isLocal && !internal && local.length > 0, "LocalPolicyForAll", ["pod", "node"]);
  add(isLocal && hasAny && local.length === 0 && cluster.length > 0, "LocalPolicyFallsBack", everyone);
  add(isLocal && hasAny && local.length === 0 && cluster.length === 0, "LocalPolicyRefuses", everyone);
  add(isLocal && !internal && hasAny, "NodeKeepsAddress", ["node"]);
  add(internal && !podsKnown, "NodeMasqueraded", ["node"]);
  add(address.kind === "nodePort" && (address.address.startsWith("127.") || address.address === "::1"), "LoopbackNodePort", everyone);
  add(!hasAny && address.sourceRanges !== undefined, "SourceRangesFirst", everyone);
  return found;
}
