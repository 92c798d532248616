/** From a request to what is done with it: the published table's route, its filters, and the backend of the moment. */
import {
  match,
  requestHost,
  type BackendRef,
  type Filter,
  type HeaderChange,
  type Listener,
  type PathRewrite,
  type Route,
  type RouteRequest,
} from "../../decide/routes/index.ts";
import type { ProxiedRequest } from "./client-side.ts";

export type Decision =
  | {
      readonly kind: "forward";
      readonly route: Route;
      readonly backend: BackendRef;
      readonly target: string;
      readonly authority: string;
      readonly changes: Changes;
    }
  | { readonly kind: "redirect"; readonly route: Route; readonly status: number; readonly location: string; readonly changes: Changes }
  | {
      readonly kind: "refuse";
      readonly route: Route | undefined;
      readonly status: number;
      readonly reason: string;
      readonly message: string;
    };

export interface Changes {
  readonly request: HeaderChange | undefined;
  readonly response: HeaderChange | undefined;
}

export interface RouterContext {
  readonly chooseBackend: (refs: readonly BackendRef[]) => BackendRef | undefined;
  /** Of the HTTPS listener. */
  readonly securePort: number;
}

const unchanged: Changes = { request: undefined, response: undefined };

export function decide(listener: Listener | undefined, request: ProxiedRequest, { chooseBackend, securePort }: RouterContext): Decision {
  if (listener === undefined)
    return { kind: "refuse", route: undefined, status: 503, reason: "NotReady", message: "the gateway does not know its routes yet" };
  const asked = routeRequest(request);
  const found = match(listener, asked);
  if (found.kind === "none") {
    const message = found.hostKnown
      ? `no rule of host ${asked.host} takes ${asked.path}`
      : `no rule is for host ${asked.host === "" ? "(none)" : asked.host}`;
    return { kind: "refuse", route: undefined, status: 404, reason: "NoRoute", message };
  }
  const { route } = found;
  return route.filters.length === 0 ? forward(route, request, chooseBackend) : filtered(route, request, { chooseBackend, securePort });
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

type ChooseBackend = (refs: readonly BackendRef[]) => BackendRef | undefined;

function forward(route: Route, request: ProxiedRequest, choose: ChooseBackend): Decision {
  const backend = choose(route.backends);
  if (backend === undefined) return { kind: "refuse", route, status: 500, reason: "NoBackend", message: "the rule has no backend" };
  return { kind: "forward", route, backend, target: request.path + request.query, authority: request.authority, changes: unchanged };
}

function filtered(route: Route, request: ProxiedRequest, { chooseBackend, securePort }: RouterContext): Decision {
  const changes: Changes = {
    request: headerChange(route.filters, "request-headers"),
    response: headerChange(route.filters, "response-headers"),
  };
  for (const filter of route.filters) {
    if (filter.kind !== "redirect" || (filter.onlyFrom ?? request.client.scheme) !== request.client.scheme) continue;
    return { kind: "redirect", route, status: filter.status, location: redirectLocation(filter, route, request, securePort), changes };
  }
  const plain = forward(route, request, chooseBackend);
  if (plain.kind !== "forward") return plain;
  const rewrite = route.filters.find((filter) => filter.kind === "rewrite");
  if (rewrite === undefined) return { ...plain, changes };
  return {
    ...plain,
    changes,
    authority: rewrite.host ?? plain.authority,
    target: rewritten(rewrite.path, route, request.path) + request.query,
  };
}

function headerChange(filters: readonly Filter[], kind: "request-headers" | "response-headers"): HeaderChange | undefined {
  for (const filter of filters) if (filter.kind === kind) return filter.change;
  return undefined;
}

/** Gateway API HTTPPathModifier. */
function rewritten(rewrite: PathRewrite | undefined, { match: { path } }: Route, actual: string): string {
  if (rewrite === undefined) return actual;
  if (rewrite.kind === "full") return rewrite.value;
  const prefix = path.kind === "prefix" && path.value !== "/" ? path.value : "";
  const rest = actual.slice(prefix.length);
  const base = rewrite.value.endsWith("/") ? rewrite.value.slice(0, -1) : rewrite.value;
  return rest === "" ? rewrite.value || "/" : `${base}${rest.startsWith("/") ? "" : "/"}${rest}`;
}

type Redirect = Extract<Filter, { kind: "redirect" }>;

/** Gateway API HTTPRequestRedirectFilter: a port that is the scheme's own is not written. */
function redirectLocation(filter: Redirect, route: Route, request: ProxiedRequest, securePort: number): string {
  const scheme = filter.scheme ?? request.client.scheme;
  const host = filter.host ?? requestHost(request.authority);
  const port = filter.port ?? (filter.scheme === undefined ? request.client.port : scheme === "https" ? securePort : 80);
  const shown = port === (scheme === "https" ? 443 : 80) ? "" : `:${port}`;
  return `${scheme}://${host}${shown}${rewritten(filter.path, route, request.path)}${request.query}`;
}
