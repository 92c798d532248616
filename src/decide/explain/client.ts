/** Who asks: a pod, a node, or somebody outside; where its packets come from and how it resolves names. */
import type { Pod } from "../../api/types.ts";
import { canonicalIp, cidrAddress, formatIp, parseCidr, parseIp } from "../../lib/ip.ts";
import { isPodFinished, podAddresses } from "../endpoints/pod-state.ts";
import type { Client } from "./explanation.ts";
import { addressesOfNode, podCIDRsOf } from "./nodes.ts";
import { inRange } from "../proxy/service-info.ts";
import { refOf } from "./snapshot.ts";
import type { World } from "./world.ts";

/** An address of nobody (RFC 5737), for clients outside of which no other is known. */
const somebody = "192.0.2.200";
const somebodyV6 = "2001:db8::200";

export interface FoundClient extends Client {
  /** One address per IP family, where known. */
  readonly addresses: readonly string[];
  /** Absent for nodes, for those outside, and for a pod that was not named. */
  readonly pod?: Pod;
}

export type ClientResult = { readonly kind: "client"; readonly client: FoundClient } | { readonly kind: "unknown"; readonly why: string };

/** `namespace`: of names, where `from` does not say one. */
export function findClient(world: World, from: string | undefined, namespace: string | undefined): ClientResult {
  if (from === undefined) return found(anyPod(world, namespace ?? "default"));
  if (from === "outside") return found(outside(namespace ?? "default", [somebody, somebodyV6]));
  const [, kind = "", rest = ""] = /^(pod|node)\/(.+)$/.exec(from) ?? [];
  if (kind === "pod") return podByName(world, rest, namespace ?? "default");
  if (kind === "node") return nodeByName(world, rest, namespace ?? "default");
  if (parseIp(from) !== undefined) return found(byAddress(world, canonicalIp(from), namespace ?? "default"));
  return { kind: "unknown", why: `${from} is no client: pod/NAMESPACE/NAME, node/NAME, outside, or an address` };
}

const found = (client: FoundClient): ClientResult => ({ kind: "client", client });

function podByName(world: World, rest: string, fallback: string): ClientResult {
  const [namespace = "", name] = rest.includes("/") ? rest.split("/") : [fallback, rest];
  const pod = world.pod(namespace, name ?? "");
  return pod === undefined ? { kind: "unknown", why: `there is no pod ${namespace}/${name}` } : found(ofPod(pod));
}

function nodeByName(world: World, name: string, namespace: string): ClientResult {
  const node = world.node(name);
  if (node === undefined) return { kind: "unknown", why: `there is no node ${name}` };
  const addresses = addressesOfNode(node);
  return found({ kind: "node", ref: refOf("Node", node), namespace, text: `node ${name}`, node: name, addresses, ...first(addresses) });
}

function ofPod(pod: Pod): FoundClient {
  const { namespace = "", name = "" } = pod.metadata;
  const node = pod.spec?.nodeName;
  const addresses = podAddresses(pod);
  return {
    kind: "pod",
    ref: refOf("Pod", pod),
    namespace,
    text: `pod ${namespace}/${name}${node === undefined ? "" : ` on ${node}`}`,
    addresses,
    ...first(addresses),
    ...(node === undefined ? {} : { node }),
    pod,
  };
}

function byAddress(world: World, address: string, namespace: string): FoundClient {
  const [pod] = world.podsAt(address);
  if (pod !== undefined) return ofPod(pod);
  const [node] = world.nodesAt(address);
  if (node !== undefined) {
    const name = node.metadata.name ?? "";
    return { kind: "node", ref: refOf("Node", node), namespace, text: `node ${name}`, node: name, addresses: [address], address };
  }
  const home = world.snapshot.nodes.find((each) => podCIDRsOf(each).some((cidr) => inRange(cidr, address)));
  const isPod = home !== undefined || world.snapshot.config.podCIDRs.some((cidr) => inRange(cidr, address));
  if (!isPod) return { ...outside(namespace, [address]), text: `${address}, outside the cluster` };
  const on = home?.metadata.name;
  const text = `${address}, an address of pods${on === undefined ? "" : ` on ${on}`}`;
  return { kind: "pod", namespace, text, addresses: [address], address, ...(on === undefined ? {} : { node: on }) };
}

function outside(namespace: string, addresses: readonly string[]): FoundClient {
  return { kind: "outside", namespace, text: "outside the cluster", addresses, ...first(addresses) };
}

/** A pod that need not exist: on the first node, with an address of that node's pods. */
function anyPod(world: World, namespace: string): FoundClient {
  const [node] = world.snapshot.nodes.toSorted((a, b) => ((a.metadata.name ?? "") < (b.metadata.name ?? "") ? -1 : 1));
  const cidrs = node === undefined ? world.snapshot.config.podCIDRs : [...podCIDRsOf(node), ...world.snapshot.config.podCIDRs];
  const neighbour = world.podsIn(namespace).find((pod) => pod.spec?.nodeName === node?.metadata.name && !isPodFinished(pod));
  const addresses = cidrs.length > 0 ? addressesWithin(cidrs) : neighbour === undefined ? [somebody, somebodyV6] : podAddresses(neighbour);
  const name = node?.metadata.name;
  return {
    kind: "pod",
    namespace,
    text: `some pod in ${namespace}${name === undefined ? "" : ` on ${name}`}`,
    addresses,
    ...first(addresses),
    ...(name === undefined ? {} : { node: name }),
  };
}

/** One of each family, which no pod is likely to have: the third last. */
function addressesWithin(cidrs: readonly string[]): readonly string[] {
  const byFamily = new Map<number, string>();
  for (const text of cidrs) {
    const cidr = parseCidr(text);
    if (cidr === undefined || byFamily.has(cidr.family)) continue;
    const bits = BigInt(cidr.family === 4 ? 32 : 128) - BigInt(cidr.bits);
    byFamily.set(cidr.family, formatIp(cidrAddress(cidr, bits < 3n ? 0n : (1n << bits) - 3n)));
  }
  return [...byFamily.values()];
}

function first([address]: readonly string[]): { readonly address?: string } {
  return address === undefined ? {} : { address };
}

/** The client's address of a family. */
export function addressFor({ addresses }: FoundClient, to: string): string {
  const v6 = to.includes(":");
  return addresses.find((address) => address.includes(":") === v6) ?? (v6 ? somebodyV6 : somebody);
}
