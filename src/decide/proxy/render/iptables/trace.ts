/** What the rules do with a packet: the question that `trace` puts to the plan, so that the answers can be compared. */
import type { PlanNode } from "../../plan.ts";
import type { Packet } from "../../trace.ts";
import type { RulesTrace } from "../nftables-trace.ts";
import { evaluateIptables, type Outcome } from "./evaluate.ts";
import type { IptablesRules } from "./rules.ts";

export function traceIptables(rules: IptablesRules, node: Pick<PlanNode, "addresses">, packet: Packet): RulesTrace {
  return summary(evaluateIptables(rules, packet, { nodeAddresses: node.addresses }));
}

function summary(outcomes: readonly Outcome[]): RulesTrace {
  const refused = outcomes.find(({ kind }) => kind !== "accept");
  if (refused !== undefined && refused.kind !== "accept") return { kind: refused.kind };
  const endpoints = outcomes.flatMap((outcome) =>
    outcome.kind === "accept" && outcome.dnat !== undefined
      ? [{ ip: outcome.dnat.ip, port: outcome.dnat.port, masquerade: outcome.masquerade }]
      : [],
  );
  return endpoints.length === 0 ? { kind: "none" } : { kind: "dnat", endpoints };
}
