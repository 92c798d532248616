/**
 * Nobody gives what he does not have: a role may hold, and a binding may give, only rules that the writer has himself, unless he
 * has the verb `escalate` on roles or `bind` on that role (`pkg/registry/rbac/{role,rolebinding}/policybased`).
 */
import type { UserInfo } from "../../../api/request.ts";
import { clusterRoleBindings, clusterRoles, roleBindings, roles } from "../../../api/resources.ts";
import { forbiddenError, notFoundError } from "../../../api/status.ts";
import type { ClusterRole, PolicyRule, RoleBinding } from "../../../api/types.ts";
import { equalSemantics } from "../../../api/equality.ts";
import type { AdmissionPlugin, AdmissionRequest } from "../../admission/admission.ts";
import type { RbacAuthorizer } from "./authorizer.ts";
import { ruleText, uncovered } from "./rules.ts";

const rbacGroup = "rbac.authorization.k8s.io";

export function escalationCheck(authorizer: RbacAuthorizer): AdmissionPlugin {
  return {
    name: "RBACEscalation",
    admit(request) {
      if (request.kind.resource.group !== rbacGroup || request.object === undefined || request.user.groups.includes("system:masters"))
        return;
      switch (request.kind.resource.plural) {
        case roles.plural:
        case clusterRoles.plural:
          return checkRole(authorizer, request);
        case roleBindings.plural:
        case clusterRoleBindings.plural:
          return checkBinding(authorizer, request);
        default:
          return;
      }
    },
  };
}

function checkRole(authorizer: RbacAuthorizer, request: AdmissionRequest): void {
  const role = request.object as unknown as ClusterRole;
  const old = request.old as ClusterRole | undefined;
  if (old !== undefined && equalSemantics(role.rules, old.rules) && equalSemantics(role.aggregationRule, old.aggregationRule)) return;
  if (may(authorizer, request, "escalate", request.name)) return;
  const everything: PolicyRule[] = [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }];
  // Whatever an aggregated role will come to hold cannot be known yet.
  check(authorizer, request, role.aggregationRule === undefined ? (role.rules ?? []) : everything);
}

function checkBinding(authorizer: RbacAuthorizer, request: AdmissionRequest): void {
  const binding = request.object as unknown as RoleBinding;
  const old = request.old as RoleBinding | undefined;
  if (old !== undefined && equalSemantics(binding.subjects, old.subjects) && equalSemantics(binding.roleRef, old.roleRef)) return;
  const { kind, name } = binding.roleRef ?? { kind: "", name: "" };
  const resource = kind === "Role" ? roles : clusterRoles;
  const scope = kind === "Role" ? request.namespace : undefined;
  const bind = authorizer.decide(request.user, {
    kind: "resource",
    verb: "bind",
    group: rbacGroup,
    plural: resource.plural,
    name,
    ...(request.namespace === undefined ? {} : { namespace: request.namespace }),
  });
  if (bind.allowed) return;
  const rules = authorizer.grants().rulesOf(scope, name);
  if (rules === undefined) throw notFoundError(resource, name);
  check(authorizer, request, rules);
}

function may(authorizer: RbacAuthorizer, { kind, namespace, user }: AdmissionRequest, verb: string, name: string): boolean {
  const { group, plural } = kind.resource;
  return authorizer.decide(user, { kind: "resource", verb, group, plural, name, ...(namespace === undefined ? {} : { namespace }) })
    .allowed;
}

function check(authorizer: RbacAuthorizer, { kind, namespace, name, user }: AdmissionRequest, wanted: readonly PolicyRule[]): void {
  const held = authorizer
    .grants()
    .of(user, namespace)
    .flatMap(({ rules }) => rules);
  const missing = uncovered(held, wanted);
  if (missing.length === 0) return;
  const lines = missing.map(ruleText).join("\n");
  throw forbiddenError(kind.resource, name, `user ${describe(user)} is attempting to grant RBAC permissions not currently held:\n${lines}`);
}

const describe = ({ name, groups }: UserInfo): string => `${JSON.stringify(name)} (groups=${JSON.stringify(groups)})`;
