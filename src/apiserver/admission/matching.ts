/** Whether a webhook or policy is about a request (apiserver `pkg/admission/plugin/webhook/{rules,predicates}`). Pure. */
import type { KubeObject } from "../../api/object.ts";
import { matchesLabels, selectorOf, selectsEverything } from "../../api/selectors.ts";
import type { LabelSelector, NamedRuleWithOperations, RuleWithOperations } from "../../api/types.ts";
import type { AdmissionRequest } from "./admission.ts";

const admissionGroup = "admissionregistration.k8s.io";

/** What guards everything must not guard itself: a broken one could never be taken away. */
export const isExempt = ({ kind }: Pick<AdmissionRequest, "kind">): boolean => kind.resource.group === admissionGroup;

const has = (values: readonly string[] | undefined, wanted: string): boolean =>
  values?.some((value) => value === "*" || value === wanted) ?? false;

/**
 * `equivalent`: the rule may name another version of the same resource; here all versions of a resource are one. A rule without a scope
 * is for both.
 */
export function matchesRule(rule: RuleWithOperations | NamedRuleWithOperations, request: AdmissionRequest, equivalent: boolean): boolean {
  const { group, version, namespaced } = request.kind.resource;
  const names = (rule as NamedRuleWithOperations).resourceNames ?? [];
  return (
    has(rule.operations, request.operation) &&
    has(rule.apiGroups, group) &&
    (equivalent || has(rule.apiVersions, version)) &&
    matchesResource(rule.resources ?? [], request) &&
    (rule.scope === undefined || rule.scope === "*" || (rule.scope === "Namespaced") === namespaced) &&
    (names.length === 0 || names.includes(request.name))
  );
}

/** `pods`, `pods/status`, `*`, `*` with a subresource behind it, `pods/*`; a bare star is for no subresource. */
function matchesResource(resources: readonly string[], { kind, subresource }: AdmissionRequest): boolean {
  return resources.some((text) => {
    const [plural, part] = text.split("/", 2);
    if (plural !== "*" && plural !== kind.resource.plural) return false;
    return part === undefined ? subresource === undefined : part === "*" || part === (subresource ?? "");
  });
}

export interface Selectors {
  readonly namespaceSelector?: LabelSelector | undefined;
  readonly objectSelector?: LabelSelector | undefined;
}

/** `namespaceLabels` undefined: the namespace is not there. Of an update one of the two states is enough for the object's selector. */
export function matchesSelectors(
  { namespaceSelector = {}, objectSelector = {} }: Selectors,
  request: AdmissionRequest,
  namespaceLabels: Readonly<Record<string, string>> | undefined,
): boolean {
  const [places, objects] = [selectorOf(namespaceSelector), selectorOf(objectSelector)];
  if (!selectsEverything(places)) {
    const isNamespace = request.kind.resource.plural === "namespaces" && request.kind.resource.group === "";
    const labels = isNamespace ? labelsOf(request.object ?? request.old) : namespaceLabels;
    if ((request.kind.resource.namespaced || isNamespace) && !matchesLabels(places, labels ?? {})) return false;
  }
  if (selectsEverything(objects)) return true;
  return [request.object, request.old].some((state) => state !== undefined && matchesLabels(objects, labelsOf(state as KubeObject)));
}

const labelsOf = (object: object | undefined): Readonly<Record<string, string>> =>
  (object as KubeObject | undefined)?.metadata.labels ?? {};
