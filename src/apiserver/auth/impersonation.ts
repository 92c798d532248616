/** `kubectl --as`: acting as somebody else, for who has the verb `impersonate` on all of what is claimed (apiserver `pkg/endpoints/filters/impersonation.go`). */
import type { UserInfo } from "../../api/request.ts";
import { badRequestError } from "../../api/status.ts";
import { authorize, type AccessRequest, type Authorizer } from "./authorizer.ts";

type Headers = Readonly<Record<string, string>>;

const extraPrefix = "impersonate-extra-";
const accountPrefix = "system:serviceaccount:";

/** The user that the request counts as. Throws 403, and 400 for groups of nobody. */
export function impersonated(authorizer: Authorizer, user: UserInfo, headers: Headers): UserInfo {
  const name = headers["impersonate-user"] ?? "";
  const groups = listOf(headers["impersonate-group"]);
  const uid = headers["impersonate-uid"] ?? "";
  const extra = extraOf(headers);
  if (name === "") {
    if (groups.length === 0 && uid === "" && Object.keys(extra).length === 0) return user;
    throw badRequestError("requested impersonation of groups, a uid or extra attributes without impersonating a user");
  }
  for (const request of requests(name, groups, uid, extra)) authorize(authorizer, user, request);
  return {
    name,
    groups: withImplied(name, groups),
    ...(uid === "" ? {} : { uid }),
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  };
}

type Extra = Readonly<Record<string, readonly string[]>>;

function requests(name: string, groups: readonly string[], uid: string, extra: Extra): readonly AccessRequest[] {
  const ask = (plural: string, more: object, group = ""): AccessRequest => ({
    kind: "resource",
    verb: "impersonate",
    group,
    plural,
    ...more,
  });
  const account = accountOf(name);
  return [
    account === undefined ? ask("users", { name }) : ask("serviceaccounts", account),
    ...groups.map((one) => ask("groups", { name: one })),
    ...(uid === "" ? [] : [ask("uids", { name: uid }, "authentication.k8s.io")]),
    ...Object.entries(extra).flatMap(([key, values]) =>
      values.map((value) => ask("userextras", { subresource: key, name: value }, "authentication.k8s.io")),
    ),
  ];
}

function accountOf(name: string): { readonly namespace: string; readonly name: string } | undefined {
  if (!name.startsWith(accountPrefix)) return undefined;
  const [namespace = "", account = "", ...rest] = name.slice(accountPrefix.length).split(":");
  return namespace === "" || account === "" || rest.length > 0 ? undefined : { namespace, name: account };
}

/** The groups that authentication would have found. */
function withImplied(name: string, groups: readonly string[]): readonly string[] {
  const account = groups.length === 0 ? accountOf(name) : undefined;
  const own = account === undefined ? groups : ["system:serviceaccounts", `system:serviceaccounts:${account.namespace}`];
  const everybody = name === "system:anonymous" ? "system:unauthenticated" : "system:authenticated";
  return own.includes(everybody) ? own : [...own, everybody];
}

function listOf(header: string | undefined): readonly string[] {
  return (header ?? "")
    .split(",")
    .map((text) => text.trim())
    .filter((text) => text !== "");
}

function extraOf(headers: Headers): Extra {
  const extra: Record<string, readonly string[]> = {};
  for (const [header, value] of Object.entries(headers)) {
    if (!header.startsWith(extraPrefix)) continue;
    extra[decodedKey(header.slice(extraPrefix.length))] = listOf(value);
  }
  return extra;
}

function decodedKey(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    // Not escaped, though it holds a percent sign.
    return key;
  }
}
