/**
 * One Ingress (networking.k8s.io/v1) as routes: what it says by itself, without looking at any other object. Whatever
 * cannot be used becomes a problem with a reason and is left out; the rest of the Ingress works.
 */
import type { HTTPIngressPath, Ingress, IngressBackend, IngressRule } from "../../api/types.ts";
import { inOrder, nginxPrefix, readAnnotations, toHttps, type AnnotationEffects } from "./annotations.ts";
import type { CanaryRule } from "./annotation-draft.ts";
import { hostMatches, hostPattern } from "./host.ts";
import { normalizePath, prefixElements } from "./path.ts";
import { leadingPattern } from "./pattern.ts";
import type { RouteProblem, RouteReason, SourceRef } from "./reasons.ts";
import type { BackendRef, CertificateRef, Filter, PathMatch, Route } from "./route-table.ts";

/** A route and where it belongs, before several objects are merged. */
export interface HostRoute {
  readonly host: string;
  readonly route: Route;
  /** RFC 3339; older objects win over younger ones. */
  readonly created: string;
  /** For default backends on every host: one of an Ingress without rules was meant for nothing else. */
  readonly secondary: boolean;
  /** Its path is a pattern, and so are all others of the host (ingress-nginx `use-regex`). */
  readonly pattern?: true;
  /** It has a part in the route of another Ingress. */
  readonly canary?: CanaryRule;
}

export interface Translation {
  readonly routes: readonly HostRoute[];
  readonly certificates: readonly CertificateRef[];
  readonly created: string;
  readonly problems: readonly RouteProblem[];
}

interface Scope {
  readonly ingress: Ingress;
  readonly annotations: AnnotationEffects;
  readonly created: string;
  readonly routes: HostRoute[];
  readonly problems: RouteProblem[];
}

export function translateIngress(ingress: Ingress): Translation {
  const created = ingress.metadata.creationTimestamp ?? "";
  const { rules = [], defaultBackend } = ingress.spec ?? {};
  const annotations = readAnnotations(ingress.metadata.annotations, ingress.metadata);
  const scope: Scope = { ingress, annotations, created, routes: [], problems: [] };
  for (const { key, severity, message } of annotations.problems) {
    report(scope, severity, "UnsupportedAnnotation", `metadata.annotations[${key}]`, message);
  }
  const hosts = rules.flatMap((rule, index) => translateRule(scope, rule, index) ?? []);
  for (const host of new Set(hosts)) addRedirects(scope, host, hosts);
  if (defaultBackend !== undefined) translateDefault(scope, defaultBackend, hosts);
  else if (rules.length === 0) report(scope, "error", "NoRules", "spec", "neither spec.rules nor spec.defaultBackend is set");
  const certificates = translateTls(scope, hosts);
  return { routes: scope.routes, certificates, created, problems: scope.problems };
}

export function ingressSource({ metadata }: Ingress, field: string): SourceRef {
  return { kind: "Ingress", namespace: metadata.namespace ?? "", name: metadata.name ?? "", field };
}

function report(scope: Scope, severity: RouteProblem["severity"], reason: RouteReason, field: string, message: string): void {
  scope.problems.push({ severity, reason, source: ingressSource(scope.ingress, field), message });
}

/** The rule's host, if it can be used. */
function translateRule(scope: Scope, rule: IngressRule, index: number): string | undefined {
  const field = `spec.rules[${index}]`;
  const host = hostPattern(rule.host);
  if (host === undefined) {
    report(scope, "error", "InvalidHost", `${field}.host`, `${JSON.stringify(rule.host)} is no host name`);
    return undefined;
  }
  for (const [position, path] of (rule.http?.paths ?? []).entries()) {
    for (const each of [host, ...scope.annotations.aliases]) translatePath(scope, each, path, `${field}.http.paths[${position}]`);
  }
  return host;
}

/** ingress-nginx's `app-root` and `from-to-www-redirect`. */
function addRedirects(scope: Scope, host: string, hosts: readonly string[]): void {
  const { appRoot, fromToWww, filters } = scope.annotations;
  const add = (on: string, name: string, path: PathMatch, redirect: Filter) => {
    const source = ingressSource(scope.ingress, `metadata.annotations[${nginxPrefix}${name}]`);
    const route: Route = {
      id: `Ingress ${source.namespace}/${source.name} ${name}`,
      source,
      match: { path },
      filters: [...filters.filter(({ kind }) => kind === "source"), redirect],
      backends: [],
      timeouts: {},
    };
    scope.routes.push({ host: on, route, created: scope.created, secondary: false });
  };
  if (appRoot !== undefined)
    add(host, "app-root", { kind: "exact", value: "/" }, { kind: "redirect", status: 302, path: { kind: "full", value: appRoot } });
  if (!fromToWww || host.startsWith("*")) return;
  const other = host.startsWith("www.") ? host.slice(4) : `www.${host}`;
  if (!hosts.includes(other)) add(other, "from-to-www-redirect", { kind: "prefix", value: "/" }, { kind: "redirect", status: 308, host });
}

function translatePath(scope: Scope, host: string, path: HTTPIngressPath, field: string): void {
  const match = pathMatch(scope, path, field);
  const backend = translateBackend(scope, path.backend, `${field}.backend`);
  if (match !== undefined && backend !== undefined) addRoute(scope, host, match, backend, field, false);
}

/**
 * `ImplementationSpecific` is `Prefix` here, which the API allows. Controllers that take it as a pattern or as a prefix of
 * letters serve more than that: what looks like a pattern gets a warning.
 */
