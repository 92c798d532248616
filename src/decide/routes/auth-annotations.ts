/** ingress-nginx's `auth-*`: HTTP Basic by a Secret, and asking another service. What cannot be done as it is written closes the Ingress. */
import type { AnnotationDraft, ReadResult } from "./annotation-draft.ts";
import { parseTemplate } from "./request-template.ts";
import type { AuthTarget, ExternalAuth } from "./route-table.ts";

const closed = (text: string): ReadResult => ({ refused: text, guard: true });

/** `auth-type: basic` with `auth-secret`, `auth-secret-type`, `auth-realm`. `namespace`: of the Ingress. */
export function readBasicAuth(value: string, draft: AnnotationDraft): ReadResult {
  const { all, namespace } = draft;
  if (value !== "basic") return closed("only basic, no digest: it asks for MD5 and for passwords that the server can read");
  const secret = all.get("auth-secret") ?? "";
  const form = all.get("auth-secret-type") ?? "auth-file";
  if (form !== "auth-file" && form !== "auth-map") return closed("auth-secret-type is neither auth-file nor auth-map");
  const [first = "", second] = secret.split("/");
  // ingress-nginx asks for permission for Secrets of other namespaces and has it off (`allow-cross-namespace-resources`).
  if (secret === "" || (second !== undefined && first !== namespace)) return closed("auth-secret names no Secret of this namespace");
  const realm = (all.get("auth-realm") ?? "Authentication Required").replace(/[^\t\x20-\x7e]|["\\]/g, "?");
  draft.filters.push({ kind: "basic-auth", realm, users: { namespace, name: second ?? first, form } });
  return undefined;
}

/** `auth-url` with `auth-method`, `auth-signin`, `auth-signin-redirect-param`, `auth-response-headers`, `auth-request-redirect`. */
export function readExternalAuth(value: string, draft: AnnotationDraft): ReadResult {
  const { all } = draft;
  const target = authTarget(value);
  if (target === undefined) return closed("no address with variables that are known here");
  const method = all.get("auth-method") ?? "GET";
  if (!/^[A-Z]{1,16}$/.test(method)) return closed("auth-method is no method");
  const signInText = all.get("auth-signin");
  const signIn = signInText === undefined ? undefined : signInTemplate(signInText, all.get("auth-signin-redirect-param") ?? "rd");
  if (signInText !== undefined && signIn === undefined) return closed("auth-signin has variables that are not known here");
  const names = (all.get("auth-response-headers") ?? "").split(",").map((name) => name.trim().toLowerCase());
  const redirect = parseTemplate(all.get("auth-request-redirect") ?? "$request_uri");
  if (redirect === undefined) return closed("auth-request-redirect has variables that are not known here");
  const auth: ExternalAuth = {
    rules: "nginx",
    target,
    method,
    responseHeaders: names.filter((name) => /^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name)),
    redirect,
    ...(signIn === undefined ? {} : { signIn }),
  };
  draft.filters.push({ kind: "external-auth", auth });
  if (target.kind === "service" || value.includes("$")) return undefined;
  return { differs: "the host must have a rule here: places outside are not asked" };
}

function authTarget(text: string): AuthTarget | undefined {
  const [, scheme, authority = "", rest = ""] = /^(https?):\/\/([^/?#\s]+)([^#\s]*)$/.exec(text) ?? [];
  const target = parseTemplate(rest.startsWith("/") ? rest : `/${rest}`);
  if (scheme === undefined || target === undefined) return undefined;
  const [, name, namespace, port] = /^([a-z0-9-]+)\.([a-z0-9-]+)\.svc(?:\.[a-z0-9.-]+)?(?::(\d{1,5}))?$/.exec(authority) ?? [];
  if (name === undefined || namespace === undefined) {
    const host = parseTemplate(authority);
    return host === undefined ? undefined : { kind: "route", host, target };
  }
  const number = Number(port ?? (scheme === "https" ? 443 : 80));
  const tls = scheme === "https" ? { tls: "unverified" as const } : {};
  return {
    kind: "service",
    backend: { kind: "Service", namespace, name, port: { kind: "number", number }, weight: 1, ...tls },
    authority,
    target,
  };
}

/** "rd" says where to go afterwards, unless the address has it already. */
function signInTemplate(text: string, parameter: string) {
  const has = new RegExp(`[?&]${parameter.replace(/\W/g, "\\$&")}=`).test(text);
  const more = `${text.includes("?") ? "&" : "?"}${parameter}=$scheme://$best_http_host$escaped_request_uri`;
  return /^(?:https?:\/\/|\/)/.test(text) ? parseTemplate(has ? text : text + more) : undefined;
}
