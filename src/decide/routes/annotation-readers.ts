/** What each annotation of ingress-nginx does here: its reader, or why it is refused. */
import { parseCidr } from "../../lib/ip.ts";
import { toHttps, type AnnotationDraft, type ReadResult } from "./annotation-draft.ts";
import { readBasicAuth, readExternalAuth } from "./auth-annotations.ts";
import { parseHashKey } from "./balance.ts";
import { readCanary } from "./canary.ts";
import { hostPattern } from "./host.ts";
import type { Filter } from "./route-table.ts";

export type AnnotationReader = (value: string, draft: AnnotationDraft) => ReadResult;

const differs = (text: string): ReadResult => ({ differs: text });
const refused = (text: string): ReadResult => ({ refused: text });
/** Only says more about another annotation, whose reader looks at it. */
const belongs: AnnotationReader = () => undefined;
const always =
  (text: string): AnnotationReader =>
  () =>
    differs(text);

/** Of its own it would keep nobody out. */
const needs =
  (name: string): AnnotationReader =>
  (_, draft) =>
    draft.all.has(name) ? undefined : { refused: `has no effect without ${name}`, guard: true };

const notBuffered = "nothing is buffered here: bodies go through as they come";

export const annotationReaders: Readonly<Record<string, AnnotationReader>> = {
  "ssl-redirect": (value, draft) => flag(value, (on) => void (draft.redirectHostsWithTls = on)),
  "force-ssl-redirect": (value, draft) => flag(value, (on) => void (on && draft.filters.push(toHttps))),
  "rewrite-target": readRewrite,
  "use-regex": (value, draft) => flag(value, (on) => void (draft.patterns ||= on)),
  "app-root": (value, draft) => (value.startsWith("/") ? void (draft.appRoot = value) : refused("a path must begin with /")),
  "permanent-redirect": (value, draft) => redirectTo(value, draft, Number(draft.all.get("permanent-redirect-code") ?? 301)),
  "permanent-redirect-code": belongs,
  "temporal-redirect": (value, draft) => redirectTo(value, draft, Number(draft.all.get("temporal-redirect-code") ?? 302)),
  "temporal-redirect-code": belongs,
  "from-to-www-redirect": (value, draft) => flag(value, (on) => void (draft.fromToWww = on)),
  "server-alias": readAliases,
  "upstream-vhost": (value, draft) => void draft.filters.push({ kind: "rewrite", host: value }),
  "x-forwarded-prefix": (value, draft) => header(draft, "x-forwarded-prefix", value),
  canary: readCanary,
  "canary-by-header": belongs,
  "canary-by-header-value": belongs,
  "canary-by-header-pattern": belongs,
  "canary-by-cookie": belongs,
  "canary-weight": belongs,
  "canary-weight-total": belongs,
  affinity: readAffinity,
  "affinity-mode": (value) => (value === "persistent" ? undefined : differs("sessions stay with their endpoint as long as it is there")),
  "affinity-canary-behavior": (value) => (value === "sticky" ? undefined : differs("sessions stay where they are, canary or not")),
  "session-cookie-name": belongs,
  "session-cookie-path": belongs,
  "session-cookie-max-age": belongs,
  "session-cookie-expires": always("Max-Age says the same; session-cookie-max-age is what counts"),
  "session-cookie-samesite": (value) => (value === "Lax" ? undefined : differs("the cookie is SameSite=Lax")),
  "session-cookie-secure": always("the cookie is for HTTP and HTTPS"),
  "session-cookie-change-on-failure": (value) =>
    value === "true" ? undefined : differs("the cookie names another endpoint when its own is gone"),
  "proxy-body-size": readBodySize,
  "proxy-read-timeout": (value, draft) =>
    seconds(
      value,
      (responseMs) => void (draft.timeouts = { ...draft.timeouts, responseMs }),
      "until the answer's head, where ingress-nginx counts between two reads",
    ),
  "proxy-send-timeout": always("a request's body may rest for 60 s"),
  "proxy-connect-timeout": always("connections to endpoints have 5 s, then another endpoint is tried"),
  "proxy-next-upstream": readNextUpstream,
  "proxy-next-upstream-tries": belongs,
  "proxy-next-upstream-timeout": always("tries are counted, not timed"),
  "proxy-buffering": (value) => (value === "off" ? undefined : differs(notBuffered)),
  "proxy-request-buffering": (value) => (value === "off" ? undefined : differs(notBuffered)),
  "proxy-buffer-size": always("heads of answers may have 64 KiB"),
  "proxy-buffers-number": always(notBuffered),
  "proxy-max-temp-file-size": always(notBuffered),
  "client-body-buffer-size": always(notBuffered),
  "proxy-http-version": (value) => (value === "1.1" ? undefined : refused("endpoints are asked by HTTP/1.1 or HTTP/2")),
  "proxy-ssl-verify": (value) => (value === "off" ? undefined : refused("a BackendTLSPolicy says whom to trust")),
  "backend-protocol": readBackendProtocol,
  "enable-cors": readCors,
  "cors-allow-origin": belongs,
  "cors-allow-methods": belongs,
  "cors-allow-headers": belongs,
  "cors-expose-headers": belongs,
  "cors-allow-credentials": belongs,
  "cors-max-age": belongs,
  "limit-rps": (value, draft) => rate(value, draft, 1),
  "limit-rpm": (value, draft) => rate(value, draft, 60),
  "limit-burst-multiplier": belongs,
  "whitelist-source-range": (value, draft) => source(value, draft, "allow"),
  "allowlist-source-range": (value, draft) => source(value, draft, "allow"),
  "denylist-source-range": (value, draft) => source(value, draft, "deny"),
  "load-balance": readBalance,
  "upstream-hash-by": readHash,
  "upstream-hash-by-subset": (value) => (value === "false" ? undefined : differs("every endpoint by itself, no subsets")),
  "upstream-hash-by-subset-size": belongs,
  "auth-type": readBasicAuth,
  "auth-secret": needs("auth-type"),
  "auth-secret-type": belongs,
  "auth-realm": belongs,
  "auth-url": readExternalAuth,
  "auth-method": belongs,
  "auth-signin": needs("auth-url"),
  "auth-signin-redirect-param": belongs,
  "auth-request-redirect": belongs,
  "auth-response-headers": belongs,
  "auth-always-set-cookie": always("cookies of the service that is asked go to the client with every answer"),
  "auth-keepalive": always("connections to the service that is asked are kept"),
  "auth-cache-key": always("every request is asked about"),
  "auth-cache-duration": always("every request is asked about"),
  "limit-connections": readConnections,
  "custom-http-errors": readErrorPages,
  "default-backend": readDefaultBackend,
  "service-upstream": (value) => (value === "false" ? undefined : differs("endpoints are asked directly, past the Service's address")),
  "enable-access-log": always("requests are counted in the metrics"),
  "enable-rewrite-log": always("'fairlead ingress explain' says what becomes of a path"),
  "http2-push-preload": always("browsers no longer take pushes"),
  "preserve-trailing-slash": always("a redirect keeps the path as it is"),
  "connection-proxy-header": always("connections to endpoints are kept"),
};

