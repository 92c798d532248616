/** Webhooks and policies of admission (`pkg/apis/admissionregistration/validation/validation.go`). */
import { celFault, compileCel } from "../cel/environment.ts";
import { invalid, notSupported, required, tooMany, type FieldError } from "../field-error.ts";
import { dns1123Label, dns1123Subdomain, fullyQualifiedName, qualifiedName } from "../names.ts";
import type {
  AdmissionregistrationWebhookClientConfig,
  MatchCondition,
  MatchResources,
  MutatingWebhook,
  MutatingWebhookConfiguration,
  RuleWithOperations,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhook,
  ValidatingWebhookConfiguration,
} from "../types.ts";
import { validateSelectorField } from "./selector.ts";
import { validateText } from "./values.ts";

type Webhook = ValidatingWebhook | MutatingWebhook;

const operations: readonly string[] = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
const failurePolicies: readonly string[] = ["Fail", "Ignore"];
const matchPolicies: readonly string[] = ["Equivalent", "Exact"];

/** Of an expression over a request: what a policy's or a webhook's conditions see. */
export const requestVariables: readonly string[] = ["object", "oldObject", "request", "authorizer"];
export const policyVariables: readonly string[] = [...requestVariables, "params", "namespaceObject", "variables"];

export function validateWebhooks({ webhooks = [] }: ValidatingWebhookConfiguration | MutatingWebhookConfiguration): FieldError[] {
  const names = new Set<string>();
  return (webhooks as readonly Webhook[]).flatMap((webhook, index) => {
    const path = `webhooks[${index}]`;
    const twice = names.has(webhook.name) ? [duplicateName(`${path}.name`, webhook.name)] : [];
    names.add(webhook.name);
    return [...twice, ...validateWebhook(webhook, path)];
  });
}

const duplicateName = (field: string, name: string): FieldError => ({
  type: "FieldValueDuplicate",
  field,
  message: `Duplicate value: ${JSON.stringify(name)}`,
});

function validateWebhook(webhook: Webhook, path: string): FieldError[] {
  const { name = "", rules = [], sideEffects, timeoutSeconds, admissionReviewVersions = [] } = webhook;
  const reinvocation = (webhook as MutatingWebhook).reinvocationPolicy;
  return [
    ...fullyQualifiedName(name).map((fault) => (name === "" ? required(`${path}.name`) : invalid(`${path}.name`, name, fault))),
    ...(admissionReviewVersions.length === 0
      ? [required(`${path}.admissionReviewVersions`, "must specify one of v1, v1beta1")]
      : admissionReviewVersions.some((version) => version === "v1" || version === "v1beta1")
        ? []
        : [invalid(`${path}.admissionReviewVersions`, admissionReviewVersions, "must include at least one of v1, v1beta1")]),
    ...rules.flatMap((rule, index) => validateRule(rule, `${path}.rules[${index}]`)),
    ...oneOf(`${path}.failurePolicy`, webhook.failurePolicy, failurePolicies),
    ...oneOf(`${path}.matchPolicy`, webhook.matchPolicy, matchPolicies),
    ...(sideEffects === undefined || sideEffects === ""
      ? [required(`${path}.sideEffects`, "must specify one of None, NoneOnDryRun")]
      : oneOf(`${path}.sideEffects`, sideEffects, ["None", "NoneOnDryRun"])),
    ...(timeoutSeconds !== undefined && (timeoutSeconds < 1 || timeoutSeconds > 30)
      ? [invalid(`${path}.timeoutSeconds`, timeoutSeconds, "the timeout value must be between 1 and 30 seconds")]
      : []),
    ...(webhook.namespaceSelector === undefined ? [] : validateSelectorField(webhook.namespaceSelector, `${path}.namespaceSelector`)),
    ...(webhook.objectSelector === undefined ? [] : validateSelectorField(webhook.objectSelector, `${path}.objectSelector`)),
    ...validateClientConfig(webhook.clientConfig ?? {}, `${path}.clientConfig`),
    ...oneOf(`${path}.reinvocationPolicy`, reinvocation, ["IfNeeded", "Never"]),
    ...validateConditions(webhook.matchConditions ?? [], requestVariables, `${path}.matchConditions`),
  ];
}

const oneOf = (path: string, value: string | undefined, supported: readonly string[]): FieldError[] =>
  value === undefined || supported.includes(value) ? [] : [notSupported(path, value, supported)];

