/**
 * What rendered rules do with a packet: the same question that `trace` puts to the plan, so that the answers can be compared.
 * Every outcome of a random choice is tried; what packets write (affinity) is not kept.
 */
import { evaluate, type EvaluatedPacket, type Outcome } from "../../../lib/nftables/evaluate.ts";
import { Ruleset } from "../../../lib/nftables/model.ts";
import type { ServicePlan, PlanNode } from "../plan.ts";
import type { Packet } from "../trace.ts";
import { NftablesRenderer, type NftablesOptions } from "./nftables.ts";
import { OperationBuilder } from "./operations.ts";

export type RulesTrace =
  | { readonly kind: "dnat"; readonly endpoints: readonly { readonly ip: string; readonly port: number; readonly masquerade: boolean }[] }
  | { readonly kind: "reject" | "drop" | "none" };

/** The whole plan as rules in memory. */
export function renderNftables(services: readonly ServicePlan[], options: NftablesOptions): Ruleset {
  const renderer = new NftablesRenderer(options);
  const builder = new OperationBuilder();
  for (const plan of services) renderer.change(`${plan.namespace}/${plan.name}`, plan, builder);
  const ruleset = new Ruleset();
  ruleset.commit([...renderer.base(), ...builder.finish()]);
  return ruleset;
}

export function traceNftables(ruleset: Ruleset, node: Pick<PlanNode, "addresses">, packet: Packet): RulesTrace {
  const evaluated: EvaluatedPacket = { ...packet, protocol: packet.protocol.toLowerCase(), local: node.addresses.includes(packet.from) };
  let choices = 1;
  const outcomes: Outcome[] = [];
  for (let choice = 0; choice < choices; choice++) {
    const random = (modulus: number) => {
      choices = modulus;
      return choice;
    };
    outcomes.push(evaluate(ruleset, evaluated, { random, now: 0, keep: false }));
  }
  return summary(outcomes);
}

function summary(outcomes: readonly Outcome[]): RulesTrace {
  const [first] = outcomes as [Outcome];
  if (first.kind !== "accept") return { kind: first.kind };
  if (first.dnat === undefined) return { kind: "none" };
  return {
    kind: "dnat",
    endpoints: outcomes.flatMap((outcome) =>
      outcome.kind === "accept" && outcome.dnat !== undefined
        ? [{ ip: outcome.dnat.address, port: outcome.dnat.port, masquerade: outcome.masquerade }]
        : [],
    ),
  };
}
