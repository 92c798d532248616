/** From a request to what is done with it: the published table's route, its filters, and the backend of the moment. */
import {
  cors,
  corsNames,
  match,
  pathPattern,
  requestHost,
  sectionOf,
  type BackendRef,
  type BasicAuth,
  type ExternalAuth,
  type Filter,
  type HeaderChange,
  type Listener,
  type PathRewrite,
  type Route,
  type RouteRequest,
} from "../../decide/routes/index.ts";
import { inRanges } from "./address-ranges.ts";
import type { ProxiedRequest } from "./client-side.ts";
import { stickyId } from "./sticky.ts";

export type Decision =
  | {
      readonly kind: "forward";
      readonly route: Route;
      readonly backend: BackendRef;
      readonly target: string;
      readonly authority: string;
      readonly changes: Changes;
      /** Where copies go. */
      readonly mirrors: readonly BackendRef[];
      /** Who is asked first whether it may. */
      readonly auth?: ExternalAuth;
      /** Of HTTP Basic. */
      readonly user?: string;
    }
  | { readonly kind: "redirect"; readonly route: Route; readonly status: number; readonly location: string; readonly changes: Changes }
  /** Answered here without a body. */
  | { readonly kind: "answer"; readonly route: Route; readonly status: number; readonly changes: Changes }
  | {
      readonly kind: "refuse";
      readonly route: Route | undefined;
      readonly status: number;
      readonly reason: string;
      readonly message: string;
      /** More header lines of the answer, each with its CR LF. */
      readonly lines?: string;
    };

export type Forward = Extract<Decision, { kind: "forward" }>;

export interface Changes {
  readonly request: HeaderChange | undefined;
  readonly response: HeaderChange | undefined;
}

export interface RouterContext {
  /** `id`: of the session's endpoint. */
  readonly chooseBackend: (refs: readonly BackendRef[], id?: string) => BackendRef | undefined;
  /** Of the HTTPS listener. */
  readonly securePort: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  /** Whether a client may ask once more now. */
  readonly allows: (key: string, limit: { readonly perSecond: number; readonly burst: number }) => boolean;
  /** Requests under way for a key of `limit-connections`. */
  readonly underWay: (key: string) => number;
  /** The user that an Authorization header proves; undefined: none. `unknown`: the users cannot be read. */
  readonly userOf: (filter: BasicAuth, authorization: string | undefined) => { readonly name: string } | "unknown" | undefined;
}

/** Of `limit-connections`. */
export function connectionsKey(route: Route, { address }: ProxiedRequest["client"]): string {
  return `${route.source.namespace}/${route.source.name} ${address}`;
}

export const unchanged: Changes = { request: undefined, response: undefined };
const noMirrors: readonly BackendRef[] = [];

export function decide(listener: Listener | undefined, request: ProxiedRequest, context: RouterContext): Decision {
  if (listener === undefined)
    return { kind: "refuse", route: undefined, status: 503, reason: "NotReady", message: "the gateway does not know its routes yet" };
  const asked = routeRequest(request);
  if (isMisdirected(listener, request, asked.host)) {
    const message = `host ${asked.host} belongs to another listener than the server name of this connection`;
    return { kind: "refuse", route: undefined, status: 421, reason: "MisdirectedRequest", message };
  }
  const found = match(listener, asked);
  if (found.kind === "none") {
    const message = found.hostKnown
      ? `no rule of host ${asked.host} takes ${asked.path}`
      : `no rule is for host ${asked.host === "" ? "(none)" : asked.host}`;
    return { kind: "refuse", route: undefined, status: 404, reason: "NoRoute", message };
  }
  const { route } = found;
  return route.filters.length === 0 && route.backends.length === 1 && route.backends[0]?.filters === undefined
    ? forward(route, route.backends[0], request)
    : filtered(route, request, context);
}

/**
 * A browser that uses a connection for another host that its certificate names may have come to the wrong listener: it is told to
 * open another (RFC 9110 15.5.20, Gateway API `Listener.hostname`).
 */
function isMisdirected(listener: Listener, { client }: ProxiedRequest, host: string): boolean {
  if (listener.sections === undefined || listener.sections.length < 2 || client.serverName === undefined) return false;
  const wanted = sectionOf(listener, host);
  return wanted !== undefined && wanted !== sectionOf(listener, client.serverName);
}