function validateClientConfig({ url, service }: AdmissionregistrationWebhookClientConfig, path: string): FieldError[] {
  if ((url === undefined) === (service === undefined)) return [required(path, "exactly one of url or service is required")];
  if (service !== undefined) {
    const { name = "", namespace = "", path: servicePath, port = 443 } = service;
    return [
      ...(name === "" ? [required(`${path}.service.name`, "service name is required")] : []),
      ...(namespace === "" ? [required(`${path}.service.namespace`, "service namespace is required")] : []),
      ...(servicePath !== undefined && !servicePath.startsWith("/")
        ? [invalid(`${path}.service.path`, servicePath, "must start with a '/'")]
        : []),
      ...(port < 1 || port > 65535
        ? [invalid(`${path}.service.port`, port, "port is not valid: must be between 1 and 65535, inclusive")]
        : []),
    ];
  }
  return validateUrl(url as string, `${path}.url`);
}

function validateUrl(url: string, path: string): FieldError[] {
  const form = "; desired format: https://host[/path]";
  if (!URL.canParse(url)) return [required(path, `url must be a valid URL: cannot be parsed${form}`)];
  const { protocol, hostname, username, search, hash } = new URL(url);
  return [
    ...(protocol === "https:" ? [] : [invalid(path, protocol.slice(0, -1), `'https' is the only allowed URL scheme${form}`)]),
    ...(hostname === "" ? [invalid(path, "", `host must be specified${form}`)] : []),
    ...(username === "" ? [] : [invalid(path, username, "user information is not permitted in the URL")]),
    ...(hash === "" ? [] : [invalid(path, hash.slice(1), "fragments are not permitted in the URL")]),
    ...(search === "" ? [] : [invalid(path, search.slice(1), "query parameters are not permitted in the URL")]),
  ];
}

function validateRule(rule: RuleWithOperations, path: string): FieldError[] {
  const { operations: given = [], apiGroups = [], apiVersions = [], resources = [], scope } = rule;
  const withStar = (values: readonly string[], field: string): FieldError[] => [
    ...(values.length === 0 ? [required(`${path}.${field}`)] : []),
    ...(values.length > 1 && values.includes("*")
      ? [invalid(`${path}.${field}`, values, "if '*' is present, must not specify other values")]
      : []),
  ];
  return [
    ...withStar(apiGroups, "apiGroups"),
    ...withStar(apiVersions, "apiVersions"),
    ...apiVersions.flatMap((version, index) => (version === "" ? [required(`${path}.apiVersions[${index}]`)] : [])),
    ...(resources.length === 0 ? [required(`${path}.resources`)] : []),
    ...resources.flatMap((resource, index) => (resource === "" ? [required(`${path}.resources[${index}]`)] : [])),
    ...oneOf(`${path}.scope`, scope, ["*", "Cluster", "Namespaced"]),
    ...withStar(given, "operations"),
    ...given.flatMap((operation, index) =>
      operations.includes(operation) ? [] : [notSupported(`${path}.operations[${index}]`, operation, operations)],
    ),
  ];
}

function validateConditions(conditions: readonly MatchCondition[], variables: readonly string[], path: string): FieldError[] {
  const names = new Set<string>();
  return [
    ...(conditions.length > 64 ? [tooMany(path, conditions.length, 64)] : []),
    ...conditions.flatMap(({ name = "", expression = "" }, index) => {
      const at = `${path}[${index}]`;
      const twice = names.has(name) ? [duplicateName(`${at}.name`, name)] : [];
      names.add(name);
      return [
        ...(name === "" ? [required(`${at}.name`)] : [...validateText(`${at}.name`, name, qualifiedName), ...twice]),
        ...validateExpression(expression, variables, `${at}.expression`),
      ];
    }),
  ];
}

/** Known by a dry compilation: a policy that cannot be read must not look as if it guarded anything. */
function validateExpression(expression: string, variables: readonly string[], path: string): FieldError[] {
  if (expression.trim() === "") return [required(path)];
  try {
    compileCel(expression, variables);
    return [];
  } catch (error) {
    return [invalid(path, expression, `compilation failed: ${celFault(error)}`)];
  }
}

