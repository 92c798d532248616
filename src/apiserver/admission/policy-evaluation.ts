/**
 * What a ValidatingAdmissionPolicy says of a request (KEP-3488, apiserver `pkg/admission/plugin/policy/validating`). Pure: params and
 * namespace are looked up before.
 */
import type { KubeObject } from "../../api/object.ts";
import type { ValidatingAdmissionPolicy, Validation } from "../../api/types.ts";
import { policyVariables } from "../../api/validation/admission-registration.ts";
import { celFault } from "../../api/cel/environment.ts";
import { celContext, conditionsHold, expression, type CelContext } from "./expressions.ts";

export interface PolicyInput {
  readonly policy: ValidatingAdmissionPolicy;
  /** As `reviewRequest` makes it. */
  readonly request: Readonly<Record<string, unknown>>;
  readonly params: KubeObject | undefined;
  readonly namespace: KubeObject | undefined;
}

export interface PolicyFailure {
  readonly message: string;
  /** A `metav1.StatusReason`. */
  readonly reason: string;
}

/** Empty: the request is fine, or none of the policy's business. */
export function evaluatePolicy({ policy, request, params, namespace }: PolicyInput): readonly PolicyFailure[] {
  const { spec = {} } = policy;
  const { object, oldObject, ...rest } = request;
  const context = celContext({ object, oldObject, request: rest, params, namespaceObject: namespace });
  context["variables"] = variablesOf(spec.variables ?? [], context);
  const strict = spec.failurePolicy !== "Ignore";
  const conditions = conditionsHold(spec.matchConditions ?? [], policyVariables, context);
  if (conditions.kind === "no") return [];
  if (conditions.kind === "error") return strict ? [{ message: conditions.message, reason: "Invalid" }] : [];
  return (spec.validations ?? []).flatMap((validation) => checked(validation, context, strict) ?? []);
}

/** Each is evaluated when it is first asked for, and may ask for those before it. */
function variablesOf(variables: readonly { readonly name?: string; readonly expression?: string }[], context: CelContext): object {
  const values: Record<string, unknown> = {};
  for (const { name = "", expression: text = "" } of variables) {
    let known: { readonly value: unknown } | undefined;
    Object.defineProperty(values, name, {
      enumerable: true,
      get: () => (known ??= { value: expression(text, policyVariables)(context) }).value,
    });
  }
  return values;
}

function checked({ expression: text, message, messageExpression, reason = "Invalid" }: Validation, context: CelContext, strict: boolean) {
  try {
    if (expression(text, policyVariables)(context) === true) return undefined;
    return { message: messageOf(messageExpression, context) ?? message?.trim() ?? `failed expression: ${text.trim()}`, reason };
  } catch (error) {
    return strict ? { message: `expression '${text.trim()}' resulted in error: ${celFault(error)}`, reason: "Invalid" } : undefined;
  }
}

/** Upstream, too, falls back to the plain message when this one cannot be had. */
function messageOf(text: string | undefined, context: CelContext): string | undefined {
  if (text === undefined || text === "") return undefined;
  try {
    const value = expression(text, policyVariables)(context);
    return typeof value === "string" && value.trim() !== "" && !value.includes("\n") ? value.trim() : undefined;
  } catch {
    return undefined;
  }
}
