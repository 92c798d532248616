/**
 * Ingresses and their annotations as the Gateway API: the same routes that are served for them (`translateIngress`), written as
 * HTTPRoutes of one Gateway for each namespace. What the Gateway API has no word for is refused by name.
 */
import type { Ingress } from "../../../api/types.ts";
import { readAnnotations } from "../annotations.ts";
import { withCanaries } from "../canary.ts";
import { translateIngress, type HostRoute } from "../ingress.ts";
import { compareHostRoutes } from "../merge.ts";
import type { BackendRef, CertificateRef, Filter, Route, RouteMatch } from "../route-table.ts";
import { gatewayApiVersion, objectName, type Conversion, type ConversionNote, type ConvertedObject } from "./converted.ts";

export interface ConvertOptions {
  /** Of the Gateways that are written. */
  readonly gatewayName: string;
  readonly gatewayClassName: string;
  /** The number of a Service's port that is named; undefined: it is not known. */
  readonly portNumber: (namespace: string, service: string, port: string) => number | undefined;
}

export function convertIngresses(ingresses: readonly Ingress[], options: ConvertOptions): Conversion {
  const byNamespace = Map.groupBy(ingresses, ({ metadata }) => metadata.namespace ?? "default");
  const all = [...byNamespace].map(([namespace, own]) => convertNamespace(namespace, own, options));
  return { objects: all.flatMap(({ objects }) => objects), notes: all.flatMap(({ notes }) => notes) };
}

function convertNamespace(namespace: string, ingresses: readonly Ingress[], options: ConvertOptions): Conversion {
  const notes: ConversionNote[] = [];
  const translated = ingresses.map((ingress) => {
    const { routes, certificates, problems } = translateIngress(ingress);
    const object = `Ingress ${namespace}/${ingress.metadata.name}`;
    for (const { source, message, severity, reason } of problems) {
      if (reason !== "UnsupportedAnnotation")
        notes.push({ verdict: severity === "error" ? "refused" : "differs", object, field: source.field, message });
    }
    for (const { key, verdict, message } of readAnnotations(ingress.metadata.annotations, ingress.metadata).verdicts) {
      if (verdict === "refused" || verdict === "unknown")
        notes.push({ verdict: "refused", object, field: `metadata.annotations[${key}]`, message });
    }
    return { routes, certificates };
  });
  const hosts = Map.groupBy(
    translated.flatMap(({ routes }) => routes),
    ({ host }) => host,
  );
  const certificates = translated.flatMap((each) => each.certificates);
  const routes = [...hosts].flatMap(([host, own]) => httpRoutes(namespace, host, own, options, notes));
  return { objects: [gateway(namespace, certificates, options, notes), ...routes], notes };
}

function gateway(
  namespace: string,
  certificates: readonly CertificateRef[],
  options: ConvertOptions,
  notes: ConversionNote[],
): ConvertedObject {
  const seen = new Set<string>();
  const secure = certificates.flatMap(({ host, certificate, source }) => {
    if (seen.has(host)) return [];
    seen.add(host);
    if (certificate.kind === "unspecified") {
      notes.push({
        verdict: "refused",
        object: `Ingress ${namespace}/${source.name}`,
        field: source.field,
        message: `TLS for ${host} names no Secret, which a listener must`,
      });
      return [];
    }
    const hostname = host === "*" ? {} : { hostname: host };
    return [
      {
        name: objectName("https", host),
        port: 443,
        protocol: "HTTPS",
        ...hostname,
        tls: { certificateRefs: [{ name: certificate.name }] },
      },
    ];
  });
  return {
    apiVersion: gatewayApiVersion,
    kind: "Gateway",
    metadata: { name: options.gatewayName, namespace },
    spec: { gatewayClassName: options.gatewayClassName, listeners: [{ name: "http", port: 80, protocol: "HTTP" }, ...secure] },
  };
}

