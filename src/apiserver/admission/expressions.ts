/** Conditions in CEL of webhooks and policies. */
import { celFault, compileCel, type Evaluate } from "../../api/cel/environment.ts";
import { newBudget } from "../../api/cel/budget.ts";
import { celValue } from "../../api/cel/values.ts";
import type { MatchCondition } from "../../api/types.ts";

/** Compiled once for each text and set of variables. */
const compiled = new Map<string, Evaluate>();

/** Throws an Error for a text that is no expression. */
export function expression(text: string, variables: readonly string[]): Evaluate {
  const key = `${variables.length} ${text}`;
  let found = compiled.get(key);
  if (found === undefined) {
    if (compiled.size > 1000) compiled.clear();
    compiled.set(key, (found = compileCel(text, variables)));
  }
  return found;
}

export type Verdict = { readonly kind: "yes" } | { readonly kind: "no" } | { readonly kind: "error"; readonly message: string };

/** All must hold; one that does not goes before one that cannot be evaluated. */
export function conditionsHold(conditions: readonly MatchCondition[], variables: readonly string[], context: CelContext): Verdict {
  let fault: Verdict | undefined;
  for (const { name, expression: text } of conditions) {
    try {
      if (expression(text, variables)(context) !== true) return { kind: "no" };
    } catch (error) {
      fault ??= { kind: "error", message: `match condition ${JSON.stringify(name)}: ${celFault(error)}` };
    }
  }
  return fault ?? { kind: "yes" };
}

export type CelContext = Readonly<Record<string, unknown>>;

export function celContext(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const budget = newBudget();
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, celValue(value ?? null, budget)]));
}
