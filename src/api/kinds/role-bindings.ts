/** RoleBindings and ClusterRoleBindings (rbac.authorization.k8s.io/v1): who may do it. */
import type { Column } from "../kind.ts";
import type { Draft } from "../object.ts";
import { clusterRoleBindings, roleBindings } from "../resources.ts";
import type { ClusterRoleBinding, RoleBinding, Subject } from "../types.ts";
import { rbacGroup, validateRoleBinding } from "../validation/rbac.ts";
import { ageColumn, defineKind, nameColumn, text, wide } from "./define.ts";

type Binding = RoleBinding | ClusterRoleBinding;

function applyDefaults(binding: Draft<Binding>): void {
  if (binding.roleRef !== undefined) binding.roleRef.apiGroup ||= rbacGroup;
  for (const subject of binding.subjects ?? []) {
    if (subject.kind === "User" || subject.kind === "Group") subject.apiGroup ||= rbacGroup;
  }
}

const subjectsColumn = (name: string, kind: string, described: string, show: (subject: Subject) => string): Column<Binding> =>
  wide(
    text(name, described, ({ subjects = [] }) =>
      subjects
        .filter((subject) => subject.kind === kind)
        .map(show)
        .join(", "),
    ),
  );

const columns: readonly Column<Binding>[] = [
  nameColumn as Column<Binding>,
  text("Role", "The role that is given.", ({ roleRef }) => `${roleRef.kind}/${roleRef.name}`),
  ageColumn as Column<Binding>,
  subjectsColumn("Users", "User", "Users that have it.", ({ name }) => name),
  subjectsColumn("Groups", "Group", "Groups that have it.", ({ name }) => name),
  subjectsColumn("ServiceAccounts", "ServiceAccount", "Accounts of pods that have it.", ({ namespace, name }) =>
    [namespace, name].filter(Boolean).join("/"),
  ),
];

export const roleBindingKind = defineKind<RoleBinding>({
  resource: roleBindings,
  definition: "RoleBinding",
  singular: "rolebinding",
  shortNames: [],
  categories: [],
  subresources: [],
  nameRule: "pathSegment",
  createOnUpdate: true,
  applyDefaults,
  validate: (binding, old) => validateRoleBinding(binding, old, true),
  columns,
});

export const clusterRoleBindingKind = defineKind<ClusterRoleBinding>({
  resource: clusterRoleBindings,
  definition: "ClusterRoleBinding",
  singular: "clusterrolebinding",
  shortNames: [],
  categories: [],
  subresources: [],
  nameRule: "pathSegment",
  createOnUpdate: true,
  applyDefaults,
  validate: (binding, old) => validateRoleBinding(binding, old, false),
  columns,
});
