/**
 * What the gateway serves, as frozen plain data: listeners, hosts, routes and what is behind them. Ingresses (and later
 * HTTPRoutes) are translated into it by `processors`; `match` reads it for each request, `explain` says why.
 * Names follow Envoy's and the Gateway API's.
 */
import type { BalancePolicy } from "./balance.ts";
import type { SourceRef } from "./reasons.ts";
import type { TemplatePart } from "./request-template.ts";

export interface RouteTable {
  readonly kind: "RouteTable";
  readonly listeners: readonly Listener[];
  /** What is passed on below HTTP: TCPRoute, UDPRoute, TLSRoute. */
  readonly streams?: readonly StreamListener[];
}

export interface Listener {
  /** Unique in its table: `http`, `https`. */
  readonly name: string;
  readonly protocol: "HTTP" | "HTTPS";
  /** A host appears once; which goes first is in the hosts themselves (`compareHosts`). */
  readonly virtualHosts: readonly VirtualHost[];
  /** Which certificate answers for which server name; empty unless HTTPS. */
  readonly certificates: readonly CertificateRef[];
  /**
   * Listeners of a Gateway that share the port and are told apart by host (Gateway API "Listener Isolation"): a request belongs
   * to the most specific one and to no other. Absent: `virtualHosts` are all there is.
   */
  readonly sections?: readonly ListenerSection[];
}

export interface ListenerSection {
  /** Unique in its table: `shop/edge https`. */
  readonly name: string;
  /** As `VirtualHost.host`; a wildcard stands for any number of labels. */
  readonly host: string;
  readonly virtualHosts: readonly VirtualHost[];
}

/** A port whose connections or datagrams go through as they are, or out of their TLS. */
export interface StreamListener {
  readonly name: string;
  readonly protocol: "TCP" | "UDP" | "TLS";
  readonly sections: readonly StreamSection[];
}

export interface StreamSection {
  readonly name: string;
  /** Server name (TLS only); `*` otherwise. A wildcard stands for any number of labels. */
  readonly host: string;
  /** `terminate`: TLS ends here; `passthrough`: only the server name is read. */
  readonly tls: "none" | "terminate" | "passthrough";
  /** In the order in which they win. */
  readonly routes: readonly StreamRoute[];
}

export interface StreamRoute {
  readonly id: string;
  readonly source: SourceRef;
  /** Server name; `*`: any. */
  readonly host: string;
  readonly backends: readonly BackendRef[];
}

export interface VirtualHost {
  /**
   * `shop.example.com`, `*.example.com`, or `*`: every host. Lower case, no final dot. A wildcard stands for exactly one label
   * (Ingress), in sections of a Gateway for any number.
   */
  readonly host: string;
  /** In the order in which they win. */
  readonly routes: readonly Route[];
}

export interface Route {
  /** Unique in the table and stable over edits of other objects: `Ingress shop/web spec.rules[0].http.paths[1]`. */
  readonly id: string;
  readonly source: SourceRef;
  readonly match: RouteMatch;
  readonly filters: readonly Filter[];
  /** Empty: answered with 500 unless a filter answers. */
  readonly backends: readonly BackendRef[];
  readonly timeouts: RouteTimeouts;
  readonly retry?: RetryPolicy;
  readonly persistence?: SessionPersistence;
}

export interface RouteMatch {
  readonly path: PathMatch;
  readonly method?: string;
  readonly headers?: readonly ValueMatch[];
  readonly query?: readonly ValueMatch[];
}

export type PathMatch =
  /** The whole path, case counts. */
  | { readonly kind: "exact"; readonly value: string }
  /** RE2's syntax (`pattern.ts`), for the whole path; `leading`: for its beginning, letters of either case. */
  | { readonly kind: "regex"; readonly value: string; readonly leading?: true }
  /** Whole elements: `/foo` takes `/foo`, `/foo/` and `/foo/bar`, not `/foobar`. A final slash means nothing. */
  | { readonly kind: "prefix"; readonly value: string }
  /** What no other route of the host takes: an Ingress' `defaultBackend`. */
  | { readonly kind: "default" };

export interface ValueMatch {
  /** Header names in lower case; query parameters as they are. */
  readonly name: string;
  readonly value: string;
  /** `value` is a pattern for the whole value. */
  readonly regex?: true;
}