function pathMatch(scope: Scope, { path = "", pathType }: HTTPIngressPath, field: string): PathMatch | undefined {
  const own = pathType === "ImplementationSpecific";
  if (scope.annotations.patterns) return patternMatch(scope, path, field);
  const text = own && path === "" ? "/" : path;
  const normal = text.startsWith("/") ? normalizePath(text) : ({ kind: "bad", why: "a path must begin with /" } as const);
  if (normal.kind === "bad") {
    report(scope, "error", "InvalidPath", `${field}.path`, `${JSON.stringify(path)}: ${normal.why}`);
    return undefined;
  }
  if (own && /[*()[\]^$|]/.test(text)) {
    report(scope, "warning", "PatternPath", `${field}.path`, `${JSON.stringify(path)} is taken letter for letter, not as a pattern`);
  }
  if (pathType === "Exact") return { kind: "exact", value: normal.path };
  if (pathType === "Prefix" || own) return { kind: "prefix", value: `/${prefixElements(normal.path).join("/")}` };
  report(scope, "error", "UnknownPathType", `${field}.pathType`, `${JSON.stringify(pathType)} is no path type`);
  return undefined;
}

/** "The case insensitive regular expression location modifier will be enforced on ALL paths" (ingress-nginx `ingress-path-matching.md`). */
function patternMatch(scope: Scope, path: string, field: string): PathMatch | undefined {
  const text = path === "" ? "/" : path;
  const pattern = leadingPattern(text);
  if (pattern.kind === "ok") return { kind: "regex", value: text, leading: true };
  report(scope, "error", "InvalidPath", `${field}.path`, `${JSON.stringify(path)} ${pattern.why}`);
  return undefined;
}

function translateBackend(scope: Scope, backend: IngressBackend | undefined, field: string): BackendRef | undefined {
  const { service, resource } = backend ?? {};
  if (resource !== undefined) {
    const what = `${resource.kind}${resource.apiGroup === undefined ? "" : `.${resource.apiGroup}`} ${JSON.stringify(resource.name)}`;
    report(scope, "error", "ResourceBackend", `${field}.resource`, `${what} is no Service, and nothing else can be a backend`);
    return undefined;
  }
  const { number = 0, name = "" } = service?.port ?? {};
  if (service === undefined || (number === 0 && name === "")) {
    const message = service === undefined ? "no Service is named" : `Service ${JSON.stringify(service.name)} is named without a port`;
    report(scope, "error", "BackendMissing", field, message);
    return undefined;
  }
  const port = name === "" ? ({ kind: "number", number } as const) : ({ kind: "name", name } as const);
  return {
    kind: "Service",
    namespace: scope.ingress.metadata.namespace ?? "",
    name: service.name,
    port,
    weight: 1,
    ...scope.annotations.backend,
  };
}

/**
 * "Requests that match no rule" (Ingress v1 `defaultBackend`): first those to the Ingress' own hosts, then any. For any host,
 * an Ingress that has nothing else comes first.
 */
function translateDefault(scope: Scope, defaultBackend: IngressBackend, hosts: readonly string[]): void {
  const field = "spec.defaultBackend";
  const backend = translateBackend(scope, defaultBackend, field);
  if (backend === undefined) return;
  const secondary = hosts.length > 0 && !hosts.includes("*");
  for (const host of new Set([...hosts, "*"])) addRoute(scope, host, { kind: "default" }, backend, field, host === "*" && secondary);
}

function addRoute(scope: Scope, host: string, path: PathMatch, backend: BackendRef, field: string, secondary: boolean): void {
  const source = ingressSource(scope.ingress, field);
  const id = `Ingress ${source.namespace}/${source.name} ${field}`;
  const { closed, filters, redirectHostsWithTls, timeouts, retry, persistence, patterns, canary } = scope.annotations;
  const route: Route = {
    id,
    source,
    match: { path },
    filters: redirectHostsWithTls && hasTls(scope.ingress, host) ? inOrder([...filters, toHttps]) : filters,
    backends: closed ? [] : [backend],
    timeouts,
    ...(retry === undefined ? {} : { retry }),
    ...(persistence === undefined ? {} : { persistence }),
  };
  const more = { ...(patterns ? { pattern: true as const } : {}), ...(canary === undefined ? {} : { canary }) };
  scope.routes.push({ host, route, created: scope.created, secondary, ...more });
}

function hasTls({ spec }: Ingress, host: string): boolean {
  return (spec?.tls ?? []).some(({ hosts = [] }) => hosts.length === 0 || hosts.some((each) => hostMatches(each, host)));
}

/** An entry without hosts is for the hosts of the rules; without any, for whoever has no other certificate. */
function translateTls(scope: Scope, ruleHosts: readonly string[]): readonly CertificateRef[] {
  const namespace = scope.ingress.metadata.namespace ?? "";
  return (scope.ingress.spec?.tls ?? []).flatMap(({ hosts = [], secretName = "" }, index) => {
    const field = `spec.tls[${index}]`;
    const certificate = secretName === "" ? ({ kind: "unspecified" } as const) : ({ kind: "secret", namespace, name: secretName } as const);
    const named = hosts.length > 0 ? hosts : ruleHosts.length > 0 ? ruleHosts : ["*"];
    return [...new Set(named)].flatMap((text): CertificateRef[] => {
      const host = text === "*" ? "*" : hostPattern(text);
      if (host !== undefined) return [{ host, source: ingressSource(scope.ingress, field), certificate }];
      report(scope, "error", "InvalidHost", `${field}.hosts`, `${JSON.stringify(text)} is no host name`);
      return [];
    });
  });
}
