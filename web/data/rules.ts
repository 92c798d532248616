/** The rules of one Service as each proxy mode would have them on a node, for reading side by side. Pure. */
import type { EndpointSlice, Node, Service } from "../../src/api/types.ts";
import { planNodeOf } from "../../src/decide/explain/nodes.ts";
import { planServices, type ProxyPlan } from "../../src/decide/proxy/index.ts";
import { renderIptables } from "../../src/decide/proxy/render/iptables/render.ts";
import { restoreText } from "../../src/decide/proxy/render/iptables/text.ts";
import { renderIpvs } from "../../src/decide/proxy/render/ipvs/render.ts";
import { ipvsText } from "../../src/decide/proxy/render/ipvs/text.ts";
import { renderNftables } from "../../src/decide/proxy/render/nftables-trace.ts";
import { rulesetText } from "../../src/lib/nftables/text.ts";

export const ruleModes = ["nftables", "iptables", "ipvs"] as const;
export type RuleMode = (typeof ruleModes)[number];

export interface RulesInput {
  readonly service: Service;
  readonly slices: readonly EndpointSlice[];
  readonly node: Node | undefined;
  readonly serviceCIDRs: readonly string[];
}

export function planOne({ service, slices, node }: RulesInput): ProxyPlan {
  return planServices([service], slices, planNodeOf(node, { podCIDRs: [] }));
}

/** As the mode's own tools would list or load them. */
export function rulesText(mode: RuleMode, plan: ProxyPlan, serviceCIDRs: readonly string[]): string {
  const { node, services } = plan;
  const family = familyOf(plan);
  switch (mode) {
    case "nftables":
      return rulesetText(renderNftables(services, { node, serviceCIDRs, families: [family] })).trimEnd();
    case "iptables":
      return restoreText(renderIptables(services, { node, family })).trimEnd();
    case "ipvs":
      return ipvsText(renderIpvs(services, { node, family })).trimEnd();
  }
}

/** That of the Service's first address. */
function familyOf({ services: [service] }: ProxyPlan): 4 | 6 {
  const address = service?.kind === "service" ? service.ports[0]?.addresses[0] : undefined;
  return address?.family ?? 4;
}

export interface RuleLine {
  readonly text: string;
  /** Whether it names an address, a chain or a comment of this Service, and not only what every Service shares. */
  readonly own: boolean;
}

/** `words`: what only this Service has: its addresses, its endpoints, its name. Chains that such a line leads to are its own as well. */
export function markLines(text: string, words: readonly string[]): readonly RuleLine[] {
  const lines = text.split("\n");
  const chains = new Set<string>();
  const isOwn = (line: string) => words.some((word) => holds(line, word)) || [...chains].some((chain) => holds(line, chain));
  for (const line of lines) {
    if (!isOwn(line)) continue;
    for (const [chain] of line.matchAll(/KUBE-(?:SVC|SVL|EXT|FW|SEP)-[A-Z0-9]{16}/g)) chains.add(chain);
  }
  return lines.map((line) => ({ text: line, own: isOwn(line) }));
}

/** As a whole word: 10.96.0.1 is not in 10.96.0.10. */
function holds(line: string, word: string): boolean {
  for (let at = line.indexOf(word); at >= 0; at = line.indexOf(word, at + 1)) {
    if (
      !/[\w.:]/.test(line[at - 1] ?? " ") &&
      !/[\w]|\.\d/.test(line.slice(at + word.length, at + word.length + 2).replace(/^([^\w.]).*/s, "$1"))
    )
      return true;
  }
  return false;
}
