/**
 * Which route takes a request. The most specific host with a matching route wins, then the order of `compareHostRoutes`;
 * default backends come after every rule. What it costs depends on the length of the request's path, not on the number of
 * rules: hosts are in a map, paths in a tree of elements, both made once for each table and host.
 */
import { wildcardOf } from "./host.ts";
import type { Listener, Route, ValueMatch, VirtualHost } from "./route-table.ts";

/** What of a request decides about its route. */
export interface RouteRequest {
  /** As `requestHost` gives it. */
  readonly host: string;
  /** As `normalizePath` gives it, without query. */
  readonly path: string;
  readonly method: string;
  /** A header's value by its lower-case name; several lines joined by `, `. */
  readonly header: (name: string) => string | undefined;
  /** The first value of a query parameter. */
  readonly query: (name: string) => string | undefined;
}

export type MatchResult =
  | { readonly kind: "route"; readonly host: string; readonly route: Route }
  /** No rule takes it; `hostKnown`: other paths of the host have rules. */
  | { readonly kind: "none"; readonly hostKnown: boolean };

export function match(listener: Listener, request: RouteRequest): MatchResult {
  const hosts = hostsOf(listener);
  const wildcard = wildcardOf(request.host);
  const exact = hosts.get(request.host);
  const wild = wildcard === undefined ? undefined : hosts.get(wildcard);
  const any = hosts.get("*");
  return (
    find(exact, request, byRule) ??
    find(wild, request, byRule) ??
    find(any, request, byRule) ??
    find(exact, request, byDefault) ??
    find(wild, request, byDefault) ??
    find(any, request, byDefault) ?? { kind: "none", hostKnown: (exact ?? wild ?? any) !== undefined }
  );
}

type Search = (index: PathIndex, request: RouteRequest) => Route | undefined;

function find(host: VirtualHost | undefined, request: RouteRequest, search: Search): MatchResult | undefined {
  if (host === undefined) return undefined;
  const route = search(pathsOf(host), request);
  return route === undefined ? undefined : { kind: "route", host: host.host, route };
}

const byRule: Search = (index, request) => first(index.exact.get(request.path), request) ?? longest(index.root, request, 0);
const byDefault: Search = (index, request) => first(index.defaults, request);

/** An element of paths: what follows it, and the prefixes that end with it. */
interface PathNode {
  children: Map<string, PathNode> | undefined;
  routes: Route[] | undefined;
}

interface PathIndex {
  readonly exact: ReadonlyMap<string, readonly Route[]>;
  readonly root: PathNode;
  readonly defaults: readonly Route[];
}

/** The deepest node with a route that takes the request; `at` is where the next element's slash is. */
function longest(node: PathNode, request: RouteRequest, at: number): Route | undefined {
  const { path } = request;
  if (node.children !== undefined && at < path.length) {
    const slash = path.indexOf("/", at + 1);
    const end = slash < 0 ? path.length : slash;
    const child = node.children.get(path.slice(at + 1, end));
    const found = child === undefined ? undefined : longest(child, request, end);
    if (found !== undefined) return found;
  }
  return first(node.routes, request);
}

function first(routes: readonly Route[] | undefined, request: RouteRequest): Route | undefined {
  if (routes === undefined) return undefined;
  for (const route of routes) if (conditionsHold(route, request)) return route;
  return undefined;
}

/** Method, headers and query; the path is known to match. */
export function conditionsHold({ match: { method, headers, query } }: Route, request: RouteRequest): boolean {
  if (method !== undefined && method !== request.method) return false;
  return allEqual(headers, request.header) && allEqual(query, request.query);
}

function allEqual(wanted: readonly ValueMatch[] | undefined, actual: (name: string) => string | undefined): boolean {
  if (wanted === undefined) return true;
  for (const { name, value } of wanted) if (actual(name) !== value) return false;
  return true;
}

// Frozen data is indexed once: a host that an edit leaves alone keeps its tree.
const hostIndexes = new WeakMap<Listener, ReadonlyMap<string, VirtualHost>>();
const pathIndexes = new WeakMap<VirtualHost, PathIndex>();

function hostsOf(listener: Listener): ReadonlyMap<string, VirtualHost> {
  let hosts = hostIndexes.get(listener);
  if (hosts === undefined) hostIndexes.set(listener, (hosts = new Map(listener.virtualHosts.map((host) => [host.host, host]))));
  return hosts;
}

function pathsOf(host: VirtualHost): PathIndex {
  let index = pathIndexes.get(host);
  if (index === undefined) pathIndexes.set(host, (index = indexPaths(host.routes)));
  return index;
}

function indexPaths(routes: readonly Route[]): PathIndex {
  const exact = new Map<string, Route[]>();
  const root: PathNode = { children: undefined, routes: undefined };
  const defaults: Route[] = [];
  for (const route of routes) {
    const { path } = route.match;
    switch (path.kind) {
      case "exact":
        exact.set(path.value, [...(exact.get(path.value) ?? []), route]);
        break;
      case "prefix":
        (nodeAt(root, path.value).routes ??= []).push(route);
        break;
      case "default":
        defaults.push(route);
    }
  }
  return { exact, root, defaults };
}

function nodeAt(root: PathNode, prefix: string): PathNode {
  let node = root;
  if (prefix === "/") return node;
  for (const element of prefix.slice(1).split("/")) {
    const children: Map<string, PathNode> = (node.children ??= new Map());
    let child = children.get(element);
    if (child === undefined) children.set(element, (child = { children: undefined, routes: undefined }));
    node = child;
  }
  return node;
}