/** One for each Ingress and host; those that lead plain requests to HTTPS belong to the plain listener only. */
function httpRoutes(
  namespace: string,
  host: string,
  routes: readonly HostRoute[],
  options: ConvertOptions,
  notes: ConversionNote[],
): readonly ConvertedObject[] {
  const { routes: merged } = withCanaries(routes);
  const byObject = Map.groupBy(merged.toSorted(compareHostRoutes), ({ route }) => route.source.name);
  return [...byObject].flatMap(([name, own]) => {
    const plainOnly = own.filter(({ route }) => route.filters.some(isToHttps));
    const rest = own.map(({ route }) => ({ ...route, filters: route.filters.filter((filter) => !isToHttps(filter)) }));
    const object = (suffix: readonly string[], all: readonly Route[], sections: readonly object[]): readonly ConvertedObject[] => {
      const rules = all.flatMap((route) => rule(route, namespace, options, notes) ?? []);
      return rules.length === 0
        ? []
        : [
            {
              apiVersion: gatewayApiVersion,
              kind: "HTTPRoute",
              metadata: { name: objectName(name, host, ...suffix), namespace },
              spec: {
                parentRefs: sections,
                ...(host === "*" ? {} : { hostnames: [host] }),
                rules,
              },
            },
          ];
    };
    const parent = { name: options.gatewayName };
    if (plainOnly.length === 0) return object([], rest, [parent]);
    const redirects = own.map(({ route }) =>
      route.filters.some(isToHttps) ? { ...route, filters: route.filters.filter(isToHttps), backends: [] } : route,
    );
    const secure = { ...parent, sectionName: objectName("https", host) };
    return [...object(["to-https"], redirects, [{ ...parent, sectionName: "http" }]), ...object([], rest, [secure])];
  });
}

function isToHttps(filter: Filter): boolean {
  return filter.kind === "redirect" && filter.onlyFrom === "http";
}

function rule(route: Route, namespace: string, { portNumber }: ConvertOptions, notes: ConversionNote[]): object | undefined {
  const refuse = (message: string) => {
    notes.push({ verdict: "refused", object: `Ingress ${namespace}/${route.source.name}`, field: route.source.field, message });
    return undefined;
  };
  const filters = route.filters.map(filterOf);
  for (const each of filters) if (typeof each === "string") refuse(each);
  if (filters.includes(keepsOut)) return undefined;
  const backends = route.backends.map((ref) => backendOf(ref, portNumber));
  const named = route.backends[backends.indexOf(undefined)];
  if (named !== undefined) {
    const text = named.port.kind === "name" ? JSON.stringify(named.port.name) : "";
    return refuse(`port ${text} of Service ${named.name} is named; an HTTPRoute wants its number, and the Service is not among the files`);
  }
  if (route.retry !== undefined || route.persistence !== undefined) {
    notes.push({
      verdict: "differs",
      object: `Ingress ${namespace}/${route.source.name}`,
      field: route.source.field,
      message: "retry and sessionPersistence are in the experimental channel of the Gateway API",
    });
  }
  const { responseMs } = route.timeouts;
  return {
    matches: [matchOf(route.match)],
    ...(filters.some((each) => typeof each !== "string") ? { filters: filters.filter((each) => typeof each !== "string") } : {}),
    ...(route.backends.length === 0 ? {} : { backendRefs: backends }),
    ...(responseMs === undefined ? {} : { timeouts: { backendRequest: `${responseMs / 1000}s` } }),
    ...(route.retry === undefined ? {} : { retry: { attempts: route.retry.attempts, codes: route.retry.codes } }),
    ...(route.persistence === undefined ? {} : { sessionPersistence: { type: "Cookie", sessionName: route.persistence.name } }),
  };
}

function matchOf({ path, headers = [] }: RouteMatch): object {
  const where = {
    exact: () => ({ type: "Exact", value: path.kind === "exact" ? path.value : "/" }),
    prefix: () => ({ type: "PathPrefix", value: path.kind === "prefix" ? path.value : "/" }),
    default: () => ({ type: "PathPrefix", value: "/" }),
    regex: () => ({ type: "RegularExpression", value: path.kind === "regex" ? (path.leading ? `(?i)${path.value}.*` : path.value) : "" }),
  };
  const unique = [...new Map(headers.map((each) => [`${each.name} ${each.value}`, each])).values()];
  const wanted = unique.map(({ name, value, regex }) => ({ ...(regex === undefined ? {} : { type: "RegularExpression" }), name, value }));
  return { path: where[path.kind](), ...(wanted.length === 0 ? {} : { headers: wanted }) };
}

