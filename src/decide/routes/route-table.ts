/**
 * What the gateway serves, as frozen plain data: listeners, hosts, routes and what is behind them. Ingresses (and later
 * HTTPRoutes) are translated into it by `processors`; `match` reads it for each request, `explain` says why.
 * Names follow Envoy's and the Gateway API's.
 */
import type { SourceRef } from "./reasons.ts";

export interface RouteTable {
  readonly kind: "RouteTable";
  readonly listeners: readonly Listener[];
}

export interface Listener {
  /** Unique in its table: `http`, `https`. */
  readonly name: string;
  readonly protocol: "HTTP" | "HTTPS";
  /** A host appears once; which goes first is in the hosts themselves (`compareHosts`). */
  readonly virtualHosts: readonly VirtualHost[];
  /** Which certificate answers for which server name; empty unless HTTPS. */
  readonly certificates: readonly CertificateRef[];
}

export interface VirtualHost {
  /** `shop.example.com`, `*.example.com` (exactly one label), or `*`: every host. Lower case, no final dot. */
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
  /** Whole elements: `/foo` takes `/foo`, `/foo/` and `/foo/bar`, not `/foobar`. A final slash means nothing. */
  | { readonly kind: "prefix"; readonly value: string }
  /** What no other route of the host takes: an Ingress' `defaultBackend`. */
  | { readonly kind: "default" };

export interface ValueMatch {
  /** Header names in lower case; query parameters as they are. */
  readonly name: string;
  readonly value: string;
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
    }
  | { readonly kind: "rewrite"; readonly host?: string; readonly path?: PathRewrite };

export interface HeaderChange {
  readonly set: readonly ValueMatch[];
  readonly add: readonly ValueMatch[];
  readonly remove: readonly string[];
}

export type PathRewrite =
  | { readonly kind: "full"; readonly value: string }
  /** Puts `value` in the place of the prefix that matched. */
  | { readonly kind: "prefix"; readonly value: string };

export interface BackendRef {
  readonly kind: "Service";
  readonly namespace: string;
  readonly name: string;
  readonly port: BackendPort;
  /** Its share among the backends of the route. */
  readonly weight: number;
}

/** Of the Service, as the object names it. */
export type BackendPort = { readonly kind: "number"; readonly number: number } | { readonly kind: "name"; readonly name: string };

export interface RouteTimeouts {
  /** Milliseconds until the answer's head; absent: the engine's default. */
  readonly responseMs?: number;
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

/** `shop/web:80`: how endpoints of a backend are found. */
export function backendKey({ namespace, name, port }: Pick<BackendRef, "namespace" | "name" | "port">): string {
  return `${namespace}/${name}:${port.kind === "number" ? port.number : port.name}`;
}
