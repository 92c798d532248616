/** Whether NetworkPolicies let a client through to a pod: decided where they are enforced, over the two pods alone. */
import type { NetworkPolicy, Pod } from "../../api/types.ts";
import { planPolicy, policyPodOf, tracePolicies, type PolicyWorld } from "../networkpolicy/index.ts";
import type { Protocol } from "../proxy/plan.ts";
import type { FoundClient } from "./client.ts";
import type { World } from "./world.ts";

export interface Connection {
  readonly client: FoundClient;
  /** Its address, of the target's family. */
  readonly from: string;
  readonly pod: Pod;
  readonly address: string;
  readonly port: number;
  readonly protocol: Protocol;
}

/** The policies that close the way, if some do: each of them isolates the pod, and none lets this pass. */
export interface Denied {
  readonly direction: "ingress" | "egress";
  readonly policies: readonly NetworkPolicy[];
}

export function deniedBy({ snapshot }: World, { client, from, pod, address, port, protocol }: Connection): Denied | undefined {
  // A node always reaches its own pods: its probes must.
  if (client.kind === "node" && client.node === pod.spec?.nodeName) return undefined;
  const ends = [client.pod, pod].flatMap((each) => (each === undefined ? [] : (policyPodOf(each) ?? [])));
  const namespaces = new Set(ends.map(({ namespace }) => namespace));
  // A policy is about pods of its own namespace.
  const policies = snapshot.networkPolicies.filter(({ metadata }) => namespaces.has(metadata.namespace ?? ""));
  const world: PolicyWorld = {
    pods: () => ends,
    podsIn: (namespace) => ends.filter((end) => end.namespace === namespace),
    namespaceLabels: (name) => labelsOf(snapshot.namespaces, name),
  };
  const plans = policies.map((policy) => planPolicy(policy, world));
  const verdict = tracePolicies(plans, { from, to: address, port, protocol });
  if (verdict.kind === "allowed") return undefined;
  const named = new Set(verdict.policies);
  return { direction: verdict.direction, policies: policies.filter((_, i) => named.has(plans[i]?.key ?? "")) };
}

/** With the label that the API server gives each. */
function labelsOf(namespaces: World["snapshot"]["namespaces"], name: string): Readonly<Record<string, string>> {
  const found = namespaces.find(({ metadata }) => metadata.name === name);
  return { "kubernetes.io/metadata.name": name, ...found?.metadata.labels };
}