export type Filter =
  | { readonly kind: "request-headers"; readonly change: HeaderChange }
  | { readonly kind: "response-headers"; readonly change: HeaderChange }
  | {
      readonly kind: "redirect";
      readonly status: 301 | 302 | 303 | 307 | 308;
      /** Requests that came otherwise are not redirected. */
      readonly onlyFrom?: "http";
      /** `https` without a port: that of the HTTPS listener. */
      readonly scheme?: "http" | "https";
      readonly host?: string;
      readonly port?: number;
      readonly path?: PathRewrite;
      /** The whole address, as it is, in the place of all of these. */
      readonly to?: string;
    }
  | { readonly kind: "rewrite"; readonly host?: string; readonly path?: PathRewrite }
  /** A copy goes there too; nobody waits for its answer. Of `denominator` requests `numerator`. */
  | { readonly kind: "mirror"; readonly backend: BackendRef; readonly numerator: number; readonly denominator: number }
  | { readonly kind: "cors"; readonly policy: CorsPolicy }
  /** By the client's address, ranges of either family: 403 for others. `deny` goes first; no `allow`: all. */
  | { readonly kind: "source"; readonly allow: readonly string[]; readonly deny: readonly string[] }
  /** Longer bodies of requests: 413. */
  | { readonly kind: "limit-body"; readonly bytes: number }
  /** For each client's address: 503 beyond. */
  | { readonly kind: "limit-rate"; readonly perSecond: number; readonly burst: number }
  /** Requests under way at once, for each client's address: 503 beyond. */
  | { readonly kind: "limit-connections"; readonly most: number }
  | BasicAuth
  | { readonly kind: "external-auth"; readonly auth: ExternalAuth }
  /**
   * Answers with these codes are replaced by what another Service says (`X-Code`, `X-Original-URI` … tell it); `whenUnreachable`: it also
   * answers when the route's own backends have no endpoint.
   */
  | {
      readonly kind: "error-pages";
      readonly codes: readonly number[];
      readonly backend: BackendRef;
      readonly whenUnreachable: boolean;
      readonly headers: readonly ValueMatch[];
    }
  /** Something that the rule asks for cannot be done: a request is refused rather than served otherwise. */
  | { readonly kind: "refuse"; readonly status: number; readonly message: string };

/** RFC 7617. Who the users are is told to the engine apart: a table can be shown to anybody. */
export interface BasicAuth {
  readonly kind: "basic-auth";
  readonly realm: string;
  /** The Secret: `auth-file` is a file of htpasswd under the key `auth`; `auth-map` has a key for each user. */
  readonly users: { readonly namespace: string; readonly name: string; readonly form: "auth-file" | "auth-map" };
}

/**
 * A request goes on when somebody else says so. `nginx` (`ngx_http_auth_request_module`, ingress-nginx `auth-url`): 2xx allows, 401 and 403
 * are the client's, all else is a fault; with X-Original-URL and the like. `gateway-api` (GEP-1494, over HTTP): 200 allows, any other is
 * the client's.
 */
export interface ExternalAuth {
  readonly rules: "nginx" | "gateway-api";
  readonly target: AuthTarget;
  /** Absent: the request's own. */
  readonly method?: string;
  /** Of the client's, in lower case; absent: all. */
  readonly requestHeaders?: readonly string[];
  /** Where a browser is led that is answered 401. */
  readonly signIn?: readonly TemplatePart[];
  /** `X-Auth-Request-Redirect`. */
  readonly redirect?: readonly TemplatePart[];
  /** Of the answer, in lower case: the request goes on with these, or without them. `all`: with what there is. */
  readonly responseHeaders: readonly string[] | "all";
}

export type AuthTarget =
  /** `authority`: absent: the request's own. */
  | { readonly kind: "service"; readonly backend: BackendRef; readonly authority?: string; readonly target: readonly TemplatePart[] }
  /** Whatever the listener's own rules have for the host. */
  | { readonly kind: "route"; readonly host: readonly TemplatePart[]; readonly target: readonly TemplatePart[] };

/** Fetch standard 3.2 as HTTPCORSFilter has it. */
export interface CorsPolicy {
  /** `https://a.example`, `https://*.a.example`, `*`. */
  readonly origins: readonly string[];
  readonly credentials: boolean;
  /** `*`: as asked. */
  readonly methods: readonly string[];
  readonly headers: readonly string[];
  readonly expose: readonly string[];
  readonly maxAgeSeconds: number;
}

export interface RetryPolicy {
  /** Further tries after the first. */
  readonly attempts: number;
  /** Answers that are not taken for one. A connection that fails always is. */
  readonly codes: readonly number[];
  readonly backoffMs: number;
}

