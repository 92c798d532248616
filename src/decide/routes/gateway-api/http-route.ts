/** The rules of an HTTPRoute or GRPCRoute as routes of the table: one for each match of each rule. */
import { normalizePath, prefixElements } from "../path.ts";
import { wholePattern } from "../pattern.ts";
import type { SourceRef } from "../reasons.ts";
import type {
  BackendRef,
  PathMatch,
  RetryPolicy,
  Route,
  RouteMatch,
  RouteTimeouts,
  SessionPersistence,
  ValueMatch,
} from "../route-table.ts";
import { backendRef, type RefContext } from "./backend-refs.ts";
import { durationMs } from "./durations.ts";
import { translateFilters } from "./filters.ts";
import type {
  GrpcRoute,
  GrpcRouteRule,
  HttpRoute,
  HttpRouteMatch,
  HttpRouteRule,
  RouteBackendRef,
  SessionPersistenceSpec,
  ValueMatcher,
} from "./objects.ts";

export interface CompiledRules {
  readonly routes: readonly Route[];
  /** Sentences: what of which rule cannot be done. */
  readonly unsupported: readonly string[];
  /** Rules of which nothing is served. */
  readonly refusedRules: number;
}

type Rule = HttpRouteRule | GrpcRouteRule;

export function compileHttpRoute(route: HttpRoute, context: RefContext): CompiledRules {
  const rules = route.spec.rules ?? [{}];
  return compileRules(route, rules, context, (rule) => (rule.matches?.length ? rule.matches : [{}]).map(httpMatch), httpExtras);
}

export function compileGrpcRoute(route: GrpcRoute, context: RefContext): CompiledRules {
  const rules = route.spec.rules ?? [{}];
  return compileRules(
    route,
    rules,
    context,
    (rule) => (rule.matches?.length ? rule.matches : [{}]).map(grpcMatch),
    () => ({ timeouts: {} }),
  );
}

type Extras = Pick<Route, "timeouts" | "retry">;

function compileRules<R extends Rule>(
  route: HttpRoute | GrpcRoute,
  rules: readonly R[],
  context: RefContext,
  matchesOf: (rule: R) => readonly (RouteMatch | string)[],
  extrasOf: (rule: R) => Extras,
): CompiledRules {
  const unsupported: string[] = [];
  let refusedRules = 0;
  const routes = rules.flatMap((rule, index) => {
    const name = `rules[${index}]${rule.name === undefined ? "" : ` (${rule.name})`}`;
    const { filters, unsupported: faults } = translateFilters(rule.filters ?? [], context);
    const backends = backendsOf(rule.backendRefs ?? [], context, faults);
    const good: RouteMatch[] = [];
    const wrong = [...faults];
    for (const match of matchesOf(rule))
      if (typeof match === "string") wrong.push(match);
      else good.push(match);
    unsupported.push(...wrong.map((text) => `spec.${name}: ${text}`));
    if (faults.length > 0 || good.length === 0) refusedRules += 1;
    const rest = { filters, backends: backends, ...extrasOf(rule), ...persistence(rule.sessionPersistence, route, index) };
    return good.map((match, at): Route => ({ ...identity(route, index, rule.name, at), match, ...rest }));
  });
  return { routes, unsupported, refusedRules };
}

/** Filters of a backend are for its share only. */
function backendsOf(refs: readonly RouteBackendRef[], context: RefContext, faults: readonly string[]): readonly BackendRef[] {
  return refs.flatMap((ref) => {
    const found = backendRef(ref, context);
    if (found.weight === 0) return [];
    const { filters, unsupported } = translateFilters(ref.filters ?? [], context);
    (faults as string[]).push(...unsupported);
    return [filters.length === 0 ? found : { ...found, filters }];
  });
}

function identity(route: HttpRoute | GrpcRoute, rule: number, name: string | undefined, match: number): Pick<Route, "id" | "source"> {
  const { namespace = "", name: object = "" } = route.metadata;
  const field = `spec.rules[${rule}].matches[${match}]`;
  const source: SourceRef = { kind: route.kind, namespace, name: object, field };
  return { id: `${route.kind} ${namespace}/${object} ${field}${name === undefined ? "" : ` (${name})`}`, source };
}

function httpMatch({ path, method, headers = [], queryParams = [] }: HttpRouteMatch): RouteMatch | string {
  const where = pathMatch(path?.type ?? "PathPrefix", path?.value ?? "/");
  if (typeof where === "string") return where;
  const fault = patternFault([...headers, ...queryParams]);
  if (fault !== undefined) return fault;
  return { path: where, ...(method === undefined ? {} : { method }), ...values(headers, queryParams) };
}