interface Refused {
  readonly message: string;
  readonly guard: boolean;
}

const keepsOut: Refused = { message: "it would keep requests out, which is not supported: nothing is served instead", guard: true };
const snippet: Refused = {
  message: "snippets are refused: what nginx would make of them cannot be known, so nothing is served",
  guard: true,
};
const notDone = (message: string): Refused => ({ message, guard: false });

/** Without those with `guard` requests would reach what they were to protect. */
export const refusedNames: Readonly<Record<string, Refused>> = {
  ...Object.fromEntries(
    [
      "auth-tls-error-page",
      "auth-tls-match-cn",
      "auth-tls-secret",
      "auth-tls-verify-client",
      "auth-tls-verify-depth",
      "enable-global-auth",
      "enable-modsecurity",
      "enable-owasp-core-rules",
      "modsecurity-snippet",
      "modsecurity-transaction-id",
      "satisfy",
    ].map((name) => [name, keepsOut]),
  ),
  ...Object.fromEntries(["auth-snippet", "configuration-snippet", "server-snippet", "stream-snippet"].map((name) => [name, snippet])),
  "ssl-passthrough": notDone("TLS ends here; a TLSRoute passes it through"),
  "mirror-target": notDone("an HTTPRoute mirrors requests"),
  "mirror-request-body": notDone("an HTTPRoute mirrors requests"),
  "proxy-ssl-secret": notDone("a Gateway's tls.backend has the certificate that endpoints are shown"),
  "proxy-redirect-from": notDone("Location of an answer is passed on as it is"),
  "proxy-redirect-to": notDone("Location of an answer is passed on as it is"),
  "proxy-cookie-domain": notDone("cookies are passed on as they are"),
  "proxy-cookie-path": notDone("cookies are passed on as they are"),
  "limit-rate": notDone("answers are not slowed down"),
  "limit-rate-after": notDone("answers are not slowed down"),
};

