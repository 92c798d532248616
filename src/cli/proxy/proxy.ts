/**
 * `fairlead proxy plan|render|trace` (`diff`: diff.ts): what the proxy of a node would do, without one. Reads files, any cluster's API, or a plan
 * made before; changes nothing and needs no privilege.
 */
import { planServices, trace, type Packet, type PlanOptions, type ProxyPlan } from "../../decide/proxy/index.ts";
import { evaluateIptables } from "../../decide/proxy/render/iptables/evaluate.ts";
import { renderIptables } from "../../decide/proxy/render/iptables/render.ts";
import { restoreText } from "../../decide/proxy/render/iptables/text.ts";
import { traceIptables } from "../../decide/proxy/render/iptables/trace.ts";
import { renderIpvs, type IpvsOptions } from "../../decide/proxy/render/ipvs/render.ts";
import type { IpvsScheduler } from "../../decide/proxy/render/ipvs/state.ts";
import { ipvsText } from "../../decide/proxy/render/ipvs/text.ts";
import { traceIpvs } from "../../decide/proxy/render/ipvs/trace.ts";
import { renderKernelspace } from "../../decide/proxy/render/kernelspace/render.ts";
import { renderNftables, traceNftables } from "../../decide/proxy/render/nftables-trace.ts";
import { rulesetText } from "../../lib/nftables/text.ts";
import { FairleadError } from "../../lib/errors.ts";
import { parseIp, type IpFamily } from "../../lib/ip.ts";
import type { Output } from "../options.ts";
import { chooseNode } from "./choose-node.ts";
import { readInput, type InputChoice } from "./input.ts";
import { planText } from "./plan-text.ts";
import { outcomesText, packetText, rulesTraceText, traceText } from "./trace-text.ts";
import type { Terminal } from "../terminal.ts";

export type RenderMode = "nftables" | "iptables" | "ipvs";

/** In the words of kube-proxy's flags, where it has them. */
export interface ProxyOptions extends InputChoice {
  readonly output: Output;
  readonly node?: string;
  readonly clusterCidr?: readonly string[];
  readonly nodeportAddresses?: readonly string[];
  readonly serviceClusterIpRange?: readonly string[];
  readonly masqueradeAll: boolean;
}

export interface TraceRequest extends ProxyOptions {
  readonly from: string;
  readonly to: string;
  readonly protocol: string;
  readonly mode: "plan" | RenderMode;
}

export interface Planned {
  readonly plan: ProxyPlan;
  readonly serviceCIDRs: readonly string[];
}

export async function plan(options: ProxyOptions, terminal: Terminal): Promise<number> {
  const { plan: made } = await makePlan(options, terminal);
  terminal.print(options.output === "json" ? JSON.stringify(made, null, 2) : planText(made, terminal.paint));
  return 0;
}

export interface RenderRequest extends ProxyOptions {
  /** kernelspace: Windows' policies, always as JSON. */
  readonly mode: RenderMode | "kernelspace";
  /** Modes iptables and ipvs, which have a program per family. Default: both. */
  readonly ipFamily: "4" | "6" | undefined;
  readonly ipvsScheduler?: IpvsScheduler;
  /** Mode kernelspace. */
  readonly sourceVip?: string;
}

export async function render(options: RenderRequest, terminal: Terminal): Promise<number> {
  const { mode, output, ipFamily } = options;
  if (mode === "nftables" && (output === "json" || ipFamily !== undefined)) {
    throw new FairleadError("FL_UNSUPPORTED", `--mode nftables prints the text of nft, both families at once`, {
      hint: "-o json and --ip-family are for the modes iptables and ipvs.",
    });
  }
  const planned = await makePlan(options, terminal);
  const families: readonly IpFamily[] = ipFamily === undefined ? [4, 6] : [ipFamily === "4" ? 4 : 6];
  terminal.print(renderedText(planned, families, options));
  return 0;
}

function renderedText(
  planned: Planned,
  families: readonly IpFamily[],
  { mode, output, ipvsScheduler, sourceVip, masqueradeAll }: RenderRequest,
): string {
  const json = (value: unknown) => JSON.stringify(value, null, 2);
  const { plan: made } = planned;
  switch (mode) {
    case "nftables":
      return rulesetText(nftables(planned)).trimEnd();
    case "iptables":
      if (output === "json") return json(families.map((family) => iptables(made, family)));
      return families.map((family) => iptablesText(made, family)).join("\n\n");
    case "ipvs": {
      const states = families.map((family) => ipvs(made, family, { scheduler: ipvsScheduler ?? "rr", masqueradeAll }));
      if (output === "json") return json(states.map((state) => ({ ...state, sets: Object.fromEntries(state.sets) })));
      return states.map(ipvsText).join("\n").trimEnd();
    }
    case "kernelspace":
      return json(renderKernelspace(made.services, sourceVip === undefined ? {} : { sourceVip }));
    default:
      return mode satisfies never;
  }
}

