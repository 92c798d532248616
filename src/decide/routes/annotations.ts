/**
 * What ingress-nginx's annotations (its `docs/user-guide/nginx-configuration/annotations.md`) mean here. Each one on an Ingress
 * gets a verdict; none is passed over in silence. Where ignoring one would let requests through that its author meant to keep
 * out, nothing of the Ingress is served: an error is safer than an open door.
 */
import type { RouteProblem } from "./reasons.ts";
import type { Filter, RouteTimeouts } from "./route-table.ts";

export const nginxPrefix = "nginx.ingress.kubernetes.io/";

export interface AnnotationEffects {
  readonly filters: readonly Filter[];
  /** Plain requests to hosts for which the Ingress has a certificate are led to HTTPS. */
  readonly redirectHostsWithTls: boolean;
  readonly timeouts: RouteTimeouts;
  /** Its routes answer with an error. */
  readonly closed: boolean;
  readonly problems: readonly AnnotationProblem[];
}

export interface AnnotationProblem extends Pick<RouteProblem, "severity" | "message"> {
  readonly key: string;
  /** It was to keep requests out. */
  readonly guard: boolean;
}

interface Draft {
  readonly filters: Filter[];
  redirectHostsWithTls: boolean;
  responseMs: number | undefined;
}

type Reader = (value: string, draft: Draft) => string | undefined;

/** Those with an effect; what a reader gives is why the value is of no use. */
const readers: Readonly<Record<string, Reader>> = {
  "ssl-redirect": (value, draft) => readBoolean(value, (on) => void (draft.redirectHostsWithTls = on)),
  "force-ssl-redirect": (value, draft) => readBoolean(value, (on) => void (on && draft.filters.push(toHttps))),
  "rewrite-target": readRewrite,
  "proxy-read-timeout": readSeconds,
  "backend-protocol": (value) => (value.toUpperCase() === "HTTP" ? undefined : "endpoints are asked by HTTP/1.1 only"),
  "use-regex": (value) => (value === "false" ? undefined : "paths are no regular expressions here"),
};

/** Without them requests would reach what they were to protect. */
const guards: ReadonlySet<string> = new Set([
  "auth-cache-key",
  "auth-realm",
  "auth-secret",
  "auth-secret-type",
  "auth-signin",
  "auth-tls-error-page",
  "auth-tls-secret",
  "auth-tls-verify-client",
  "auth-type",
  "auth-url",
  "denylist-source-range",
  "enable-global-auth",
  "enable-modsecurity",
  "modsecurity-snippet",
  "satisfy",
  "whitelist-source-range",
]);

/** Text for nginx itself: what it would do cannot be known here. */
const snippets: ReadonlySet<string> = new Set(["auth-snippet", "configuration-snippet", "server-snippet", "stream-snippet"]);

export const toHttps: Filter = { kind: "redirect", status: 308, scheme: "https", onlyFrom: "http" };

export function readAnnotations(annotations: Readonly<Record<string, string>> = {}): AnnotationEffects {
  const draft: Draft = { filters: [], redirectHostsWithTls: false, responseMs: undefined };
  const problems: AnnotationProblem[] = [];
  for (const [key, value] of Object.entries(annotations)) {
    if (!key.startsWith(nginxPrefix)) continue;
    const problem = readOne(key.slice(nginxPrefix.length), value, draft);
    if (problem !== undefined) problems.push({ ...problem, key });
  }
  const timeouts = draft.responseMs === undefined ? {} : { responseMs: draft.responseMs };
  const closed = problems.some(({ guard }) => guard);
  return { filters: draft.filters, redirectHostsWithTls: draft.redirectHostsWithTls, timeouts, closed, problems };
}

function readOne(name: string, value: string, draft: Draft): Omit<AnnotationProblem, "key"> | undefined {
  if (guards.has(name))
    return { severity: "error", guard: true, message: "it would keep requests out, which is not supported: nothing is served instead" };
  if (snippets.has(name))
    return {
      severity: "error",
      guard: true,
      message: "snippets are refused: what nginx would make of them cannot be known, so nothing is served",
    };
  const reader = Object.hasOwn(readers, name) ? readers[name] : undefined;
  if (reader === undefined) return { severity: "warning", guard: false, message: "not supported, and without effect" };
  const fault = reader(value, draft);
  return fault === undefined ? undefined : { severity: "error", guard: false, message: `${JSON.stringify(value)}: ${fault}` };
}

function readBoolean(value: string, then: (on: boolean) => void): string | undefined {
  if (value !== "true" && value !== "false") return "neither true nor false";
  then(value === "true");
  return undefined;
}

/** The whole path is replaced, as nginx does without groups; the query stays. */
function readRewrite(value: string, draft: Draft): string | undefined {
  if (value.includes("$")) return "groups of regular expressions are not supported";
  if (!value.startsWith("/")) return "a path must begin with /";
  draft.filters.push({ kind: "rewrite", path: { kind: "full", value } });
  return undefined;
}

/** nginx counts between two reads, the time here is until the answer's head. */
function readSeconds(value: string, draft: Draft): string | undefined {
  if (!/^[1-9]\d{0,5}$/.test(value)) return "no number of seconds";
  draft.responseMs = Number(value) * 1000;
  return undefined;
}
