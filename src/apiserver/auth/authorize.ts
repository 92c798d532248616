/**
 * Who may do what. Until RBAC is there (an issue of its own), the policy is this file: administrators and the cluster's own
 * components may do everything, every other authenticated user may look at discovery, and anybody at health and version.
 * Nobody gains a right by this that RBAC's default roles would not give. Pure.
 */
import type { UserInfo } from "../../api/request.ts";
import { forbiddenError, StatusError } from "../../api/status.ts";
import type { RequestInfo } from "../request-info.ts";

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

/** Throws 403 with upstream's text. */
export function authorize(user: UserInfo, info: RequestInfo): void {
  if (isTrusted(user) || mayLook(user, info)) return;
  const who = `User ${JSON.stringify(user.name)} cannot ${info.verb}`;
  const why = "only members of system:masters and the cluster's own components are authorized (RBAC is not served yet)";
  if (info.kind === "path") throw pathForbidden(`${who} path ${JSON.stringify(info.path)}: ${why}`);
  const { group, plural, subresource, namespace, name } = info;
  const what = `resource ${JSON.stringify(subresource === undefined ? plural : `${plural}/${subresource}`)} in API group ${JSON.stringify(group)}`;
  const where = namespace === undefined ? "at the cluster scope" : `in the namespace ${JSON.stringify(namespace)}`;
  throw forbiddenError({ group, plural }, name ?? "", `${who} ${what} ${where}: ${why}`);
}

function isTrusted({ name, groups }: UserInfo): boolean {
  return components.has(name) || groups.some((group) => trustedGroups.has(group));
}

function mayLook({ groups }: UserInfo, info: RequestInfo): boolean {
  if (info.kind === "resource" || (info.verb !== "get" && info.verb !== "head")) return false;
  const roots = groups.includes("system:authenticated") ? discoveryPaths : openPaths;
  return roots.some((root) => info.path === root || info.path.startsWith(`${root}/`));
}

function pathForbidden(message: string): StatusError {
  return new StatusError({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: `forbidden: ${message}`,
    reason: "Forbidden",
    details: {},
    code: 403,
  });
}
