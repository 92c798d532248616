/** Roles and ClusterRoles (rbac.authorization.k8s.io/v1): what may be done. */
import type { KubeObject } from "../object.ts";
import { clusterRoles, roles } from "../resources.ts";
import type { ClusterRole, Role } from "../types.ts";
import { validateClusterRole, validateRole } from "../validation/rbac.ts";
import { defineKind, nameColumn, text } from "./define.ts";

const createdColumn = text<KubeObject>("Created At", "When it was created.", ({ metadata }) => metadata.creationTimestamp ?? "");

export const roleKind = defineKind<Role>({
  resource: roles,
  definition: "Role",
  singular: "role",
  shortNames: [],
  categories: [],
  subresources: [],
  nameRule: "pathSegment",
  createOnUpdate: true,
  validate: validateRole,
  columns: [nameColumn, createdColumn],
});

export const clusterRoleKind = defineKind<ClusterRole>({
  resource: clusterRoles,
  definition: "ClusterRole",
  singular: "clusterrole",
  shortNames: [],
  categories: [],
  subresources: [],
  nameRule: "pathSegment",
  createOnUpdate: true,
  validate: validateClusterRole,
  columns: [nameColumn, createdColumn],
});