export function routeRequest({ authority, path, method, header, query }: ProxiedRequest): RouteRequest {
  let parameters: URLSearchParams | undefined;
  return {
    host: requestHost(authority),
    path,
    method,
    header,
    query: (name) => (parameters ??= new URLSearchParams(query)).get(name) ?? undefined,
  };
}

function forward(route: Route, backend: BackendRef | undefined, request: ProxiedRequest): Decision {
  if (backend === undefined) return { kind: "refuse", route, status: 500, reason: "NoBackend", message: "the rule has no backend" };
  if (backend.refused !== undefined) return { kind: "refuse", route, status: 500, reason: "BackendRefused", message: backend.refused };
  const target = request.path + request.query;
  return { kind: "forward", route, backend, target, authority: request.authority, changes: unchanged, mirrors: noMirrors };
}

function filtered(route: Route, request: ProxiedRequest, context: RouterContext): Decision {
  const own = answered(route, route.filters, request, context);
  if (own !== undefined) return own;
  const session = route.persistence === undefined ? undefined : stickyId(route.persistence, request.header);
  const backend = context.chooseBackend(route.backends, session);
  const plain = forward(route, backend, request);
  if (plain.kind !== "forward") return plain;
  const filters = backend?.filters === undefined ? route.filters : [...route.filters, ...backend.filters];
  const ofBackend = backend?.filters === undefined ? undefined : answered(route, backend.filters, request, context);
  if (ofBackend !== undefined) return ofBackend;
  const rewrite = filters.findLast((filter) => filter.kind === "rewrite");
  const auth = filters.find((filter) => filter.kind === "external-auth")?.auth;
  const user = userOf(filters, request, context);
  return {
    ...plain,
    ...(auth === undefined ? {} : { auth }),
    ...(user === undefined ? {} : { user }),
    changes: changesOf(filters, request),
    mirrors: mirrorsOf(filters, context.random),
    authority: rewrite?.host ?? plain.authority,
    target: rewrite === undefined ? plain.target : rewritten(rewrite.path, route, request.path) + request.query,
  };
}

/** Whom the request has proved to be from: those who have not do not come here. */
function userOf(filters: readonly Filter[], request: ProxiedRequest, context: RouterContext): string | undefined {
  const basic = filters.find((filter) => filter.kind === "basic-auth");
  const user = basic === undefined ? undefined : context.userOf(basic, request.header("authorization"));
  return typeof user === "object" ? user.name : undefined;
}

/** By a filter, without any backend. */
function answered(route: Route, filters: readonly Filter[], request: ProxiedRequest, context: RouterContext): Decision | undefined {
  const { securePort } = context;
  for (const filter of filters) {
    const barred = barrier(filter, route, request, context);
    if (barred !== undefined) return { kind: "refuse", route, ...barred };
    if (filter.kind === "refuse") return { kind: "refuse", route, status: filter.status, reason: "Unsupported", message: filter.message };
    if (filter.kind === "cors" && cors(filter.policy, request).preflight) {
      return { kind: "answer", route, status: 204, changes: changesOf(filters, request) };
    }
    if (filter.kind !== "redirect" || (filter.onlyFrom ?? request.client.scheme) !== request.client.scheme) continue;
    const location = redirectLocation(filter, route, request, securePort());
    return { kind: "redirect", route, status: filter.status, location, changes: changesOf(filters, request) };
  }
  return undefined;
}

type Barred = Pick<Extract<Decision, { kind: "refuse" }>, "status" | "reason" | "message" | "lines">;

/** What keeps a request out. */
function barrier(filter: Filter, route: Route, request: ProxiedRequest, context: RouterContext): Barred | undefined {
  const { address } = request.client;
  switch (filter.kind) {
    case "source": {
      const denied = inRanges(filter.deny, address) || (filter.allow.length > 0 && !inRanges(filter.allow, address));
      return denied ? { status: 403, reason: "SourceDenied", message: "requests from this address are not taken" } : undefined;
    }
    case "limit-body":
      return request.body.kind === "length" && request.body.length > filter.bytes
        ? { status: 413, reason: "BodyTooLong", message: `a body of more than ${filter.bytes} bytes` }
        : undefined;
    case "limit-rate":
      return context.allows(`${route.id} ${address}`, filter)
        ? undefined
        : { status: 503, reason: "RateLimited", message: "too many requests from this address" };
    case "limit-connections":
      return context.underWay(connectionsKey(route, request.client)) < filter.most
        ? undefined
        : { status: 503, reason: "ConnectionsLimited", message: "too many requests at once from this address" };
    case "basic-auth":
      return passwordBarrier(filter, request, context);
    default:
      return undefined;
  }
}

