/** Role-based access control over what the store holds. The table of grants is made anew only when a role or binding has changed. */
import type { UserInfo } from "../../../api/request.ts";
import { clusterRoleBindings, clusterRoles, roleBindings, roles, type Resource } from "../../../api/resources.ts";
import type { KubeObject } from "../../../api/object.ts";
import type { PolicyRule } from "../../../api/types.ts";
import type { Store } from "../../store.ts";
import type { AccessRequest, Authorizer, Decision, Rules } from "../authorizer.ts";
import { grantsOf, type Grants } from "./grants.ts";
import { ruleAllows } from "./rules.ts";

const watched = [roles, clusterRoles, roleBindings, clusterRoleBindings] as const;

export interface RbacAuthorizer extends Authorizer {
  /** As of now. */
  grants(): Grants;
}

export function rbacAuthorizer(store: Pick<Store, "resource">): RbacAuthorizer {
  let made: { readonly at: string; readonly grants: Grants } | undefined;
  const grants = (): Grants => {
    const at = watched.map((resource) => store.resource(resource).changed).join();
    if (made?.at !== at) made = { at, grants: read(store) };
    return made.grants;
  };
  return {
    grants,
    decide: (user, request) => decide(grants(), user, request),
    rules: (user, namespace) => rulesOf(grants(), user, namespace),
  };
}

function read(store: Pick<Store, "resource">): Grants {
  const objects = <T extends KubeObject>(resource: Resource<T>) =>
    store
      .resource(resource)
      .items()
      .map((item) => item.object() as T);
  return grantsOf({
    roles: objects(roles),
    clusterRoles: objects(clusterRoles),
    roleBindings: objects(roleBindings),
    clusterRoleBindings: objects(clusterRoleBindings),
  });
}

function decide(grants: Grants, user: UserInfo, request: AccessRequest): Decision {
  const namespace = request.kind === "resource" ? request.namespace : undefined;
  for (const { rules, source } of grants.of(user, namespace))
    if (rules.some((rule) => ruleAllows(rule, request))) return { allowed: true, reason: `RBAC: allowed by ${source}` };
  return { allowed: false, reason: "" };
}

/** As a review shows them: every rule that applies, as it is written. */
function rulesOf(grants: Grants, user: UserInfo, namespace: string): Rules {
  const rules = grants.of(user, namespace).flatMap((grant) => grant.rules);
  const unique = [...new Map(rules.map((rule) => [JSON.stringify(rule), rule])).values()];
  const isUrl = ({ nonResourceURLs = [] }: PolicyRule) => nonResourceURLs.length > 0;
  return {
    resourceRules: unique.filter((rule) => !isUrl(rule)),
    nonResourceRules: unique.filter(isUrl).map(({ verbs, nonResourceURLs }) => ({ verbs, ...(nonResourceURLs && { nonResourceURLs }) })),
    incomplete: false,
  };
}