function backendOf({ namespace, name, port, weight }: BackendRef, portNumber: ConvertOptions["portNumber"]): object | undefined {
  if (port.kind === "first") return undefined;
  const number = port.kind === "number" ? port.number : portNumber(namespace, name, port.name);
  return number === undefined ? undefined : { name, port: number, ...(weight === 1 ? {} : { weight }) };
}

/** Without it requests would come through that were to be kept out: the rule is not written at all. */
const keepsOut =
  "ranges of addresses, passwords and asking others have no word in the Gateway API: the rule is left out, as it would be open to everybody";

/** Or why the Gateway API cannot say it. */
function filterOf(filter: Filter): object | string {
  switch (filter.kind) {
    case "request-headers":
      return { type: "RequestHeaderModifier", requestHeaderModifier: modifier(filter.change) };
    case "response-headers":
      return { type: "ResponseHeaderModifier", responseHeaderModifier: modifier(filter.change) };
    case "rewrite":
      if (filter.path?.kind === "groups") return "groups of a pattern in a rewrite have no word in the Gateway API";
      return {
        type: "URLRewrite",
        urlRewrite: { ...(filter.host === undefined ? {} : { hostname: filter.host }), ...pathOf(filter.path) },
      };
    case "redirect":
      return redirectOf(filter);
    case "cors": {
      const { origins, credentials, methods, headers, expose, maxAgeSeconds } = filter.policy;
      return {
        type: "CORS",
        cors: {
          allowOrigins: origins,
          allowCredentials: credentials,
          allowMethods: methods,
          allowHeaders: headers,
          exposeHeaders: expose,
          maxAge: maxAgeSeconds,
        },
      };
    }
    case "mirror":
      return "an annotation that mirrors is not converted";
    case "source":
    case "basic-auth":
    case "external-auth":
      return keepsOut;
    case "limit-body":
      return "limits of bodies have no word in the Gateway API";
    case "limit-rate":
    case "limit-connections":
      return "limits of rates have no word in the Gateway API";
    case "error-pages":
      return "answers in the place of errors have no word in the Gateway API";
    case "refuse":
      return filter.message;
  }
}

function modifier({ set, add, remove }: Extract<Filter, { kind: "request-headers" }>["change"]): object {
  return { ...(set.length === 0 ? {} : { set }), ...(add.length === 0 ? {} : { add }), ...(remove.length === 0 ? {} : { remove }) };
}

function pathOf(path: Extract<Filter, { kind: "rewrite" }>["path"]): object {
  if (path === undefined) return {};
  return path.kind === "prefix"
    ? { path: { type: "ReplacePrefixMatch", replacePrefixMatch: path.value } }
    : { path: { type: "ReplaceFullPath", replaceFullPath: path.value } };
}

function redirectOf({ status, scheme, host, port, path, to }: Extract<Filter, { kind: "redirect" }>): object | string {
  if (to !== undefined) {
    const url = URL.canParse(to) ? new URL(to) : undefined;
    if (url === undefined || url.search !== "") return `an address with a query (${to}) has no word in the Gateway API`;
    const number = url.port === "" ? {} : { port: Number(url.port) };
    return {
      type: "RequestRedirect",
      requestRedirect: {
        scheme: url.protocol.slice(0, -1),
        hostname: url.hostname,
        ...number,
        path: { type: "ReplaceFullPath", replaceFullPath: url.pathname },
        statusCode: status,
      },
    };
  }
  const more = {
    ...(scheme === undefined ? {} : { scheme }),
    ...(host === undefined ? {} : { hostname: host }),
    ...(port === undefined ? {} : { port }),
  };
  return { type: "RequestRedirect", requestRedirect: { ...more, ...pathOf(path), statusCode: status } };
}
