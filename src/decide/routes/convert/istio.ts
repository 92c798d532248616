/** Istio's VirtualServices (networking.istio.io) as HTTPRoutes; what the Gateway API has no word for is refused by name. */
import type { KubeObject } from "../../../api/object.ts";
import { gatewayApiVersion, objectName, type Conversion, type ConversionNote, type ConvertedObject } from "./converted.ts";

type StringMatch = Readonly<Partial<Record<"exact" | "prefix" | "regex", string>>>;

interface Destination {
  readonly destination: { readonly host: string; readonly subset?: string; readonly port?: { readonly number?: number } };
  readonly weight?: number;
}

interface HttpRule {
  readonly name?: string;
  readonly match?: readonly Readonly<Record<string, unknown>>[];
  readonly route?: readonly Destination[];
  readonly rewrite?: { readonly uri?: string; readonly authority?: string };
  readonly redirect?: { readonly uri?: string; readonly authority?: string; readonly scheme?: string; readonly redirectCode?: number };
  readonly timeout?: string;
  readonly retries?: { readonly attempts?: number };
  readonly mirror?: Destination["destination"];
  readonly headers?: { readonly request?: Headers_; readonly response?: Headers_ };
}

interface Headers_ {
  readonly set?: Readonly<Record<string, string>>;
  readonly add?: Readonly<Record<string, string>>;
  readonly remove?: readonly string[];
}

interface VirtualService extends KubeObject {
  readonly spec?: {
    readonly hosts?: readonly string[];
    readonly http?: readonly HttpRule[];
    readonly tls?: unknown;
    readonly tcp?: unknown;
  };
}

const knownRule: ReadonlySet<string> = new Set([
  "name",
  "match",
  "route",
  "rewrite",
  "redirect",
  "timeout",
  "retries",
  "mirror",
  "headers",
]);
const knownMatch: ReadonlySet<string> = new Set(["name", "uri", "method", "headers", "queryParams"]);

export function convertVirtualServices(services: readonly KubeObject[], parent: object): Conversion {
  const notes: ConversionNote[] = [];
  return { objects: services.flatMap((each) => convertOne(each as VirtualService, parent, notes)), notes };
}

function convertOne({ metadata, spec }: VirtualService, parent: object, notes: ConversionNote[]): readonly ConvertedObject[] {
  const { namespace = "default", name = "" } = metadata;
  const refuse = (field: string, message: string) =>
    void notes.push({ verdict: "refused", object: `VirtualService ${namespace}/${name}`, field, message });
  for (const field of ["tls", "tcp"] as const)
    if (spec?.[field] !== undefined) refuse(`spec.${field}`, "is a TLSRoute or a TCPRoute: write those by hand");
  const rules = (spec?.http ?? []).flatMap(
    (rule, index) => ruleOf(rule, namespace, (message, field = "") => refuse(`spec.http[${index}]${field}`, message)) ?? [],
  );
  if (rules.length === 0) return [];
  const hosts = (spec?.hosts ?? []).filter((host) => host !== "*");
  const hostnames = hosts.length === 0 ? {} : { hostnames: hosts };
  return [
    {
      apiVersion: gatewayApiVersion,
      kind: "HTTPRoute",
      metadata: { name: objectName(name), namespace },
      spec: { parentRefs: [parent], ...hostnames, rules },
    },
  ];
}

type Refuse = (message: string, field?: string) => void;

/** Undefined: nothing of it is written, as it would do something else than it says. */
function ruleOf(rule: HttpRule, namespace: string, refuse: Refuse): object | undefined {
  const unknown = Object.keys(rule).filter((field) => !knownRule.has(field));
  for (const field of unknown) refuse(`${field} has no word in the Gateway API`, `.${field}`);
  const matches = (rule.match ?? []).map((match) => matchOf(match, refuse));
  const backends = (rule.route ?? []).map((each) => backendOf(each.destination, namespace, refuse, each.weight));
  const mirror = rule.mirror === undefined ? undefined : backendOf(rule.mirror, namespace, refuse);
  const broken =
    unknown.length > 0 ||
    matches.includes(undefined) ||
    backends.includes(undefined) ||
    (rule.mirror !== undefined && mirror === undefined);
  if (broken) return undefined;
  const filters = [
    ...headerFilters(rule),
    ...(mirror === undefined ? [] : [{ type: "RequestMirror", requestMirror: { backendRef: mirror } }]),
    ...pathFilters(rule),
  ];
  return {
    ...(matches.length === 0 ? {} : { matches }),
    ...(filters.length === 0 ? {} : { filters }),
    ...(backends.length === 0 ? {} : { backendRefs: backends }),
    ...(rule.timeout === undefined ? {} : { timeouts: { request: rule.timeout } }),
    ...(rule.retries?.attempts === undefined ? {} : { retry: { attempts: rule.retries.attempts } }),
  };
}

