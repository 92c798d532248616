/**
 * `x-kubernetes-validations`: rules in CEL over a value and what it was before (KEP-2876, apiextensions-apiserver `pkg/apiserver/schema/cel`).
 * A rule that cannot be compiled is named when the definition is written, and not evaluated.
 */
import { newBudget } from "../cel/budget.ts";
import { compileCel, type Evaluate } from "../cel/environment.ts";
import type { FieldError } from "../field-error.ts";
import { invalid } from "../field-error.ts";
import { errorMessage } from "../../lib/errors.ts";
import { fieldName, toCel } from "./cel-values.ts";
import type { JsonSchema } from "./json-schema.ts";

interface Rule {
  readonly text: string;
  readonly message: string;
  readonly messageExpression: Evaluate | undefined;
  readonly type: FieldError["type"];
  readonly fieldPath: string;
  /** Only where there is a value before. */
  readonly isTransition: boolean;
  readonly evaluate: Evaluate;
}

/** A schema's rules, at the places where they are; what has none below it is left out. */
export interface RuleTree {
  readonly schema: JsonSchema;
  readonly rules: readonly Rule[];
  readonly properties: ReadonlyMap<string, RuleTree>;
  readonly values: RuleTree | undefined;
  readonly items: RuleTree | undefined;
}

export interface CompiledRules {
  /** Undefined: there are no rules. */
  readonly tree: RuleTree | undefined;
  /** Rules that cannot be evaluated, and why. */
  readonly faults: readonly string[];
}

/** Evaluations for one object: what rules of lists of lists could ask for has no end. */
const maxEvaluations = 20_000;
const maxErrors = 100;

export function compileRules(schema: JsonSchema): CompiledRules {
  const faults: string[] = [];
  return { tree: compiled(schema, faults), faults };
}

function compiled(schema: JsonSchema, faults: string[]): RuleTree | undefined {
  const { properties = {}, additionalProperties, items } = schema;
  const below = Object.entries(properties).flatMap(([name, child]) => {
    const tree = compiled(child, faults);
    return tree === undefined ? [] : [[name, tree] as const];
  });
  const values = typeof additionalProperties === "object" ? compiled(additionalProperties, faults) : undefined;
  const each = items === undefined ? undefined : compiled(items, faults);
  const rules = (schema["x-kubernetes-validations"] ?? []).flatMap((one) => ruleOf(one, faults) ?? []);
  if (rules.length === 0 && below.length === 0 && values === undefined && each === undefined) return undefined;
  return { schema, rules, properties: new Map(below), values, items: each };
}

const types: Readonly<Record<string, FieldError["type"]>> = {
  FieldValueForbidden: "FieldValueForbidden",
  FieldValueRequired: "FieldValueRequired",
  FieldValueDuplicate: "FieldValueDuplicate",
};

function ruleOf(written: object, faults: string[]): Rule | undefined {
  const { rule, message, messageExpression, reason, fieldPath, optionalOldSelf } = written as Readonly<Record<string, unknown>>;
  if (typeof rule !== "string") return undefined;
  try {
    const evaluate = compile(rule);
    return {
      text: rule,
      message: typeof message === "string" ? message : "",
      messageExpression: typeof messageExpression === "string" ? compile(messageExpression) : undefined,
      type: types[String(reason)] ?? "FieldValueInvalid",
      fieldPath: typeof fieldPath === "string" ? fieldPath : "",
      isTransition: /\boldSelf\b/.test(rule) && optionalOldSelf !== true,
      evaluate,
    };
  } catch (error) {
    faults.push(`${JSON.stringify(rule)}: ${errorMessage(error).split("\n")[0]}`);
    return undefined;
  }
}

const variables: readonly string[] = ["self", "oldSelf"];

const compile = (text: string): Evaluate => compileCel(text, variables);

