/**
 * What Services have in common: a class is a way to treat a connection (who is refused, dropped, masqueraded, from how many
 * endpoints one is picked, whether clients are remembered). Its chains are rules; a Service only names its class. Chains are
 * named by what they do, so that equal classes are one and `nft list` can be read:
 *
 * - `tcp-5`: picks one of five; `tcp-2-local`: of this node's two; `tcp-5-sticky-10800`: remembers clients for three hours.
 * - `tcp-5/tcp-5-m/tcp-5-m`: pods, the node, everyone else, each to a chain above; `-m`: masqueraded.
 * - `…-sticky-10800-` and a hash: in IPv6 remembering is a Service's own (see `affinityMap`).
 * - `…/from-1a2b3c4d`: only from some source ranges, whose hash it is.
 */
import { fieldTypes, type Field, type SetDeclaration, type Statement } from "../../../lib/nftables/ruleset.ts";
import type { EndpointSet, PlanNode, PortPlan, Protocol, Verdict, VirtualAddress } from "../plan.ts";
import { endpointsOf, servicePortText } from "../plan.ts";
import { hash, longHash } from "./hash.ts";
import { affinityMap, dropChain, localOffset, masqueradeBit, refuseChain, type FamilyLayout } from "./nftables-layout.ts";

/** A chain and those that it leads to. */
export interface ClassChain {
  readonly name: string;
  readonly rules: readonly (readonly Statement[])[];
  readonly leadsTo: readonly ClassChain[];
  /** Maps of its own. */
  readonly sets?: readonly SetDeclaration[];
}

export interface ServiceClass {
  readonly chain: ClassChain;
  /** Whose endpoints must be in the maps. */
  readonly sets: readonly EndpointSet[];
}

interface Branch {
  readonly chain: ClassChain;
  readonly masquerade: boolean;
}

/** By what a client is known to be a pod. `clusterCIDRs`: of any family; those of the address's count. */
export type PodDetection = Pick<PlanNode, "clusterCIDRs" | "podInterface">;

/** The class of one virtual address. */
export function classOf(layout: FamilyLayout, port: PortPlan, address: VirtualAddress, detection: PodDetection): ServiceClass {
  const { pod, node, external } = address.verdicts;
  const pods = podMatches(layout, detection);
  const verdicts = pods.length === 0 ? [node, external] : [pod, node, external];
  const branches = { pod: branchOf(layout, port, pod), node: branchOf(layout, port, node), external: branchOf(layout, port, external) };
  const chain = bySource(layout, branches, pods);
  const sets = (["cluster", "local"] as const).filter((set) => verdicts.some((verdict) => verdict.kind === "dnat" && verdict.to === set));
  // A refusal comes before the question who may come: there is nothing to protect.
  if (address.sourceRanges === undefined || verdicts.every(({ kind }) => kind === "reject")) return { chain, sets };
  return { chain: bySourceRange(layout, chain, address.sourceRanges), sets };
}

function branchOf(layout: FamilyLayout, port: PortPlan, verdict: Verdict): Branch {
  switch (verdict.kind) {
    case "reject":
      return { chain: { name: refuseChain, rules: [], leadsTo: [] }, masquerade: false };
    case "drop":
      return { chain: { name: dropChain, rules: [], leadsTo: [] }, masquerade: false };
    case "dnat":
      return { chain: pickChain(layout, port, verdict.to), masquerade: verdict.masquerade };
    default:
      return verdict satisfies never;
  }
}

function pickChain(layout: FamilyLayout, port: PortPlan, set: EndpointSet): ClassChain {
  const count = endpointsOf(port, layout.family)[set].length;
  const name = `${port.protocol.toLowerCase()}-${count}${set === "local" ? "-local" : ""}`;
  if (port.affinity.kind === "clientIP") return stickyChain(layout, port, set, count, name, port.affinity.timeoutSeconds);
  return { name, rules: pickRules(layout, port.protocol, set, count), leadsTo: [] };
}

const portField: Readonly<Record<Protocol, Field>> = { TCP: "tcp dport", UDP: "udp dport", SCTP: "sctp dport" };

function randomIndex(set: EndpointSet, count: number): Statement {
  return { kind: "setMark", to: { kind: "random", modulus: count, offset: set === "local" ? localOffset : 0 } };
}

function pickRules(layout: FamilyLayout, protocol: Protocol, set: EndpointSet, count: number): Statement[][] {
  const key: Field[] = [layout.destination, portField[protocol], "meta mark"];
  return [[randomIndex(set, count), { kind: "dnatByMap", key, map: layout.endpoints[protocol].name }]];
}