function passwordBarrier(filter: BasicAuth, request: ProxiedRequest, { userOf: ask }: RouterContext): Barred | undefined {
  const user = ask(filter, request.header("authorization"));
  if (user === "unknown") return { status: 503, reason: "AuthUnavailable", message: "who may come cannot be read" };
  if (user !== undefined) return undefined;
  const lines = `WWW-Authenticate: Basic realm="${filter.realm}", charset="UTF-8"\r\n`;
  return { status: 401, reason: "AuthRequired", message: "a name and a password are asked for", lines };
}

function changesOf(filters: readonly Filter[], request: ProxiedRequest): Changes {
  let [onRequest, onResponse]: [HeaderChange | undefined, HeaderChange | undefined] = [undefined, undefined];
  for (const filter of filters) {
    if (filter.kind === "request-headers") onRequest = together(onRequest, filter.change);
    else if (filter.kind === "response-headers") onResponse = together(onResponse, filter.change);
    else if (filter.kind === "cors") {
      const result = cors(filter.policy, request);
      onResponse = together(onResponse, { set: result.kind === "allow" ? result.headers : [], add: [], remove: corsNames });
    }
  }
  return { request: onRequest, response: onResponse };
}

/** One change after the other. */
export function together(first: HeaderChange | undefined, second: HeaderChange): HeaderChange {
  if (first === undefined) return second;
  const gone = new Set([...second.remove, ...second.set.map(({ name }) => name)]);
  const kept = (all: HeaderChange["set"]) => all.filter(({ name }) => !gone.has(name));
  return {
    set: [...kept(first.set), ...second.set],
    add: [...kept(first.add), ...second.add],
    remove: [...first.remove, ...second.remove],
  };
}

function mirrorsOf(filters: readonly Filter[], random: () => number): readonly BackendRef[] {
  return filters.flatMap((filter) =>
    filter.kind === "mirror" && filter.backend.refused === undefined && random() * filter.denominator < filter.numerator
      ? [filter.backend]
      : [],
  );
}

/** Gateway API HTTPPathModifier; `groups`: ingress-nginx's `rewrite-target`. */
function rewritten(rewrite: PathRewrite | undefined, { match: { path } }: Route, actual: string): string {
  switch (rewrite?.kind) {
    case undefined:
      return actual;
    case "full":
      return rewrite.value;
    case "groups": {
      const groups = path.kind === "regex" ? pathPattern(path)?.exec(actual) : undefined;
      const text = rewrite.value.replace(/\$(\d)/g, (_, index: string) => groups?.[Number(index)] ?? "");
      return text.startsWith("/") ? text : `/${text}`;
    }
    case "prefix": {
      const prefix = path.kind === "prefix" && path.value !== "/" ? path.value : "";
      const rest = actual.slice(prefix.length);
      const base = rewrite.value.endsWith("/") ? rewrite.value.slice(0, -1) : rewrite.value;
      return rest === "" ? rewrite.value || "/" : `${base}${rest.startsWith("/") ? "" : "/"}${rest}`;
    }
  }
}

type Redirect = Extract<Filter, { kind: "redirect" }>;

/** Gateway API HTTPRequestRedirectFilter: a port that is the scheme's own is not written. */
function redirectLocation(filter: Redirect, route: Route, request: ProxiedRequest, securePort: number): string {
  if (filter.to !== undefined) return filter.to;
  const scheme = filter.scheme ?? request.client.scheme;
  const host = filter.host ?? requestHost(request.authority);
  const port = filter.port ?? (filter.scheme === undefined ? request.client.port : scheme === "https" ? securePort : 80);
  const shown = port === (scheme === "https" ? 443 : 80) ? "" : `:${port}`;
  return `${scheme}://${host}${shown}${rewritten(filter.path, route, request.path)}${request.query}`;
}
