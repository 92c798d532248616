/** The rules that the cluster's proxy mode makes of a Service, and what they do with the packet: to hold the plan against. */
import { rulesetText } from "../../lib/nftables/text.ts";
import type { PlanNode, ServicePlan } from "../proxy/plan.ts";
import { evaluateIptables } from "../proxy/render/iptables/evaluate.ts";
import { renderIptables } from "../proxy/render/iptables/render.ts";
import { traceIptables } from "../proxy/render/iptables/trace.ts";
import { renderIpvs } from "../proxy/render/ipvs/render.ts";
import { traceIpvs } from "../proxy/render/ipvs/trace.ts";
import { renderNftables, traceNftables, type RulesTrace } from "../proxy/render/nftables-trace.ts";
import type { Packet } from "../proxy/trace.ts";
import type { ProxyMode } from "./snapshot.ts";

export interface MatchingRule {
  /** `map service-ips: 10.96.0.7 . tcp . 80 comment "shop/web:http"`, `KUBE-SERVICES → KUBE-SVC-…`, `virtual server 10.96.0.7:80/TCP rr` */
  readonly rule: string;
  readonly traced: RulesTrace;
}

export interface RuleQuestion {
  /** Of the Services that have to do with the packet: the rules of others do nothing to it. */
  readonly plans: readonly ServicePlan[];
  readonly node: PlanNode;
  readonly packet: Packet;
  readonly serviceCIDRs: readonly string[];
}

/** Undefined: userspace mode has no rules; the proxy asks the plan for each connection. */
export function matchingRule(mode: ProxyMode, question: RuleQuestion): MatchingRule | undefined {
  const { plans, node, packet, serviceCIDRs } = question;
  const family = packet.to.includes(":") ? 6 : 4;
  switch (mode) {
    case "userspace":
      return undefined;
    case "nftables": {
      const ruleset = renderNftables(plans, { node, serviceCIDRs, families: [family] });
      const traced = traceNftables(ruleset, node, packet);
      return { rule: nftablesRule(rulesetText(ruleset), packet), traced };
    }
    case "iptables": {
      const rules = renderIptables(plans, { node, family });
      const chains = evaluateIptables(rules, packet, { nodeAddresses: node.addresses }).map((outcome) => outcome.chains.join(" → "));
      return { rule: chains[0] ?? "no chain", traced: traceIptables(rules, node, packet) };
    }
    case "ipvs": {
      const state = renderIpvs(plans, { node, family });
      const server = state.virtualServers.find(
        ({ address, port, protocol }) => address === packet.to && port === packet.port && protocol === packet.protocol,
      );
      const rule = server === undefined ? "no virtual server" : `virtual server ${packet.to}:${packet.port}/${packet.protocol}`;
      return { rule, traced: traceIpvs(state, node, packet) };
    }
    default:
      return mode satisfies never;
  }
}

/** The element of a map that holds the packet's destination, with the map's name. */
function nftablesRule(text: string, { to, port, protocol }: Packet): string {
  const keys = [`${to} . ${protocol.toLowerCase()} . ${port} `, `${protocol.toLowerCase()} . ${port} `];
  let set = "";
  for (const line of text.split("\n")) {
    set = /^\t(?:map|set) (\S+)/.exec(line)?.[1] ?? set;
    const key = keys.find((each) => line.includes(each));
    if (key !== undefined && line.includes("comment"))
      return `map ${set}: ${line
        .slice(line.indexOf(key))
        .replace(/[,}]?\s*}?$/, "")
        .trim()}`;
  }
  return "no element of a map";
}
