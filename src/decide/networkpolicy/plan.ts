/**
 * A NetworkPolicy with everything that it names looked up: which pods it isolates, and from whom and to where they may talk all the same.
 * Frozen plain data, the same for all nodes. Semantics: KEP-2079 (endPort), networking.k8s.io/v1 `NetworkPolicySpec`.
 */
import { matchesLabels, selectorOf, type LabelSelector } from "../../api/selectors.ts";
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from "../../api/types.ts";
import type { PolicyPod, PolicyWorld, Protocol } from "./world.ts";

export type Direction = "ingress" | "egress";

export interface PolicyPlan {
  readonly kind: "policy";
  /** `namespace/name` */
  readonly key: string;
  /** The pods that it is about. */
  readonly pods: readonly PolicyPod[];
  /** Undefined: it does not isolate them in this direction. Empty: nothing passes by this policy. */
  readonly ingress?: readonly RulePlan[];
  readonly egress?: readonly RulePlan[];
}

/** Lets pass what has one of the peers at the other end and goes to one of the ports. */
export interface RulePlan {
  readonly peers: PeersPlan;
  /** Empty: every port of every protocol. */
  readonly ports: readonly PortPlan[];
}

export type PeersPlan =
  | { readonly kind: "any" }
  | { readonly kind: "some"; readonly pods: readonly PolicyPod[]; readonly blocks: readonly BlockPlan[] };

export interface BlockPlan {
  readonly cidr: string;
  readonly except: readonly string[];
}

export type PortPlan =
  | { readonly kind: "protocol"; readonly protocol: Protocol }
  | { readonly kind: "numbers"; readonly protocol: Protocol; readonly from: number; readonly to: number }
  /** Each pod gives the name a number of its own. */
  | { readonly kind: "named"; readonly protocol: Protocol; readonly name: string; readonly targets: readonly NamedTarget[] };

export interface NamedTarget {
  readonly pod: PolicyPod;
  readonly port: number;
}

export function planPolicy(policy: NetworkPolicy, world: PolicyWorld): PolicyPlan {
  const { namespace = "", name = "" } = policy.metadata;
  const selector = selectorOf(policy.spec?.podSelector ?? {});
  const pods = [...world.podsIn(namespace)].filter(({ labels }) => matchesLabels(selector, labels));
  const types = typesOf(policy);
  const ingress = policy.spec?.ingress ?? [];
  const egress = policy.spec?.egress ?? [];
  const target = { pods, namespace, world };
  return {
    kind: "policy",
    key: `${namespace}/${name}`,
    pods,
    ...(types.includes("Ingress") ? { ingress: ingress.map(({ from, ports }) => planRule("ingress", from, ports, target)) } : {}),
    ...(types.includes("Egress") ? { egress: egress.map(({ to, ports }) => planRule("egress", to, ports, target)) } : {}),
  };
}

/** As the API fills it in (`pkg/apis/networking/v1/defaults.go`). */
function typesOf({ spec }: NetworkPolicy): readonly string[] {
  return spec?.policyTypes ?? ["Ingress", ...((spec?.egress ?? []).length > 0 ? ["Egress"] : [])];
}

interface Target {
  readonly pods: readonly PolicyPod[];
  readonly namespace: string;
  readonly world: PolicyWorld;
}

function planRule(
  direction: Direction,
  from: readonly NetworkPolicyPeer[] = [],
  ports: readonly NetworkPolicyPort[] = [],
  { pods, namespace, world }: Target,
): RulePlan {
  const peers: PeersPlan = from.length === 0 ? { kind: "any" } : somePeers(from, namespace, world);
  // Ports are the destination's: of the isolated pods, or of whom they may reach.
  const onlyPods = peers.kind === "some" && peers.blocks.length === 0 ? peers.pods : undefined;
  const destinations = direction === "ingress" ? pods : (onlyPods ?? [...world.pods()]);
  return { peers, ports: ports.map((port) => planPort(port, destinations)) };
}

function somePeers(from: readonly NetworkPolicyPeer[], namespace: string, world: PolicyWorld): PeersPlan {
  const found = new Map<string, PolicyPod>();
  for (const peer of from) {
    const isPeer = peerMatcher(peer, namespace, world);
    if (isPeer === undefined) continue;
    const candidates = peer.namespaceSelector === undefined ? world.podsIn(namespace) : world.pods();
    for (const pod of candidates) if (isPeer(pod)) found.set(pod.key, pod);
  }
  const blocks = from.flatMap(({ ipBlock }) => (ipBlock === undefined ? [] : [{ cidr: ipBlock.cidr, except: ipBlock.except ?? [] }]));
  return { kind: "some", pods: [...found.values()], blocks };
}

/** Undefined: the peer names addresses, not pods. */
function peerMatcher(
  { podSelector, namespaceSelector }: NetworkPolicyPeer,
  namespace: string,
  world: Pick<PolicyWorld, "namespaceLabels">,
): ((pod: PolicyPod) => boolean) | undefined {
  if (podSelector === undefined && namespaceSelector === undefined) return undefined;
  const ofPod = podSelector === undefined ? undefined : selectorOf(podSelector);
  const ofNamespace = namespaceSelector === undefined ? undefined : selectorOf(namespaceSelector);
  return (pod) => inNamespace(pod, namespace, ofNamespace, world) && (ofPod === undefined || matchesLabels(ofPod, pod.labels));
}

function inNamespace(
  pod: PolicyPod,
  namespace: string,
  selector: LabelSelector | undefined,
  world: Pick<PolicyWorld, "namespaceLabels">,
): boolean {
  if (selector === undefined) return pod.namespace === namespace;
  const labels = world.namespaceLabels(pod.namespace);
  return labels !== undefined && matchesLabels(selector, labels);
}

function planPort({ protocol: text = "TCP", port, endPort }: NetworkPolicyPort, destinations: readonly PolicyPod[]): PortPlan {
  const protocol = text as Protocol;
  if (port === undefined) return { kind: "protocol", protocol };
  if (typeof port === "number") return { kind: "numbers", protocol, from: port, to: endPort ?? port };
  const targets = destinations.flatMap((pod) =>
    pod.ports.filter((named) => named.name === port && named.protocol === protocol).map((named) => ({ pod, port: named.port })),
  );
  return { kind: "named", protocol, name: port, targets };
}

/** Whether the policy's plan depends on the pod: it selects it, or names it as a peer, or lets a named port be looked up in any pod. */
export function concerns(policy: NetworkPolicy, pod: PolicyPod, world: Pick<PolicyWorld, "namespaceLabels">): boolean {
  const { namespace = "" } = policy.metadata;
  const { podSelector = {}, ingress = [], egress = [] } = policy.spec ?? {};
  if (pod.namespace === namespace && matchesLabels(selectorOf(podSelector), pod.labels)) return true;
  const anyNamed = egress.some(({ ports = [] }) => ports.some(({ port }) => typeof port === "string"));
  if (anyNamed && pod.ports.length > 0) return true;
  const peers = [...ingress.flatMap(({ from = [] }) => from), ...egress.flatMap(({ to = [] }) => to)];
  return peers.some((peer) => peerMatcher(peer, namespace, world)?.(pod) === true);
}

/** Whether the policy asks for namespaces' labels. */
export function asksForNamespaces({ spec }: NetworkPolicy): boolean {
  const peers = [...(spec?.ingress ?? []).flatMap(({ from = [] }) => from), ...(spec?.egress ?? []).flatMap(({ to = [] }) => to)];
  return peers.some(({ namespaceSelector }) => namespaceSelector !== undefined);
}