function flag(value: string, then: (on: boolean) => void): ReadResult {
  if (value !== "true" && value !== "false") return refused("neither true nor false");
  then(value === "true");
  return undefined;
}

function readRewrite(value: string, draft: AnnotationDraft): ReadResult {
  if (!value.startsWith("/") && !value.startsWith("$")) return refused("a path must begin with /");
  if (value.includes("$")) {
    draft.patterns = true;
    draft.filters.push({ kind: "rewrite", path: { kind: "groups", value } });
    return undefined;
  }
  draft.filters.push({ kind: "rewrite", path: { kind: "full", value } });
  if (draft.all.get("use-regex") === "true") return undefined;
  return differs("paths stay what their types say; ingress-nginx takes every path of the host for a pattern");
}

function redirectTo(value: string, draft: AnnotationDraft, code: number): ReadResult {
  const status = ([301, 302, 303, 307, 308] as const).find((each) => each === code);
  if (status === undefined) return refused(`${code} is no status of a redirect`);
  if (!/^https?:\/\/[\x21-\x7e]+$/.test(value)) return refused("no http or https address");
  draft.filters.push({ kind: "redirect", status, to: value });
  return undefined;
}

function readAliases(value: string, draft: AnnotationDraft): ReadResult {
  const names = value.split(",").map((text) => text.trim());
  const hosts = names.flatMap((name) => (name.startsWith("~") ? [] : (hostPattern(name) ?? [])));
  draft.aliases = hosts;
  return hosts.length === names.length ? undefined : refused("only names of hosts are aliases, no patterns");
}

function header(draft: AnnotationDraft, name: string, value: string): ReadResult {
  if (/[^\t\x20-\x7e]/.test(value)) return refused("no value that a header can have");
  draft.filters.push({ kind: "request-headers", change: { set: [{ name, value }], add: [], remove: [] } });
  return undefined;
}

function readAffinity(value: string, draft: AnnotationDraft): ReadResult {
  if (value !== "cookie") return refused("only affinity by cookie");
  const name = draft.all.get("session-cookie-name") ?? "INGRESSCOOKIE";
  const path = draft.all.get("session-cookie-path") ?? "/";
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name) || !/^\/[!-:<-~]*$/.test(path)) return refused("no name or path that a cookie can have");
  const age = Number(draft.all.get("session-cookie-max-age") ?? Number.NaN);
  draft.persistence = { kind: "cookie", name, path, ...(Number.isInteger(age) && age > 0 ? { maxAgeSeconds: age } : {}) };
  return undefined;
}

/** nginx's sizes; 0: no limit. */
function readBodySize(value: string, draft: AnnotationDraft): ReadResult {
  const [, digits, unit = ""] = /^(\d{1,9})([kKmMgG]?)$/.exec(value) ?? [];
  if (digits === undefined) return refused("no size");
  const bytes = Number(digits) * 1024 ** " kmg".indexOf(unit.toLowerCase() || " ");
  if (bytes > 0) draft.filters.push({ kind: "limit-body", bytes });
  return differs("a chunked body that turns out longer ends the connection, where ingress-nginx answers 413");
}

function seconds(value: string, then: (milliseconds: number) => void, difference: string): ReadResult {
  if (!/^[1-9]\d{0,5}$/.test(value)) return refused("no number of seconds");
  then(Number(value) * 1000);
  return differs(difference);
}

function readNextUpstream(value: string, draft: AnnotationDraft): ReadResult {
  const words = value.split(/\s+/);
  if (words.includes("off")) return differs("another endpoint is tried when no connection can be had");
  const codes = words.flatMap((word) => Number(/^http_(\d{3})$/.exec(word)?.[1] ?? Number.NaN)).filter(Number.isInteger);
  const tries = Number(draft.all.get("proxy-next-upstream-tries") ?? 3);
  if (codes.length > 0)
    draft.retry = { attempts: Math.max(0, (Number.isInteger(tries) && tries > 0 ? tries : 3) - 1), codes, backoffMs: 0 };
  return codes.length > 0 && !words.includes("non_idempotent")
    ? differs("requests of every method are tried again after the codes that are named")
    : undefined;
}

function readBackendProtocol(value: string, draft: AnnotationDraft): ReadResult {
  switch (value.toUpperCase()) {
    case "HTTP":
    case "AUTO_HTTP":
      return undefined;
    case "HTTPS":
      draft.backend = { ...draft.backend, tls: "unverified" };
      return undefined;
    case "GRPC":
      draft.backend = { ...draft.backend, speaks: "h2c" };
      return undefined;
    case "GRPCS":
      draft.backend = { ...draft.backend, speaks: "h2c", tls: "unverified" };
      return undefined;
    default:
      return refused("endpoints are asked by HTTP, HTTPS, GRPC or GRPCS");
  }
}

