/** ValidatingAdmissionPolicy: rules in CEL that an administrator has put up, by bindings, for all or some of the cluster. */
import type { KubeObject } from "../../api/object.ts";
import { keyOf } from "../../api/object.ts";
import type { KindSpec } from "../../api/kind.ts";
import { apiVersionOf, namespaces, validatingAdmissionPolicies, validatingAdmissionPolicyBindings } from "../../api/resources.ts";
import { matchesLabels, selectorOf } from "../../api/selectors.ts";
import { forbiddenError, StatusError } from "../../api/status.ts";
import type { MatchResources, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding } from "../../api/types.ts";
import type { Store } from "../store.ts";
import type { AdmissionPlugin, AdmissionRequest } from "./admission.ts";
import { isExempt, matchesRule, matchesSelectors } from "./matching.ts";
import { evaluatePolicy, type PolicyFailure } from "./policy-evaluation.ts";
import { reviewRequest } from "./review-request.ts";

export interface PoliciesOptions {
  readonly store: Pick<Store, "resource">;
  /** Every kind that is served: parameters may be of any. */
  readonly kinds: () => readonly KindSpec[];
}

interface Bound {
  readonly policy: ValidatingAdmissionPolicy;
  readonly binding: ValidatingAdmissionPolicyBinding;
}

export function validatingPolicies(options: PoliciesOptions): AdmissionPlugin {
  const { store } = options;
  const [policies, bindings] = [store.resource(validatingAdmissionPolicies), store.resource(validatingAdmissionPolicyBindings)];
  let known = { policies: -1, bindings: -1 };
  let bound: readonly Bound[] = [];
  const current = (): readonly Bound[] => {
    if (known.policies !== policies.changed || known.bindings !== bindings.changed) {
      known = { policies: policies.changed, bindings: bindings.changed };
      bound = bindings.items().flatMap((item) => {
        const binding = item.object() as ValidatingAdmissionPolicyBinding;
        const policy = policies.get(binding.spec?.policyName ?? "")?.object() as ValidatingAdmissionPolicy | undefined;
        return policy === undefined ? [] : [{ policy, binding }];
      });
    }
    return bound;
  };
  return {
    name: "ValidatingAdmissionPolicy",
    validate(request) {
      const all = current();
      if (all.length === 0 || isExempt(request)) return;
      const namespace = namespaceOf(store, request);
      const about = all.filter(({ policy, binding }) => isAbout(policy, binding, request, namespace?.metadata.labels));
      if (about.length === 0) return;
      const review = reviewRequest(request, "");
      for (const one of about) judge(one, request, review, namespace, options);
    },
  };
}

function namespaceOf(store: Pick<Store, "resource">, { namespace }: AdmissionRequest): KubeObject | undefined {
  return namespace === undefined ? undefined : store.resource(namespaces).get(namespace)?.object();
}

type Labels = Readonly<Record<string, string>> | undefined;

function isAbout(
  policy: ValidatingAdmissionPolicy,
  binding: ValidatingAdmissionPolicyBinding,
  request: AdmissionRequest,
  labels: Labels,
): boolean {
  const { matchConstraints } = policy.spec ?? {};
  if (matchConstraints === undefined || !matches(matchConstraints, request, labels)) return false;
  const { matchResources } = binding.spec ?? {};
  return matchResources === undefined || matches(matchResources, request, labels);
}

/** A binding without rules takes those of its policy. */
function matches(match: MatchResources, request: AdmissionRequest, labels: Labels): boolean {
  const equivalent = match.matchPolicy !== "Exact";
  if (match.excludeResourceRules?.some((rule) => matchesRule(rule, request, equivalent)) === true) return false;
  const { resourceRules = [] } = match;
  if (resourceRules.length > 0 && !resourceRules.some((rule) => matchesRule(rule, request, equivalent))) return false;
  return matchesSelectors(match, request, labels);
}

function judge(
  { policy, binding }: Bound,
  request: AdmissionRequest,
  review: Readonly<Record<string, unknown>>,
  namespace: KubeObject | undefined,
  options: PoliciesOptions,
): void {
  const params = paramsOf(policy, binding, request, options);
  const failures =
    params.kind === "missing"
      ? [{ message: params.message, reason: "Invalid" }]
      : params.all.flatMap((one) => evaluatePolicy({ policy, request: review, params: one, namespace }));
  const [names, actions] = [`'${policy.metadata.name}' with binding '${binding.metadata.name}'`, binding.spec?.validationActions ?? []];
  for (const failure of failures) {
    if (actions.includes("Deny"))
      throw denied(request, { ...failure, message: `ValidatingAdmissionPolicy ${names} denied request: ${failure.message}` });
    if (actions.includes("Warn")) request.warn(`Validation failed for ValidatingAdmissionPolicy ${names}: ${failure.message}`);
  }
}

const codes: Readonly<Record<string, number>> = { Unauthorized: 401, Forbidden: 403, RequestEntityTooLarge: 413, Invalid: 422 };

function denied({ kind, name }: AdmissionRequest, { message, reason }: PolicyFailure): StatusError {
  const { status } = forbiddenError(kind.resource, name, message);
  return new StatusError({ ...status, reason, code: codes[reason] ?? 422, details: { ...status.details, causes: [{ message }] } });
}

type Params =
  | { readonly kind: "found"; readonly all: readonly (KubeObject | undefined)[] }
  | { readonly kind: "missing"; readonly message: string };

/** Of a namespaced kind those of the request's namespace, unless the binding names one. */
function paramsOf(
  { spec }: ValidatingAdmissionPolicy,
  { spec: bound }: ValidatingAdmissionPolicyBinding,
  request: AdmissionRequest,
  { store, kinds }: PoliciesOptions,
): Params {
  const { paramKind } = spec ?? {};
  const ref = bound?.paramRef;
  if (paramKind === undefined || ref === undefined) return { kind: "found", all: [undefined] };
  const kind = kinds().find(({ resource }) => apiVersionOf(resource) === paramKind.apiVersion && resource.kind === paramKind.kind);
  if (kind === undefined)
    return {
      kind: "missing",
      message: `failed to find resource referenced by paramKind: '${paramKind.apiVersion}, Kind=${paramKind.kind}'`,
    };
  const stored = store.resource(kind.resource);
  const namespace = kind.resource.namespaced ? (ref.namespace ?? request.namespace ?? "") : undefined;
  const selector = ref.selector === undefined ? undefined : selectorOf(ref.selector);
  const all =
    selector === undefined
      ? [stored.get(keyOf(namespace, ref.name ?? ""))?.object()].filter((one) => one !== undefined)
      : stored
          .items(namespace)
          .map((item) => item.object())
          .filter(({ metadata }) => matchesLabels(selector, metadata.labels ?? {}));
  if (all.length > 0) return { kind: "found", all };
  if (ref.parameterNotFoundAction === "Allow") return { kind: "found", all: [] };
  return {
    kind: "missing",
    message: "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction",
  };
}
