/**
 * What the rendered state does with a packet, hook by hook as the kernel has it (net/netfilter/ipvs/ip_vs_core.c `ip_vs_ops4`):
 *
 *     from elsewhere: nat PREROUTING ─► filter INPUT ─► IPVS ─► filter OUTPUT ─► nat POSTROUTING
 *     from the node:  nat OUTPUT ─► IPVS ─► filter OUTPUT ─► nat POSTROUTING
 *
 * Every real server is tried, with its share of weight; what a scheduler remembers (connections, persistence) is not kept.
 */
import { cidrContains, parseCidr, parseIp, type Ip } from "../../../../lib/ip.ts";
import type { PlanNode } from "../../plan.ts";
import type { Packet } from "../../trace.ts";
import { Evaluation, type Flow, type Hook, type Step } from "../iptables/evaluate.ts";
import type { RulesTrace } from "../nftables-trace.ts";
import { kernelSetName, setNames } from "./sets.ts";
import type { IpvsState } from "./state.ts";

type Outcome = { readonly kind: "drop" | "reject" } | { readonly kind: "accept"; readonly flow: Flow };

export function traceIpvs(state: IpvsState, node: Pick<PlanNode, "addresses">, packet: Packet): RulesTrace {
  const [from, to] = [parseIp(packet.from), parseIp(packet.to)];
  if (from?.family !== state.family || to?.family !== state.family) return { kind: "none" };
  const outcomes = walk(state, node.addresses, { ...packet, from, to });
  const refused = outcomes.find((outcome) => outcome.kind !== "accept");
  if (refused !== undefined) return { kind: refused.kind };
  const endpoints = outcomes.flatMap((outcome) =>
    outcome.kind === "accept" && outcome.flow.dnat !== undefined ? [{ ...outcome.flow.dnat, masquerade: outcome.flow.masquerade }] : [],
  );
  return endpoints.length === 0 ? { kind: "none" } : { kind: "dnat", endpoints };
}

interface ParsedPacket {
  readonly from: Ip;
  readonly to: Ip;
  readonly port: number;
  readonly protocol: Packet["protocol"];
}

function walk(state: IpvsState, own: readonly string[], packet: ParsedPacket): readonly Outcome[] {
  const bound = new Set(state.addresses.flatMap((text) => parseIp(text)?.value ?? []));
  const rules = new Evaluation(state.rules, { nodeAddresses: [...own, ...state.addresses], sets: setLookup(state) });
  const isOwn = own.some((text) => parseIp(text)?.value === packet.from.value);
  // To an address that is bound here the kernel chooses that same address as source, where the program asks for none.
  const from = isOwn && bound.has(packet.to.value) ? packet.to : packet.from;
  const flow: Flow = { ...packet, from, protocol: packet.protocol.toLowerCase(), mark: 0, masquerade: false, share: 1, chains: [] };
  const here = bound.has(packet.to.value) || own.some((text) => parseIp(text)?.value === packet.to.value);
  const before: readonly Hook[] = isOwn
    ? [["nat", "OUTPUT"]]
    : [
        ["nat", "PREROUTING"],
        ["filter", here ? "INPUT" : "FORWARD"],
      ];
  return through(rules, before, flow).flatMap((step): readonly Outcome[] => {
    if (step.end === "drop" || step.end === "reject") return [{ kind: step.end }];
    // IPVS looks at what comes in for this machine, and at what this machine sends.
    return here || isOwn ? schedule(state, rules, packet, step.flow) : [{ kind: "accept", flow: step.flow }];
  });
}

function schedule({ virtualServers }: IpvsState, rules: Evaluation, packet: ParsedPacket, flow: Flow): readonly Outcome[] {
  const wanted = virtualServers.find(
    ({ address, port, protocol }) => port === packet.port && protocol === packet.protocol && parseIp(address)?.value === packet.to.value,
  );
  if (wanted === undefined) return [{ kind: "accept", flow }];
  const open = wanted.realServers.filter(({ weight }) => weight > 0);
  if (open.length === 0) return [{ kind: "reject" }];
  const total = open.reduce((sum, { weight }) => sum + weight, 0);
  return open.flatMap(({ ip, port, weight }) => {
    const to = parseIp(ip) ?? flow.to;
    const virtualServer = { ip: wanted.address, port: wanted.port };
    const sent: Flow = { ...flow, to, port, dnat: { ip, port }, virtualServer, share: (flow.share * weight) / total };
    return through(
      rules,
      [
        ["filter", "OUTPUT"],
        ["nat", "POSTROUTING"],
      ],
      sent,
    ).map(({ end, flow: left }): Outcome => (end === "drop" || end === "reject" ? { kind: end } : { kind: "accept", flow: left }));
  });
}

/** One hook after the other; what a hook accepts goes on with the next. */
function through(rules: Evaluation, [hook, ...later]: readonly Hook[], flow: Flow): readonly Step[] {
  if (hook === undefined) return [{ end: "accept", flow }];
  return rules
    .hook(hook, flow)
    .flatMap((step) => (step.end === "drop" || step.end === "reject" ? [step] : through(rules, later, step.flow)));
}

type SetLookup = (name: string, sides: readonly ("src" | "dst")[], packet: Pick<Flow, "from" | "to" | "port" | "protocol">) => boolean;

function setLookup({ family, sets }: IpvsState): SetLookup {
  const byName = new Map(setNames.map((name) => [kernelSetName(name, family), name]));
  return (kernelName, sides, packet) => {
    const name = byName.get(kernelName);
    return name !== undefined && (sets.get(name) ?? []).some((entry) => holds(entry, sides, packet));
  };
}

/** `10.96.0.1,tcp:80,10.0.0.0/8`, part by part; of a bitmap the port alone. */
function holds(entry: string, sides: readonly ("src" | "dst")[], packet: Pick<Flow, "from" | "to" | "port" | "protocol">): boolean {
  if (/^\d+$/.test(entry)) return Number(entry) === packet.port;
  return entry.split(",").every((part, i) => {
    const transport = /^(tcp|udp|sctp):(\d+)$/.exec(part);
    if (transport !== null) return transport[1] === packet.protocol && Number(transport[2]) === packet.port;
    const ip = sides[i] === "src" ? packet.from : packet.to;
    const cidr = part.includes("/") ? parseCidr(part) : undefined;
    return cidr === undefined ? parseIp(part)?.value === ip.value : cidrContains(cidr, ip);
  });
}