function matchOf(match: Readonly<Record<string, unknown>>, refuse: Refuse): object | undefined {
  const unknown = Object.keys(match).find((field) => !knownMatch.has(field));
  if (unknown !== undefined) return void refuse(`a match by ${unknown} has no word in the Gateway API`, ".match");
  const {
    uri,
    method,
    headers = {},
    queryParams = {},
  } = match as {
    uri?: StringMatch;
    method?: StringMatch;
    headers?: Readonly<Record<string, StringMatch>>;
    queryParams?: Readonly<Record<string, StringMatch>>;
  };
  if (method !== undefined && method.exact === undefined) return void refuse("a method is matched exactly only", ".match");
  const values = (all: Readonly<Record<string, StringMatch>>) =>
    Object.entries(all).map(([name, { exact, prefix, regex }]) => {
      if (exact !== undefined) return { name, value: exact };
      const value = regex ?? (prefix === undefined ? ".*" : `${prefix.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")}.*`);
      return { type: "RegularExpression", name, value };
    });
  const [names, parameters] = [values(headers), values(queryParams)];
  return {
    ...(uri === undefined ? {} : { path: pathOf(uri) }),
    ...(method?.exact === undefined ? {} : { method: method.exact }),
    ...(names.length === 0 ? {} : { headers: names }),
    ...(parameters.length === 0 ? {} : { queryParams: parameters }),
  };
}

/** Istio's prefix is one of letters: `/foo` takes `/foobar`. Where it ends in a slash both mean the same. */
function pathOf({ exact, prefix, regex }: StringMatch): object {
  if (exact !== undefined) return { type: "Exact", value: exact };
  if (prefix === undefined) return { type: "RegularExpression", value: regex ?? ".*" };
  if (prefix.endsWith("/")) return { type: "PathPrefix", value: prefix };
  return { type: "RegularExpression", value: `${prefix.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")}.*` };
}

function backendOf(
  { host, subset, port }: Destination["destination"],
  namespace: string,
  refuse: Refuse,
  weight?: number,
): object | undefined {
  if (subset !== undefined)
    return void refuse(`subset ${JSON.stringify(subset)} is of a DestinationRule: give it a Service of its own`, ".route");
  if (port?.number === undefined) return void refuse(`Service ${host} is named without a port, which an HTTPRoute wants`, ".route");
  const [name = "", other = namespace] = host.replace(/\.svc(\.cluster\.local)?$/, "").split(".");
  return { name, ...(other === namespace ? {} : { namespace: other }), port: port.number, ...(weight === undefined ? {} : { weight }) };
}

function headerFilters({ headers }: HttpRule): readonly object[] {
  const modifier = ({ set, add, remove }: Headers_) => ({
    ...(set === undefined ? {} : { set: Object.entries(set).map(([name, value]) => ({ name, value })) }),
    ...(add === undefined ? {} : { add: Object.entries(add).map(([name, value]) => ({ name, value })) }),
    ...(remove === undefined ? {} : { remove }),
  });
  return [
    ...(headers?.request === undefined ? [] : [{ type: "RequestHeaderModifier", requestHeaderModifier: modifier(headers.request) }]),
    ...(headers?.response === undefined ? [] : [{ type: "ResponseHeaderModifier", responseHeaderModifier: modifier(headers.response) }]),
  ];
}

function pathFilters({ rewrite, redirect }: HttpRule): readonly object[] {
  const full = (uri: string | undefined) => (uri === undefined ? {} : { path: { type: "ReplaceFullPath", replaceFullPath: uri } });
  const prefix = (uri: string | undefined) => (uri === undefined ? {} : { path: { type: "ReplacePrefixMatch", replacePrefixMatch: uri } });
  const host = (authority: string | undefined) => (authority === undefined ? {} : { hostname: authority });
  return [
    ...(rewrite === undefined ? [] : [{ type: "URLRewrite", urlRewrite: { ...host(rewrite.authority), ...prefix(rewrite.uri) } }]),
    ...(redirect === undefined
      ? []
      : [
          {
            type: "RequestRedirect",
            requestRedirect: {
              ...(redirect.scheme === undefined ? {} : { scheme: redirect.scheme }),
              ...host(redirect.authority),
              ...full(redirect.uri),
              statusCode: redirect.redirectCode ?? 301,
            },
          },
        ]),
  ];
}