/** Exit code 0: an endpoint gets the packet; 1: none does. */
export async function tracePacket(options: TraceRequest, terminal: Terminal): Promise<number> {
  const packet = packetOf(options);
  const planned = await makePlan(options, terminal, packet.from);
  const { serviceCIDRs, plan: made } = planned;
  const decided = trace(made, packet, { serviceCIDRs: ["iptables", "ipvs"].includes(options.mode) ? [] : serviceCIDRs });
  const { traced, text } = rulesSay(options.mode, planned, packet, terminal);
  const answer = traced ?? decided;
  if (options.output === "json") {
    terminal.print(JSON.stringify({ packet, node: made.node.name, mode: options.mode, trace: answer, decided }, null, 2));
  } else {
    terminal.print([packetText(packet, made), traceText(decided, terminal.paint), ...(text === undefined ? [] : [text])].join("\n"));
  }
  return answer.kind === "dnat" ? 0 : 1;
}

/** What the mode's own rules do, beside what was decided; nothing for mode `plan`. */
function rulesSay(mode: TraceRequest["mode"], planned: Planned, packet: Packet, { paint }: Terminal) {
  const { node } = planned.plan;
  switch (mode) {
    case "plan":
      return {};
    case "nftables": {
      const traced = traceNftables(nftables(planned), node, packet);
      return { traced, text: `nftables rules: ${rulesTraceText(traced, paint)}` };
    }
    case "iptables": {
      const rules = iptables(planned.plan, packet.to.includes(":") ? 6 : 4);
      const outcomes = evaluateIptables(rules, packet, { nodeAddresses: node.addresses });
      return { traced: traceIptables(rules, node, packet), text: `iptables rules:\n${outcomesText(outcomes, paint)}` };
    }
    case "ipvs": {
      const state = ipvs(planned.plan, packet.to.includes(":") ? 6 : 4, {});
      const traced = traceIpvs(state, node, packet);
      return { traced, text: `ipvs table and rules: ${rulesTraceText(traced, paint)}` };
    }
    default:
      return mode satisfies never;
  }
}

const ipvs = ({ node, services }: ProxyPlan, family: IpFamily, options: Pick<IpvsOptions, "scheduler" | "masqueradeAll">) =>
  renderIpvs(services, { node, family, ...options });

const iptables = ({ node, services }: ProxyPlan, family: IpFamily) => renderIptables(services, { node, family });

const restorePrograms = { 4: "iptables-restore", 6: "ip6tables-restore" } as const;

function iptablesText(made: ProxyPlan, family: IpFamily): string {
  return `# ${restorePrograms[family]} --noflush\n${restoreText(iptables(made, family), { jumps: true })}`.trimEnd();
}

const nftables = ({ plan: { node, services }, serviceCIDRs }: Planned) => renderNftables(services, { node, serviceCIDRs });

export async function makePlan(options: ProxyOptions, terminal: Terminal, from?: string): Promise<Planned> {
  const input = await readInput(options);
  const given = options.serviceClusterIpRange;
  if (input.kind === "plan") return { plan: input.plan, serviceCIDRs: given ?? [] };
  if (input.nodes.length === 0)
    terminal.note("no Node in the input: NodePorts are left out, and who is a pod is not known (--cluster-cidr)");
  const { node: named, clusterCidr, nodeportAddresses, masqueradeAll } = options;
  const node = chooseNode(input.nodes, {
    ...(named === undefined ? {} : { node: named }),
    ...(from === undefined ? {} : { from }),
    ...(clusterCidr === undefined ? {} : { clusterCIDRs: clusterCidr }),
    ...(nodeportAddresses === undefined ? {} : { nodePortAddresses: nodeportAddresses }),
  });
  const labels = new Map(input.nodes.map(({ metadata }) => [metadata.name, metadata.labels ?? {}]));
  const planOptions: PlanOptions = { masqueradeAll, labelsOf: (name) => labels.get(name) };
  return { plan: planServices(input.services, input.slices, node, planOptions), serviceCIDRs: given ?? input.serviceCIDRs };
}

/** `--to 10.96.0.10:80`, `--to [fd00::1]:80`. Throws FL_USAGE. */
function packetOf({ from, to, protocol }: TraceRequest): Packet {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(to) ?? [];
  const address = bracketed ?? plain ?? "";
  if (parseIp(address) === undefined || Number(port) > 65_535) {
    throw new FairleadError("FL_USAGE", `--to ${to}: no address and port`, { hint: "Examples: 10.96.0.10:80, [fd00:10:96::a]:80" });
  }
  if (parseIp(from)?.family !== parseIp(address)?.family) {
    throw new FairleadError("FL_USAGE", `--from ${from}: no address of the same family as ${address}`);
  }
  const upper = protocol.toUpperCase();
  if (upper !== "TCP" && upper !== "UDP" && upper !== "SCTP")
    throw new FairleadError("FL_USAGE", `--protocol ${protocol}: tcp, udp or sctp`);
  return { from, to: address, port: Number(port), protocol: upper };
}