/** Errors of an object that fits its schema. `old` undefined: it is being created. */
export function validateRules(tree: RuleTree, value: unknown, old: unknown): readonly FieldError[] {
  const walk: Walk = { errors: [], left: maxEvaluations };
  const budget = newBudget();
  visit(tree, toCel(value, tree.schema, budget), old === undefined ? undefined : toCel(old, tree.schema, budget), "", walk);
  return walk.errors.slice(0, maxErrors);
}

interface Walk {
  readonly errors: FieldError[];
  left: number;
}

function visit(tree: RuleTree, value: unknown, old: unknown, path: string, walk: Walk): void {
  if (value === undefined || value === null) return;
  for (const rule of tree.rules) check(rule, value, old, path, walk);
  if (Array.isArray(value)) {
    if (tree.items === undefined) return;
    for (const [index, item] of value.entries()) visit(tree.items, item, correlated(item, old, tree.schema), `${path}[${index}]`, walk);
    return;
  }
  if (typeof value !== "object") return;
  const [now, before] = [value as Readonly<Record<string, unknown>>, old as Readonly<Record<string, unknown>> | undefined];
  const at = (key: string) => (path === "" ? key : `${path}.${key}`);
  for (const [name, child] of tree.properties) {
    const key = fieldName(name);
    if (Object.hasOwn(now, key)) visit(child, now[key], before?.[key], at(name), walk);
  }
  if (tree.values !== undefined) for (const [key, child] of Object.entries(now)) visit(tree.values, child, before?.[key], at(key), walk);
}

/** The item that this one was: told by its keys, where a list has any. */
function correlated(item: unknown, old: unknown, schema: JsonSchema): unknown {
  if (schema["x-kubernetes-list-type"] !== "map" || !Array.isArray(old)) return undefined;
  const keys = (schema["x-kubernetes-list-map-keys"] ?? []).map(fieldName);
  const own = item as Readonly<Record<string, unknown>>;
  return old.find((one: Readonly<Record<string, unknown>>) => keys.every((key) => one[key] === own[key]));
}

function check(rule: Rule, self: unknown, oldSelf: unknown, path: string, walk: Walk): void {
  if (rule.isTransition && oldSelf === undefined) return;
  if (walk.left-- <= 0) {
    if (walk.left === -1)
      walk.errors.push(invalid(path, shown(self), `the object has too many parts that rules apply to (more than ${maxEvaluations})`));
    return;
  }
  const context = { self, ...(oldSelf === undefined ? {} : { oldSelf }) };
  const problem = outcome(rule, context);
  if (problem === undefined) return;
  const field = `${path}${rule.fieldPath}`.replace(/^\./, "");
  if (rule.type === "FieldValueInvalid") walk.errors.push(invalid(field, shown(self), problem));
  else walk.errors.push({ type: rule.type, field, message: `${labels[rule.type] ?? "Invalid value"}: ${problem}` });
}

const labels: Readonly<Partial<Record<FieldError["type"], string>>> = {
  FieldValueForbidden: "Forbidden",
  FieldValueRequired: "Required value",
  FieldValueDuplicate: "Duplicate value",
};

/** Undefined: the rule holds. */
function outcome(rule: Rule, context: Readonly<Record<string, unknown>>): string | undefined {
  try {
    return rule.evaluate(context) === true ? undefined : messageOf(rule, context);
  } catch (error) {
    return `rule evaluation error: ${errorMessage(error).split("\n")[0]}: evaluating rule: ${rule.message || rule.text}`;
  }
}

function messageOf(rule: Rule, context: Readonly<Record<string, unknown>>): string {
  const fallback = rule.message === "" ? `failed rule: ${rule.text}` : rule.message;
  try {
    const text = rule.messageExpression?.(context);
    return typeof text === "string" && text.trim() !== "" ? text : fallback;
  } catch {
    // The rule failed all the same; upstream, too, falls back to the plain message.
    return fallback;
  }
}

function shown(value: unknown): unknown {
  if (Array.isArray(value)) return "array";
  if (typeof value === "bigint") return Number(value);
  return typeof value === "object" ? "object" : value;
}