/** Requests of one session go to one endpoint (GEP-1619; ingress-nginx's `affinity: cookie`). */
export interface SessionPersistence {
  readonly kind: "cookie" | "header";
  readonly name: string;
  /** Of the cookie: absent until the browser ends. */
  readonly maxAgeSeconds?: number;
  /** Of the cookie. */
  readonly path: string;
}

export interface HeaderChange {
  readonly set: readonly ValueMatch[];
  readonly add: readonly ValueMatch[];
  readonly remove: readonly string[];
}

export type PathRewrite =
  | { readonly kind: "full"; readonly value: string }
  /** Puts `value` in the place of the prefix that matched. */
  | { readonly kind: "prefix"; readonly value: string }
  /** `$1` to `$9` stand for the groups of the route's pattern. */
  | { readonly kind: "groups"; readonly value: string };

export interface BackendRef {
  readonly kind: "Service";
  readonly namespace: string;
  readonly name: string;
  readonly port: BackendPort;
  /** Its share among the backends of the route. */
  readonly weight: number;
  /** Only for requests that go there. */
  readonly filters?: readonly Filter[];
  /** What the route knows and the Service's port may not say: GRPCRoutes speak HTTP/2. */
  readonly speaks?: BackendProtocol;
  /** How its requests are spread; absent: as the Service says, or in turns and away from the busy. */
  readonly balance?: BalancePolicy;
  /** Of the Service's port; absent: TCP. */
  readonly transport?: "UDP";
  /** TLS without a look at the certificate, where nothing says whom to trust (ingress-nginx's `backend-protocol: HTTPS`). */
  readonly tls?: "unverified";
  /** It cannot be used (not there, not permitted, of an unknown kind): its share is answered with 500 and this sentence. */
  readonly refused?: string;
}

/** `h2c`: HTTP/2 with prior knowledge, over TLS by ALPN. */
export type BackendProtocol = "http1" | "h2c";

/** Of the Service, as the object names it. */
export type BackendPort =
  | { readonly kind: "number"; readonly number: number }
  | { readonly kind: "name"; readonly name: string }
  /** Whichever the Service has first. */
  | { readonly kind: "first" };

/** Milliseconds; absent: the engine's defaults. */
export interface RouteTimeouts {
  /** Until the answer's head, from the end of the request. */
  readonly responseMs?: number;
  /** Until the answer's head, from the request's own, over all tries (Gateway API `timeouts.request`). */
  readonly requestMs?: number;
  /** Of one try (Gateway API `timeouts.backendRequest`). */
  readonly backendRequestMs?: number;
}

export interface CertificateRef {
  /** As in `VirtualHost`. `*`: for clients whose server name has no other. */
  readonly host: string;
  readonly source: SourceRef;
  readonly certificate:
    | { readonly kind: "secret"; readonly namespace: string; readonly name: string }
    /** The object asks for TLS without saying with which certificate. */
    | { readonly kind: "unspecified" };
}

/** `shop/admins auth-file`: how the users of a Secret are found. */
export function usersKey({ namespace, name, form }: BasicAuth["users"]): string {
  return `${namespace}/${name} ${form}`;
}

/** `shop/web:80`, `shop/dns:53/UDP`: how endpoints of a backend are found. */
export function backendKey({
  namespace,
  name,
  port,
  transport,
  tls,
}: Pick<BackendRef, "namespace" | "name" | "port" | "transport" | "tls">): string {
  const how = `${transport === undefined ? "" : `/${transport}`}${tls === undefined ? "" : `/tls-${tls}`}`;
  return `${namespace}/${name}:${portKey(port)}${how}`;
}

function portKey(port: BackendPort): string {
  switch (port.kind) {
    case "number":
      return String(port.number);
    case "name":
      return port.name;
    case "first":
      return "(first)";
  }
}

/** Every Service that a route may send something to: its backends, and those that its filters name. */
export function backendsOf({ backends, filters }: Pick<Route, "backends" | "filters">): readonly BackendRef[] {
  return [...backends, ...[...filters, ...backends.flatMap((ref) => ref.filters ?? [])].flatMap(backendsOfFilter)];
}

function backendsOfFilter(filter: Filter): readonly BackendRef[] {
  if (filter.kind === "mirror" || filter.kind === "error-pages") return [filter.backend];
  return filter.kind === "external-auth" && filter.auth.target.kind === "service" ? [filter.auth.target.backend] : [];
}
