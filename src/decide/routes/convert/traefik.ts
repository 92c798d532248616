/** Traefik's IngressRoutes (traefik.io/v1alpha1) as HTTPRoutes; what the Gateway API has no word for is refused by name. */
import type { KubeObject } from "../../../api/object.ts";
import { gatewayApiVersion, objectName, type Conversion, type ConversionNote, type ConvertedObject } from "./converted.ts";
import { parseRule, type RuleCondition } from "./traefik-rule.ts";

interface IngressRoute extends KubeObject {
  readonly spec?: {
    readonly routes?: readonly {
      readonly match?: string;
      readonly services?: readonly {
        readonly name: string;
        readonly port?: number | string;
        readonly weight?: number;
        readonly kind?: string;
        readonly namespace?: string;
      }[];
      readonly middlewares?: readonly { readonly name: string }[];
    }[];
    readonly tls?: { readonly secretName?: string };
  };
}

export interface Middleware extends KubeObject {
  readonly spec?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

export function convertIngressRoutes(routes: readonly KubeObject[], middlewares: readonly Middleware[], parent: object): Conversion {
  const notes: ConversionNote[] = [];
  return { objects: routes.flatMap((route) => convertOne(route as IngressRoute, middlewares, parent, notes)), notes };
}

function convertOne(
  { metadata, spec }: IngressRoute,
  middlewares: readonly Middleware[],
  parent: object,
  notes: ConversionNote[],
): readonly ConvertedObject[] {
  const { namespace = "default", name = "" } = metadata;
  const object = `IngressRoute ${namespace}/${name}`;
  const refuse = (field: string, message: string) => void notes.push({ verdict: "refused", object, field, message });
  if (spec?.tls !== undefined)
    notes.push({ verdict: "differs", object, field: "spec.tls", message: "the certificate belongs to a listener of the Gateway" });
  const byHosts = new Map<string, object[]>();
  for (const [index, { match = "", services = [], middlewares: used = [] }] of (spec?.routes ?? []).entries()) {
    const field = `spec.routes[${index}]`;
    const rule = parseRule(match);
    if (rule.kind === "bad") {
      refuse(`${field}.match`, `the rule ${rule.why}`);
      continue;
    }
    const filters = used.map(({ name: wanted }) =>
      middlewareFilter(
        wanted,
        middlewares.find((each) => each.metadata.name === wanted),
      ),
    );
    const wrong = [
      ...filters.filter((each) => typeof each === "string"),
      ...services
        .filter(({ port, kind = "Service" }) => typeof port !== "number" || kind !== "Service")
        .map((each) => `Service ${each.name}: only Services by a port's number`),
    ];
    if (wrong.length > 0) {
      for (const message of wrong) refuse(field, message);
      continue;
    }
    for (const conditions of rule.alternatives) {
      const { hosts, match: wanted, wrong: faults } = conditionsOf(conditions);
      if (faults.length > 0) {
        for (const message of faults) refuse(`${field}.match`, message);
        continue;
      }
      const backendRefs = services.map(({ name: service, port, weight }) => ({
        name: service,
        port,
        ...(weight === undefined ? {} : { weight }),
      }));
      const key = hosts.toSorted().join(",");
      const rules = byHosts.get(key) ?? [];
      rules.push({ matches: [wanted], ...(filters.length === 0 ? {} : { filters }), backendRefs });
      byHosts.set(key, rules);
    }
  }
  return [...byHosts].map(([hosts, rules], index) => ({
    apiVersion: gatewayApiVersion,
    kind: "HTTPRoute",
    metadata: { name: objectName(name, ...(index === 0 ? [] : [String(index)])), namespace },
    spec: { parentRefs: [parent], ...(hosts === "" ? {} : { hostnames: hosts.split(",") }), rules },
  }));
}

function conditionsOf(conditions: readonly RuleCondition[]): {
  readonly hosts: readonly string[];
  readonly match: object;
  readonly wrong: readonly string[];
} {
  const hosts: string[] = [];
  const wrong: string[] = [];
  const match: { path?: object; method?: string; headers: object[]; queryParams: object[] } = { headers: [], queryParams: [] };
  for (const { name, args } of conditions) {
    const [first = "", second = ""] = args;
    switch (name) {
      case "Host":
        hosts.push(...args);
        break;
      case "Path":
        match.path = { type: "Exact", value: first };
        break;
      case "PathPrefix":
        match.path = { type: "PathPrefix", value: first };
        break;
      case "PathRegexp":
        match.path = { type: "RegularExpression", value: first };
        break;
      case "Method":
        match.method = first;
        break;
      case "Header":
        match.headers.push({ name: first, value: second });
        break;
      case "HeaderRegexp":
        match.headers.push({ type: "RegularExpression", name: first, value: second });
        break;
      case "Query":
        match.queryParams.push({ name: first, value: second });
        break;
      default:
        wrong.push(`the condition ${name} has no word in the Gateway API`);
    }
  }
  const { headers, queryParams, ...rest } = match;
  return {
    hosts,
    wrong,
    match: { ...rest, ...(headers.length === 0 ? {} : { headers }), ...(queryParams.length === 0 ? {} : { queryParams }) },
  };
}

/** Or why not. */
function middlewareFilter(name: string, middleware: Middleware | undefined): object | string {
  if (middleware === undefined) return `Middleware ${name} is not among the files`;
  const [kind = "", options = {}] = Object.entries(middleware.spec ?? {})[0] ?? [];
  switch (kind) {
    case "stripPrefix":
      return { type: "URLRewrite", urlRewrite: { path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/" } } };
    case "replacePath":
      return { type: "URLRewrite", urlRewrite: { path: { type: "ReplaceFullPath", replaceFullPath: options["path"] } } };
    case "redirectScheme":
      return {
        type: "RequestRedirect",
        requestRedirect: { scheme: options["scheme"], statusCode: options["permanent"] === true ? 301 : 302 },
      };
    case "headers": {
      const of = (field: string) =>
        Object.entries((options[field] ?? {}) as Readonly<Record<string, string>>).map(([header, value]) => ({ name: header, value }));
      const [asked, answered] = [of("customRequestHeaders"), of("customResponseHeaders")];
      const known = new Set(["customRequestHeaders", "customResponseHeaders"]);
      const other = Object.keys(options).find((field) => !known.has(field));
      if (other !== undefined || (asked.length > 0 && answered.length > 0))
        return `Middleware ${name}: headers.${other ?? "both directions at once"} is not converted`;
      return asked.length > 0
        ? { type: "RequestHeaderModifier", requestHeaderModifier: { set: asked } }
        : { type: "ResponseHeaderModifier", responseHeaderModifier: { set: answered } };
    }
    default:
      return `Middleware ${name} of kind ${kind} has no word in the Gateway API`;
  }
}