function stickyChain(
  layout: FamilyLayout,
  port: PortPlan,
  set: EndpointSet,
  count: number,
  name: string,
  timeoutSeconds: number,
): ClassChain {
  const { affinity, source, destination } = layout;
  const sticky = `${name}-sticky-${timeoutSeconds}`;
  if (affinity !== undefined) {
    const key: Field[] = [source, destination, "meta l4proto", portField[port.protocol]];
    return { name: sticky, rules: stickyRules(layout, port.protocol, set, count, timeoutSeconds, affinity[set].name, key), leadsTo: [] };
  }
  const id = longHash(`${servicePortText(port.servicePort)}/${port.protocol}`);
  const own = affinityMap(`affinity-${id}${set === "local" ? "-local" : ""}`, [fieldTypes[source]]);
  const rules = stickyRules(layout, port.protocol, set, count, timeoutSeconds, own.name, [source]);
  return { name: `${sticky}-${id}`, rules, leadsTo: [], sets: [own] };
}

/**
 * Remembers an endpoint's id, not its address: an id whose endpoint has left leads nowhere, so that the second rule falls through
 * and the client gets another. `update` would keep the old id, therefore it is deleted before the new one is added.
 */
function stickyRules(
  layout: FamilyLayout,
  protocol: Protocol,
  set: EndpointSet,
  count: number,
  timeoutSeconds: number,
  affinity: string,
  client: readonly Field[],
): Statement[][] {
  const service: Field[] = [layout.destination, portField[protocol], "meta mark"];
  const toEndpoint: Statement = { kind: "dnatByMap", key: service, map: layout.endpoints[protocol].name };
  const remember = (operation: "add" | "update" | "delete"): Statement => ({
    kind: "remember",
    operation,
    map: affinity,
    key: client,
    value: "meta mark",
    ...(operation === "delete" ? {} : { timeoutSeconds }),
  });
  return [
    [{ kind: "setMark", to: { kind: "map", key: client, map: affinity } }, remember("update")],
    [toEndpoint],
    [remember("delete")],
    [randomIndex(set, count)],
    [{ kind: "setMark", to: { kind: "map", key: service, map: layout.endpointIds[protocol].name } }],
    // Of its own, so that a full map does not end the rule before the connection has its endpoint.
    [remember("add")],
    [toEndpoint],
  ];
}

function bySource(
  layout: FamilyLayout,
  { pod, node, external }: Record<"pod" | "node" | "external", Branch>,
  pods: readonly Statement[],
): ClassChain {
  const used = pods.length === 0 ? [node, external] : [pod, node, external];
  const [first] = used as [Branch, ...Branch[]];
  if (!first.masquerade && used.every((branch) => branchText(branch) === branchText(first))) return first.chain;
  const rules = [
    ...pods.map((match): Statement[] => [match, ...branchStatements(pod)]),
    ...(branchText(node) === branchText(external)
      ? []
      : [[{ kind: "inSet" as const, key: [layout.source], set: layout.nodeIPs.name }, ...branchStatements(node)]]),
    branchStatements(external),
  ];
  return { name: used.map(branchText).join("/"), rules, leadsTo: used.map(({ chain }) => chain) };
}

function podMatches({ family, source }: FamilyLayout, { clusterCIDRs = [], podInterface }: PodDetection): readonly Statement[] {
  if (podInterface !== undefined) return [{ kind: "fromInterface", ...podInterface }];
  const own = clusterCIDRs.filter((cidr) => cidr.includes(":") === (family === 6));
  return own.map((value): Statement => ({ kind: "match", field: source, operator: "==", value }));
}

function branchStatements({ chain, masquerade }: Branch): Statement[] {
  const goto: Statement = { kind: "verdict", verdict: { kind: "goto", chain: chain.name } };
  return masquerade ? [{ kind: "setBits", field: "ct mark", bits: masqueradeBit }, goto] : [goto];
}

const branchText = ({ chain, masquerade }: Branch) => `${chain.name}${masquerade ? "-m" : ""}`;

function bySourceRange(layout: FamilyLayout, chain: ClassChain, ranges: readonly string[]): ClassChain {
  const sorted = [...new Set(ranges)].sort();
  if (sorted.some((range) => range.endsWith("/0"))) return chain;
  const rules = sorted.map((value): Statement[] => [
    { kind: "match", field: layout.source, operator: "==", value },
    { kind: "verdict", verdict: { kind: "goto", chain: chain.name } },
  ]);
  const name = `${chain.name}/from-${hash(sorted.join(" ")).toString(16).padStart(8, "0")}`;
  return { name, rules: [...rules, [{ kind: "verdict", verdict: { kind: "drop" } }]], leadsTo: [chain] };
}
