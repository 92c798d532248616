/** The choice of an endpoint, and the chain of each: affinity, hairpin, DNAT. */
import type { PlanEndpoint } from "../../plan.ts";
import { joinHostPort } from "../../../../lib/ip.ts";
import { endpointChain, transportOf } from "./chain-names.ts";
import { comment, jump, kube, rule } from "./layout.ts";
import type { PortContext } from "./port-rules.ts";
import type { Chain, Match, Rule } from "./rules.ts";

/** First those whom the client had lately, then a draw: the i-th of n with 1/(n-i), so that each gets 1/n of all. */
export function policyRules({ port, name, options }: PortContext, endpoints: readonly PlanEndpoint[]): readonly Rule[] {
  const targets = endpoints.map((endpoint) => ({
    chain: endpointChain(port, endpoint),
    tell: options.endpointComments ? [comment(`${name} -> ${joinHostPort(endpoint.ip, endpoint.port)}`)] : [],
  }));
  const { affinity } = port;
  const sticky =
    affinity.kind === "none"
      ? []
      : targets.map(({ chain, tell }) => rule(jump(chain), ...tell, remembered(chain, affinity.timeoutSeconds)));
  const draws = targets.map(({ chain, tell }, i) => {
    const left = targets.length - i;
    return rule(jump(chain), ...tell, ...(left === 1 ? [] : [{ kind: "random" as const, probability: probabilityOf(left) }]));
  });
  return [...sticky, ...draws];
}

function remembered(list: string, seconds: number): Match {
  return { kind: "recentCheck", list, seconds };
}

/** `1/n` as upstream's `computeProbability` prints it. */
export function probabilityOf(n: number): string {
  return (1 / n).toFixed(10);
}

/** What `iptables-save` prints for a probability: the kernel keeps 31 bits of it (xt_statistic `info->u.nth`, libxt_statistic). */
export function listedProbability(probability: string): string {
  return (Math.round(Number(probability) * 0x8000_0000) / 0x8000_0000).toFixed(11);
}

export function endpointChains(context: PortContext): readonly Chain[] {
  const { cluster, local } = context.endpoints;
  const both = new Map([...cluster, ...local].map((endpoint) => [endpointChain(context.port, endpoint), endpoint]));
  return [...both].map(([name, endpoint]) => ({ name, rules: endpointRules(context, name, endpoint) }));
}

function endpointRules({ port, name, options }: PortContext, chain: string, endpoint: PlanEndpoint): readonly Rule[] {
  const tell = options.endpointComments ? [comment(name)] : [];
  const sticky: readonly Match[] = port.affinity.kind === "none" ? [] : [{ kind: "recentSet", list: chain }];
  return [
    // A pod that reaches itself must not see its own address, or it would answer past the proxy (hairpin).
    rule(jump(kube.markMasquerade), ...tell, { kind: "source", cidr: endpoint.ip }),
    rule({ kind: "dnat", ip: endpoint.ip, port: endpoint.port }, ...tell, ...sticky, { kind: "protocol", protocol: transportOf(port) }),
  ];
}
