/** Whether somebody may do something, and the refusal in upstream's words (apiserver `pkg/authorization/authorizer`). */
import type { UserInfo } from "../../api/request.ts";
import { forbiddenError, StatusError } from "../../api/status.ts";
import type { NonResourceRule, ResourceRule } from "../../api/types.ts";
import type { ResourceRequest } from "../request-info.ts";

export interface Decision {
  readonly allowed: boolean;
  /** Which rule allows it, or what keeps it from being allowed; empty: no rule does. */
  readonly reason: string;
}

/** What somebody wants to do. A review may ask about verbs that are no request's, such as `bind`. */
export type AccessRequest =
  | (Omit<ResourceRequest, "verb" | "version" | "rest"> & { readonly verb: string })
  | { readonly kind: "path"; readonly verb: string; readonly path: string };

export interface Rules {
  readonly resourceRules: readonly ResourceRule[];
  readonly nonResourceRules: readonly NonResourceRule[];
  /** There are rules that cannot be listed. */
  readonly incomplete: boolean;
}

/** Decides from what the server holds in memory; neither throws. */
export interface Authorizer {
  decide(user: UserInfo, request: AccessRequest): Decision;
  /** What the user may do in a namespace; for `kubectl auth can-i --list`. */
  rules(user: UserInfo, namespace: string): Rules;
}

/** Why it is allowed. Throws 403. */
export function authorize(authorizer: Authorizer, user: UserInfo, info: AccessRequest): string {
  const { allowed, reason } = authorizer.decide(user, info);
  if (allowed) return reason;
  const who = `User ${JSON.stringify(user.name)} cannot ${info.verb}`;
  const why = reason === "" ? "" : `: ${reason}`;
  if (info.kind === "path") throw pathForbidden(`${who} path ${JSON.stringify(info.path)}${why}`);
  const { group, plural, subresource, namespace, name } = info;
  const what = `resource ${JSON.stringify(subresource === undefined ? plural : `${plural}/${subresource}`)} in API group ${JSON.stringify(group)}`;
  const where = namespace === undefined ? "at the cluster scope" : `in the namespace ${JSON.stringify(namespace)}`;
  throw forbiddenError({ group, plural }, name ?? "", `${who} ${what} ${where}${why}`);
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