function readBalance(value: string, draft: AnnotationDraft): ReadResult {
  // Without it requests go in turns too, only away from endpoints that have more of them under way.
  if (value === "round_robin") return undefined;
  if (value !== "ewma") return differs("round_robin and ewma are what ingress-nginx has: in turns");
  // "upstream-hash-by" goes before it, whichever is written first.
  if (draft.all.get("upstream-hash-by") === undefined) draft.backend = { ...draft.backend, balance: { kind: "ewma" } };
  return undefined;
}

function readHash(value: string, draft: AnnotationDraft): ReadResult {
  const by = parseHashKey(value);
  if (by === undefined) return refused("no variables of nginx that are known here");
  draft.backend = { ...draft.backend, balance: { kind: "hash", by } };
  return undefined;
}

function readConnections(value: string, draft: AnnotationDraft): ReadResult {
  if (!/^[1-9]\d{0,6}$/.test(value)) return { refused: "no number of connections", guard: true };
  draft.filters.push({ kind: "limit-connections", most: Number(value) });
  return differs("requests under way are counted, of HTTP/1.1 and HTTP/2 alike; a WebSocket counts until it is open");
}

function readErrorPages(value: string, draft: AnnotationDraft): ReadResult {
  const codes = value.split(",").map((text) => Number(text.trim()));
  if (!codes.every((code) => Number.isInteger(code) && code >= 300 && code <= 599)) return refused("no codes from 300 to 599");
  if (!draft.all.has("default-backend")) return differs("without default-backend an endpoint's own answer is passed on");
  return undefined;
}

function readDefaultBackend(value: string, draft: AnnotationDraft): ReadResult {
  const { all, namespace, name } = draft;
  if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(value)) return refused("no name of a Service");
  const codes = (all.get("custom-http-errors") ?? "").split(",").flatMap((text) => (/^\s*[345]\d\d\s*$/.test(text) ? [Number(text)] : []));
  const headers = [
    { name: "X-Namespace", value: namespace },
    { name: "X-Ingress-Name", value: name },
  ];
  const backend = { kind: "Service", namespace, name: value, port: { kind: "first" }, weight: 1 } as const;
  draft.filters.push({ kind: "error-pages", codes, backend, whenUnreachable: true, headers });
  return undefined;
}

const corsHeaders = "DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,Authorization";

function readCors(value: string, draft: AnnotationDraft): ReadResult {
  const list = (name: string, otherwise: string) =>
    (draft.all.get(`cors-${name}`) ?? otherwise)
      .split(",")
      .map((text) => text.trim())
      .filter((text) => text !== "");
  return flag(value, (on) => {
    if (!on) return;
    const maxAgeSeconds = Number(draft.all.get("cors-max-age") ?? 1_728_000);
    const policy = {
      origins: list("allow-origin", "*"),
      credentials: draft.all.get("cors-allow-credentials") !== "false",
      methods: list("allow-methods", "GET, PUT, POST, DELETE, PATCH, OPTIONS"),
      headers: list("allow-headers", corsHeaders),
      expose: list("expose-headers", ""),
      maxAgeSeconds: Number.isInteger(maxAgeSeconds) ? maxAgeSeconds : 1_728_000,
    };
    draft.filters.push({ kind: "cors", policy });
  });
}

function rate(value: string, draft: AnnotationDraft, seconds_: number): ReadResult {
  if (!/^[1-9]\d{0,6}$/.test(value)) return { refused: "no number of requests", guard: true };
  const multiplier = Number(draft.all.get("limit-burst-multiplier") ?? 5);
  const burst = Number(value) * (Number.isInteger(multiplier) && multiplier > 0 ? multiplier : 5);
  draft.filters.push({ kind: "limit-rate", perSecond: Number(value) / seconds_, burst });
  return undefined;
}

function source(value: string, draft: AnnotationDraft, list: "allow" | "deny"): ReadResult {
  const ranges = value.split(",").map((text) => text.trim());
  const cidrs = ranges.map((text) => (text.includes("/") ? text : `${text}/${text.includes(":") ? 128 : 32}`));
  if (cidrs.some((text) => parseCidr(text) === undefined)) return { refused: "not all of these are ranges of addresses", guard: true };
  const filter: Filter = { kind: "source", allow: [], deny: [], [list]: cidrs };
  // What keeps out is looked at before anything else answers.
  draft.filters.unshift(filter);
  return undefined;
}
