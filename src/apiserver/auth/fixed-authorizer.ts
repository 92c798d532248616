/**
 * Who may do what where no roles are served: administrators and the cluster's own components may do everything, every other
 * authenticated user may look at discovery, and anybody at health and version. Nobody gains a right by this that RBAC's
 * default roles would not give. Pure.
 */
import type { UserInfo } from "../../api/request.ts";
import type { AccessRequest, Authorizer } from "./authorizer.ts";

const trustedGroups: ReadonlySet<string> = new Set(["system:masters", "system:nodes", "system:serviceaccounts:kube-system"]);

/** The parts of a control plane, under the names that their certificates carry upstream. */
const components: ReadonlySet<string> = new Set([
  "system:apiserver",
  "system:kube-controller-manager",
  "system:kube-scheduler",
  "system:kube-proxy",
]);

const openPaths = ["/healthz", "/livez", "/readyz", "/version"];
const discoveryPaths = ["/api", "/apis", "/openapi", ...openPaths];

const refused = "only members of system:masters and the cluster's own components are authorized (RBAC is not served yet)";

export const fixedAuthorizer: Authorizer = {
  decide: (user, request) =>
    isTrusted(user) || mayLook(user, request) ? { allowed: true, reason: "" } : { allowed: false, reason: refused },
  rules: (user) => ({
    resourceRules: isTrusted(user) ? [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }] : [],
    nonResourceRules: [{ verbs: ["get"], nonResourceURLs: isTrusted(user) ? ["*"] : discoveryPaths }],
    incomplete: false,
  }),
};

function isTrusted({ name, groups }: UserInfo): boolean {
  return components.has(name) || groups.some((group) => trustedGroups.has(group));
}

function mayLook({ groups }: UserInfo, info: AccessRequest): boolean {
  if (info.kind === "resource" || (info.verb !== "get" && info.verb !== "head")) return false;
  const roots = groups.includes("system:authenticated") ? discoveryPaths : openPaths;
  return roots.some((root) => info.path === root || info.path.startsWith(`${root}/`));
}
