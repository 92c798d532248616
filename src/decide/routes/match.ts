/**
 * Which route takes a request. The most specific host with a matching route wins, then the order of `compareHostRoutes`;
 * default backends come after every rule. What it costs depends on the length of the request's path, not on the number of
 * rules: hosts are in a map, paths in a tree of elements, both made once for each table and host.
 */
import { suffixPatterns, wildcardOf } from "./host.ts";
import { leadingPattern, wholePattern } from "./pattern.ts";
import type { Listener, ListenerSection, Route, ValueMatch, VirtualHost } from "./route-table.ts";

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
  if (listener.sections !== undefined) return matchSections(listener, request);
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

/** The listener that a host belongs to; undefined: no listener takes it. */
export function sectionOf({ sections = [] }: Listener, host: string): ListenerSection | undefined {
  if (sections.length <= 1) return sections[0] === undefined || takesHost(sections[0], host) ? sections[0] : undefined;
  return mostSpecific(sectionsOf(sections), host);
}

function takesHost(section: ListenerSection, host: string): boolean {
  return section.host === "*" || mostSpecific(new Map([[section.host, section]]), host) !== undefined;
}

function mostSpecific<T>(byPattern: ReadonlyMap<string, T>, host: string): T | undefined {
  const exact = byPattern.get(host);
  if (exact !== undefined) return exact;
  for (const pattern of suffixPatterns(host)) {
    const found = byPattern.get(pattern);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** "Proxies MUST prioritize" by the characters of the host, then of the path (HTTPRoute `rules.matches`): every host is asked in turn. */
function matchSections(listener: Listener, request: RouteRequest): MatchResult {
  const section = sectionOf(listener, request.host);
  if (section === undefined) return { kind: "none", hostKnown: false };
  const hosts = hostsOf(section);
  let found = find(hosts.get(request.host), request, byRule);
  let known = hosts.has(request.host);
  if (found !== undefined) return found;
  for (const pattern of suffixPatterns(request.host)) {
    found = find(hosts.get(pattern), request, byRule);
    if (found !== undefined) return found;
    known ||= hosts.has(pattern);
  }
  return { kind: "none", hostKnown: known };
}

type Search = (index: PathIndex, request: RouteRequest) => Route | undefined;

function find(host: VirtualHost | undefined, request: RouteRequest, search: Search): MatchResult | undefined {
  if (host === undefined) return undefined;
  const route = search(pathsOf(host), request);
  return route === undefined ? undefined : { kind: "route", host: host.host, route };
}

const byRule: Search = (index, request) =>
  first(index.exact.get(request.path), request) ??
  (index.patterns.length === 0 ? undefined : firstPattern(index.patterns, request)) ??
  longest(index.root, request, 0);
const byDefault: Search = (index, request) => first(index.defaults, request);

/** An element of paths: what follows it, and the prefixes that end with it. */
interface PathNode {
  children: Map<string, PathNode> | undefined;
  routes: Route[] | undefined;
}

interface PathIndex {
  readonly exact: ReadonlyMap<string, readonly Route[]>;
  /** Asked one by one: a pattern says nothing about where it may be looked up. */
  readonly patterns: readonly { readonly pattern: RegExp; readonly route: Route }[];
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

function firstPattern(patterns: PathIndex["patterns"], request: RouteRequest): Route | undefined {
  for (const { pattern, route } of patterns) if (pattern.test(request.path) && conditionsHold(route, request)) return route;
  return undefined;
}

/** Of a path of kind `regex`. Routes with patterns that cannot run are left out before they come here. */
export function pathPattern({ value, leading }: { readonly value: string; readonly leading?: true }): RegExp | undefined {
  const result = leading === true ? leadingPattern(value) : wholePattern(value);
  return result.kind === "ok" ? result.pattern : undefined;
}

/** Method, headers and query; the path is known to match. */
export function conditionsHold({ match: { method, headers, query } }: Route, request: RouteRequest): boolean {
  if (method !== undefined && method !== request.method) return false;
  return allEqual(headers, request.header) && allEqual(query, request.query);
}

function allEqual(wanted: readonly ValueMatch[] | undefined, actual: (name: string) => string | undefined): boolean {
  if (wanted === undefined) return true;
  for (const each of wanted) if (!valueHolds(each, actual(each.name))) return false;
  return true;
}

export function valueHolds({ value, regex }: ValueMatch, actual: string | undefined): boolean {
  if (regex === undefined) return actual === value;
  const result = wholePattern(value);
  return actual !== undefined && result.kind === "ok" && result.pattern.test(actual);
}

// Frozen data is indexed once: a host that an edit leaves alone keeps its tree.
const hostIndexes = new WeakMap<Listener | ListenerSection, ReadonlyMap<string, VirtualHost>>();
const sectionIndexes = new WeakMap<readonly ListenerSection[], ReadonlyMap<string, ListenerSection>>();
const pathIndexes = new WeakMap<VirtualHost, PathIndex>();

function sectionsOf(sections: readonly ListenerSection[]): ReadonlyMap<string, ListenerSection> {
  let index = sectionIndexes.get(sections);
  if (index === undefined) sectionIndexes.set(sections, (index = new Map(sections.map((section) => [section.host, section]))));
  return index;
}

function hostsOf(listener: Listener | ListenerSection): ReadonlyMap<string, VirtualHost> {
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
  const patterns: { pattern: RegExp; route: Route }[] = [];
  for (const route of routes) {
    const { path } = route.match;
    switch (path.kind) {
      case "exact":
        append(exact, path.value, route);
        break;
      case "regex": {
        const pattern = pathPattern(path);
        if (pattern !== undefined) patterns.push({ pattern, route });
        break;
      }
      case "prefix":
        (nodeAt(root, path.value).routes ??= []).push(route);
        break;
      case "default":
        defaults.push(route);
    }
  }
  return { exact, patterns, root, defaults };
}

function append(map: Map<string, Route[]>, key: string, route: Route): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [route]);
  else list.push(route);
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