function pathMatch(type: string, text: string): PathMatch | string {
  if (type === "RegularExpression") {
    const pattern = wholePattern(text);
    return pattern.kind === "ok" ? { kind: "regex", value: text } : `path ${JSON.stringify(text)} ${pattern.why}`;
  }
  const normal = normalizePath(text);
  if (normal.kind === "bad") return `path ${JSON.stringify(text)}: ${normal.why}`;
  if (type === "Exact") return { kind: "exact", value: normal.path };
  return type === "PathPrefix"
    ? { kind: "prefix", value: `/${prefixElements(normal.path).join("/")}` }
    : `a path of type ${type} is not supported`;
}

function patternFault(all: readonly ValueMatcher[]): string | undefined {
  for (const { name, value, type = "Exact" } of all) {
    if (type === "Exact") continue;
    if (type !== "RegularExpression") return `a match of type ${type} is not supported`;
    const pattern = wholePattern(value);
    if (pattern.kind === "bad") return `the pattern ${JSON.stringify(value)} of ${name} ${pattern.why}`;
  }
  return undefined;
}

/** "Only the first entry with an equivalent header name MUST be considered." */
function values(headers: readonly ValueMatcher[], query: readonly ValueMatcher[]): Pick<RouteMatch, "headers" | "query"> {
  const first = (all: readonly ValueMatcher[], nameOf: (name: string) => string): readonly ValueMatch[] => {
    const kept = new Map<string, ValueMatch>();
    for (const { name, value, type } of all) {
      const key = nameOf(name);
      if (!kept.has(key)) kept.set(key, { name: key, value, ...(type === "RegularExpression" ? { regex: true as const } : {}) });
    }
    return [...kept.values()];
  };
  return {
    ...(headers.length === 0 ? {} : { headers: first(headers, (name) => name.toLowerCase()) }),
    ...(query.length === 0 ? {} : { query: first(query, (name) => name) }),
  };
}

/** gRPC is HTTP/2's POST to `/package.Service/Method`. */
function grpcMatch({ method, headers = [] }: NonNullable<GrpcRouteRule["matches"]>[number]): RouteMatch | string {
  const fault = patternFault(headers);
  if (fault !== undefined) return fault;
  const { type = "Exact", service = "", method: name = "" } = method ?? {};
  const path = type === "Exact" ? grpcPath(service, name) : pathMatch("RegularExpression", `/${service || "[^/]+"}/${name || "[^/]+"}`);
  return typeof path === "string" ? path : { path, ...values(headers, []) };
}

function grpcPath(service: string, method: string): PathMatch {
  if (service !== "") return method === "" ? { kind: "prefix", value: `/${service}` } : { kind: "exact", value: `/${service}/${method}` };
  return method === "" ? { kind: "prefix", value: "/" } : { kind: "regex", value: `/[^/]+/${method}` };
}

function httpExtras({ timeouts = {}, retry }: HttpRouteRule): Extras {
  const [requestMs, backendRequestMs] = [durationMs(timeouts.request), durationMs(timeouts.backendRequest)];
  // "A zero-valued duration disables the timeout."
  const times: RouteTimeouts = {
    ...(requestMs === undefined ? {} : { requestMs: requestMs || Number.POSITIVE_INFINITY }),
    ...(backendRequestMs === undefined ? {} : { backendRequestMs: backendRequestMs || Number.POSITIVE_INFINITY }),
  };
  return { timeouts: times, ...(retry === undefined ? {} : { retry: retryPolicy(retry) }) };
}

function retryPolicy({ attempts = 1, codes = [], backoff }: NonNullable<HttpRouteRule["retry"]>): RetryPolicy {
  return { attempts, codes, backoffMs: durationMs(backoff) ?? 25 };
}

/** GEP-1619. Without a name, one of the rule's own: rules do not share sessions. */
function persistence(
  spec: SessionPersistenceSpec | undefined,
  { metadata }: HttpRoute | GrpcRoute,
  rule: number,
): { readonly persistence?: SessionPersistence } {
  if (spec === undefined) return {};
  const { type = "Cookie", sessionName, absoluteTimeout, cookieConfig } = spec;
  const name = sessionName ?? `fairlead-${metadata.namespace}-${metadata.name}-${rule}`;
  const lifetime = cookieConfig?.lifetimeType === "Permanent" ? durationMs(absoluteTimeout) : undefined;
  return {
    persistence: {
      kind: type === "Header" ? "header" : "cookie",
      name,
      path: "/",
      ...(lifetime === undefined ? {} : { maxAgeSeconds: Math.ceil(lifetime / 1000) }),
    },
  };
}
