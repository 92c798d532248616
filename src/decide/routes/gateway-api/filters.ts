/** Filters of HTTPRoutes and GRPCRoutes as the route table has them. */
import type { Filter, HeaderChange, PathRewrite } from "../route-table.ts";
import { backendRef, type RefContext } from "./backend-refs.ts";
import type { HeaderModifier, PathModifier, RouteFilter } from "./objects.ts";

export interface FilterResult {
  readonly filters: readonly Filter[];
  /** What cannot be done; the rule then answers with an error rather than without the filter. */
  readonly unsupported: readonly string[];
}

export function translateFilters(filters: readonly RouteFilter[], context: RefContext): FilterResult {
  const unsupported: string[] = [];
  const done = filters.map((filter) => {
    const translated = translateFilter(filter, context);
    if (typeof translated !== "string") return translated;
    unsupported.push(translated);
    return { kind: "refuse", status: 500, message: translated } as const;
  });
  return { filters: done, unsupported };
}

/** Or why not. */
function translateFilter(filter: RouteFilter, context: RefContext): Filter | string {
  switch (filter.type) {
    case "RequestHeaderModifier":
      return { kind: "request-headers", change: headerChange(filter.requestHeaderModifier) };
    case "ResponseHeaderModifier":
      return { kind: "response-headers", change: headerChange(filter.responseHeaderModifier) };
    case "RequestRedirect":
      return redirect(filter.requestRedirect ?? {});
    case "URLRewrite": {
      const { hostname, path } = filter.urlRewrite ?? {};
      return { kind: "rewrite", ...(hostname === undefined ? {} : { host: hostname }), ...pathRewrite(path) };
    }
    case "RequestMirror":
      return mirror(filter.requestMirror, context);
    case "ExternalAuth":
      return externalAuth(filter.externalAuth, context);
    case "CORS":
      return cors(filter.cors ?? {});
    default:
      return `a filter of type ${filter.type} is not supported`;
  }
}

function headerChange({ set = [], add = [], remove = [] }: HeaderModifier = {}): HeaderChange {
  return { set: set.map(lowerCase), add: add.map(lowerCase), remove: remove.map((name) => name.toLowerCase()) };
}

function lowerCase({ name, value }: { readonly name: string; readonly value: string }) {
  return { name: name.toLowerCase(), value };
}

function pathRewrite(path: PathModifier | undefined): { readonly path?: PathRewrite } {
  if (path === undefined) return {};
  if (path.type === "ReplaceFullPath") return { path: { kind: "full", value: path.replaceFullPath ?? "/" } };
  return { path: { kind: "prefix", value: path.replacePrefixMatch ?? "/" } };
}

const redirects = [301, 302, 303, 307, 308] as const;

/** "If redirect scheme is not-empty, the redirect port MUST be the well-known port associated with the redirect scheme." */
function redirect({ scheme, hostname, path, port, statusCode = 302 }: NonNullable<RouteFilter["requestRedirect"]>): Filter | string {
  const status = redirects.find((code) => code === statusCode);
  if (status === undefined) return `${statusCode} is no status of a redirect`;
  const known = scheme === undefined ? undefined : scheme === "https" ? 443 : 80;
  const wanted = port ?? known;
  return {
    kind: "redirect",
    status,
    ...(scheme === undefined ? {} : { scheme }),
    ...(hostname === undefined ? {} : { host: hostname }),
    ...(wanted === undefined ? {} : { port: wanted }),
    ...pathRewrite(path),
  };
}

function mirror(spec: RouteFilter["requestMirror"], context: RefContext): Filter | string {
  if (spec === undefined) return "a mirror without a backend";
  const { backendRef: ref, percent, fraction } = spec;
  const numerator = percent ?? fraction?.numerator ?? 100;
  const denominator = percent === undefined ? (fraction?.denominator ?? 100) : 100;
  return { kind: "mirror", backend: backendRef(ref, context), numerator, denominator };
}

/** GEP-1494, by HTTP. Whom a request belongs to is asked under its own host, path and method. */
function externalAuth(spec: RouteFilter["externalAuth"], context: RefContext): Filter | string {
  if (spec === undefined) return "an ExternalAuth without a backend";
  if (spec.protocol !== "HTTP") return `ExternalAuth by ${spec.protocol} is not supported: by HTTP only`;
  if ((spec.forwardBody?.maxSize ?? 0) > 0) return "ExternalAuth with forwardBody is not supported: bodies are not kept";
  const { path = "", allowedHeaders = [], allowedResponseHeaders = [] } = spec.http ?? {};
  const lower = (names: readonly string[]) => names.map((name) => name.toLowerCase());
  const prefix = path === "" || path === "/" ? [] : [{ kind: "text", value: `/${path.replace(/^\/+|\/+$/g, "")}` } as const];
  return {
    kind: "external-auth",
    auth: {
      rules: "gateway-api",
      target: { kind: "service", backend: backendRef(spec.backendRef, context), target: [...prefix, { kind: "target" }] },
      requestHeaders: [...new Set(["authorization", ...lower(allowedHeaders)])],
      responseHeaders: allowedResponseHeaders.length === 0 ? "all" : lower(allowedResponseHeaders),
    },
  };
}

function cors(spec: NonNullable<RouteFilter["cors"]>): Filter {
  return {
    kind: "cors",
    policy: {
      origins: spec.allowOrigins ?? [],
      credentials: spec.allowCredentials === true,
      methods: spec.allowMethods ?? [],
      headers: spec.allowHeaders ?? [],
      expose: spec.exposeHeaders ?? [],
      maxAgeSeconds: spec.maxAge ?? 5,
    },
  };
}