export function validatePolicy({ spec }: ValidatingAdmissionPolicy): FieldError[] {
  const { validations = [], auditAnnotations = [], variables = [], paramKind, matchConstraints } = spec ?? {};
  const both = "validations or auditAnnotations must contain at least one item";
  return [
    ...oneOf("spec.failurePolicy", spec?.failurePolicy, failurePolicies),
    ...(paramKind === undefined
      ? []
      : [
          ...((paramKind.apiVersion ?? "") === "" ? [required("spec.paramKind.apiVersion")] : []),
          ...((paramKind.kind ?? "") === "" ? [required("spec.paramKind.kind")] : []),
        ]),
    ...(matchConstraints === undefined
      ? [required("spec.matchConstraints")]
      : [
          ...validateMatch(matchConstraints, "spec.matchConstraints"),
          ...((matchConstraints.resourceRules ?? []).length === 0 ? [required("spec.matchConstraints.resourceRules")] : []),
        ]),
    ...validateConditions(spec?.matchConditions ?? [], policyVariables, "spec.matchConditions"),
    ...variables.flatMap(({ name = "", expression = "" }, index) => [
      ...(/^[A-Za-z_]\w*$/.test(name) ? [] : [invalid(`spec.variables[${index}].name`, name, "name is not a valid CEL identifier")]),
      ...validateExpression(expression, policyVariables, `spec.variables[${index}].expression`),
    ]),
    ...(validations.length + auditAnnotations.length === 0
      ? [required("spec.validations", both), required("spec.auditAnnotations", both)]
      : []),
    ...validations.flatMap(({ expression = "", message, messageExpression, reason }, index) => {
      const path = `spec.validations[${index}]`;
      return [
        ...validateExpression(expression, policyVariables, `${path}.expression`),
        ...(message !== undefined && /[\r\n]/.test(message)
          ? [invalid(`${path}.message`, message, "message must not contain line breaks")]
          : []),
        ...(messageExpression === undefined ? [] : validateExpression(messageExpression, policyVariables, `${path}.messageExpression`)),
        ...oneOf(`${path}.reason`, reason, ["Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"]),
      ];
    }),
    ...auditAnnotations.flatMap(({ key = "", valueExpression = "" }, index) => [
      ...(key === "" ? [required(`spec.auditAnnotations[${index}].key`)] : []),
      ...validateExpression(valueExpression, policyVariables, `spec.auditAnnotations[${index}].valueExpression`),
    ]),
  ];
}

function validateMatch(match: MatchResources, path: string): FieldError[] {
  return [
    ...oneOf(`${path}.matchPolicy`, match.matchPolicy, matchPolicies),
    ...(match.namespaceSelector === undefined ? [] : validateSelectorField(match.namespaceSelector, `${path}.namespaceSelector`)),
    ...(match.objectSelector === undefined ? [] : validateSelectorField(match.objectSelector, `${path}.objectSelector`)),
    ...(match.resourceRules ?? []).flatMap((rule, index) => validateRule(rule as RuleWithOperations, `${path}.resourceRules[${index}]`)),
    ...(match.excludeResourceRules ?? []).flatMap((rule, index) =>
      validateRule(rule as RuleWithOperations, `${path}.excludeResourceRules[${index}]`),
    ),
  ];
}

const actions: readonly string[] = ["Audit", "Deny", "Warn"];

export function validatePolicyBinding({ spec }: ValidatingAdmissionPolicyBinding): FieldError[] {
  const { policyName = "", validationActions = [], paramRef, matchResources } = spec ?? {};
  const path = "spec.validationActions";
  const ref = "spec.paramRef";
  return [
    ...(policyName === "" ? [required("spec.policyName")] : validateText("spec.policyName", policyName, dns1123Subdomain)),
    ...(paramRef === undefined
      ? []
      : [
          ...((paramRef.name ?? "") === "" && paramRef.selector === undefined
            ? [required(ref, "one of name or selector must be specified")]
            : []),
          ...((paramRef.name ?? "") !== "" && paramRef.selector !== undefined
            ? [invalid(`${ref}.name`, paramRef.name, "name and selector are mutually exclusive")]
            : []),
          ...((paramRef.namespace ?? "") === "" ? [] : validateText(`${ref}.namespace`, paramRef.namespace, dns1123Label)),
          ...(paramRef.parameterNotFoundAction === undefined
            ? [required(`${ref}.parameterNotFoundAction`)]
            : oneOf(`${ref}.parameterNotFoundAction`, paramRef.parameterNotFoundAction, ["Deny", "Allow"])),
        ]),
    ...(matchResources === undefined ? [] : validateMatch(matchResources, "spec.matchResouces")),
    ...(validationActions.length === 0 ? [required(path, "at least one validation action is required")] : []),
    ...validationActions.flatMap((action, index) => (actions.includes(action) ? [] : [notSupported(`${path}[${index}]`, action, actions)])),
    ...(validationActions.includes("Deny") && validationActions.includes("Warn")
      ? [
          invalid(
            path,
            validationActions,
            "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)",
          ),
        ]
      : []),
  ];
}
