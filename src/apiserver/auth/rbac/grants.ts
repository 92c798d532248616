/** Who has which rules: roles and bindings, turned around so that a request looks only at what its user and groups are given. Pure. */
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject } from "../../../api/types.ts";
import { matchesLabels, selectorOf } from "../../../api/selectors.ts";
import type { UserInfo } from "../../../api/request.ts";

export interface RbacObjects {
  readonly roles: readonly Role[];
  readonly clusterRoles: readonly ClusterRole[];
  readonly roleBindings: readonly RoleBinding[];
  readonly clusterRoleBindings: readonly ClusterRoleBinding[];
}

export interface Grant {
  readonly rules: readonly PolicyRule[];
  /** `ClusterRoleBinding "x" of ClusterRole "y" to Group "z"` */
  readonly source: string;
}

export interface Grants {
  /** Those of the whole cluster, then those of the namespace if there is one. */
  of(user: UserInfo, namespace: string | undefined): readonly Grant[];
  /** Undefined: there is no such role. `namespace` undefined: a ClusterRole. */
  rulesOf(namespace: string | undefined, role: string): readonly PolicyRule[] | undefined;
}

type Table = Map<string, Grant[]>;

export function grantsOf(objects: RbacObjects): Grants {
  const clusterRules = new Map(objects.clusterRoles.map((role) => [role.metadata?.name ?? "", clusterRulesOf(role, objects.clusterRoles)]));
  const rules = new Map(objects.roles.map((role) => [`${role.metadata?.namespace}/${role.metadata?.name}`, role.rules ?? []]));
  const rulesOf = (namespace: string | undefined, role: string) =>
    namespace === undefined ? clusterRules.get(role) : rules.get(`${namespace}/${role}`);
  const table: Table = new Map();
  for (const binding of objects.clusterRoleBindings)
    enter(table, "", "ClusterRoleBinding", binding, clusterRules.get(binding.roleRef.name));
  for (const binding of objects.roleBindings) {
    const namespace = binding.metadata?.namespace ?? "";
    const found = rulesOf(binding.roleRef.kind === "Role" ? namespace : undefined, binding.roleRef.name);
    enter(table, namespace, "RoleBinding", binding, found);
  }
  const given = (scope: string, { name, groups }: UserInfo) =>
    [`${scope}|User|${name}`, ...groups.map((group) => `${scope}|Group|${group}`)].flatMap((key) => table.get(key) ?? []);
  return {
    of: (user, namespace) => [...given("", user), ...(namespace === undefined || namespace === "" ? [] : given(namespace, user))],
    rulesOf,
  };
}

/** A binding to a role that is not there gives nothing. */
function enter(
  table: Table,
  scope: string,
  kind: string,
  { metadata, roleRef, subjects = [] }: RoleBinding | ClusterRoleBinding,
  rules: readonly PolicyRule[] | undefined,
): void {
  if (rules === undefined) return;
  for (const subject of subjects) {
    const key = `${scope}|${subjectKey(subject, scope)}`;
    const where = scope === "" ? (metadata?.name ?? "") : `${metadata?.name}/${scope}`;
    const to = subject.kind === "ServiceAccount" ? `${subject.name}/${subject.namespace || scope}` : subject.name;
    const source = `${kind} ${JSON.stringify(where)} of ${roleRef.kind} ${JSON.stringify(roleRef.name)} to ${subject.kind} ${JSON.stringify(to)}`;
    const grants = table.get(key);
    if (grants === undefined) table.set(key, [{ rules, source }]);
    else grants.push({ rules, source });
  }
}

function subjectKey({ kind, name, namespace }: Subject, scope: string): string {
  return kind === "ServiceAccount" ? `User|system:serviceaccount:${namespace || scope}:${name}` : `${kind}|${name}`;
}

/** An aggregated role has the rules of all that its selectors select (KEP `clusterrole aggregation`), beside those written into it. */
function clusterRulesOf(role: ClusterRole, every: readonly ClusterRole[]): readonly PolicyRule[] {
  const selectors = role.aggregationRule?.clusterRoleSelectors ?? [];
  if (selectors.length === 0) return role.rules ?? [];
  const parsed = selectors.map(selectorOf);
  const parts = every.filter((one) => one !== role && parsed.some((selector) => matchesLabels(selector, one.metadata?.labels ?? {})));
  return parts.flatMap(({ rules }) => rules ?? []);
}
