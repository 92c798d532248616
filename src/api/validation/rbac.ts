/** Roles and bindings (`pkg/apis/rbac/validation/validation.go`). */
import { equalSemantics } from "../equality.ts";
import { invalid, notSupported, required, type FieldError } from "../field-error.ts";
import { dns1123Subdomain, pathSegment } from "../names.ts";
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject } from "../types.ts";
import { validateSelectorField } from "./selector.ts";
import { validateText } from "./values.ts";

export const rbacGroup = "rbac.authorization.k8s.io";

export function validateRole({ rules = [] }: Role): FieldError[] {
  return rules.flatMap((rule, index) => validateRule(rule, true, `rules[${index}]`));
}

export function validateClusterRole({ rules = [], aggregationRule }: ClusterRole): FieldError[] {
  const path = "aggregationRule.clusterRoleSelectors";
  const selectors = aggregationRule?.clusterRoleSelectors ?? [];
  return [
    ...rules.flatMap((rule, index) => validateRule(rule, false, `rules[${index}]`)),
    ...(aggregationRule !== undefined && selectors.length === 0
      ? [required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil")]
      : []),
    ...selectors.flatMap((selector, index) => validateSelectorField(selector, `${path}[${index}]`)),
  ];
}

function validateRule(rule: PolicyRule, namespaced: boolean, path: string): FieldError[] {
  const { verbs = [], apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule;
  const errors = verbs.length === 0 ? [required(`${path}.verbs`, "verbs must contain at least one value")] : [];
  if (nonResourceURLs.length > 0) {
    const field = `${path}.nonResourceURLs`;
    if (namespaced) errors.push(invalid(field, nonResourceURLs, "namespaced rules cannot apply to non-resource URLs"));
    if (apiGroups.length + resources.length + resourceNames.length > 0) {
      errors.push(invalid(field, nonResourceURLs, "rules cannot apply to both regular resources and non-resource URLs"));
    }
    return errors;
  }
  if (apiGroups.length === 0) errors.push(required(`${path}.apiGroups`, "resource rules must supply at least one api group"));
  if (resources.length === 0) errors.push(required(`${path}.resources`, "resource rules must supply at least one resource"));
  return errors;
}

/** `namespaced`: a RoleBinding, which may give a Role as well and whose accounts are of its own namespace if they do not say. */
export function validateRoleBinding(
  { roleRef, subjects = [] }: RoleBinding | ClusterRoleBinding,
  old: RoleBinding | ClusterRoleBinding | undefined,
  namespaced: boolean,
): FieldError[] {
  return [
    ...validateRoleRef(roleRef ?? { kind: "", name: "" }, namespaced ? ["Role", "ClusterRole"] : ["ClusterRole"]),
    ...subjects.flatMap((subject, index) => validateSubject(subject, namespaced, `subjects[${index}]`)),
    ...(old === undefined || equalSemantics(roleRef, old.roleRef) ? [] : [invalid("roleRef", roleRef, "cannot change roleRef")]),
  ];
}

function validateRoleRef({ apiGroup = "", kind = "", name = "" }: RoleRef, kinds: readonly string[]): FieldError[] {
  return [
    ...(apiGroup === rbacGroup ? [] : [notSupported("roleRef.apiGroup", apiGroup, [rbacGroup])]),
    ...(kinds.includes(kind) ? [] : [notSupported("roleRef.kind", kind, kinds, "as given")]),
    ...(name === "" ? [required("roleRef.name")] : validateText("roleRef.name", name, pathSegment)),
  ];
}

function validateSubject(subject: Subject, namespaced: boolean, path: string): FieldError[] {
  const { kind = "", name = "", namespace = "", apiGroup = "" } = subject;
  const errors = name === "" ? [required(`${path}.name`)] : [];
  switch (kind) {
    case "ServiceAccount":
      return [
        ...errors,
        ...(name === "" ? [] : validateText(`${path}.name`, name, dns1123Subdomain)),
        ...(apiGroup === "" ? [] : [notSupported(`${path}.apiGroup`, apiGroup, [""])]),
        ...(namespaced || namespace !== "" ? [] : [required(`${path}.namespace`)]),
      ];
    case "User":
    case "Group":
      return apiGroup === rbacGroup ? errors : [...errors, notSupported(`${path}.apiGroup`, apiGroup, [rbacGroup])];
    default:
      return [...errors, notSupported(`${path}.kind`, kind, ["ServiceAccount", "User", "Group"], "as given")];
  }
}
