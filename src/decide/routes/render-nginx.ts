/**
 * The route table as a configuration of nginx: what a controller around nginx would write. One server for each host; nginx chooses a
 * location by exactness and length as the table does, so each path is one location. What nginx's own modules cannot do is refused by name.
 */
import { backendKey, type BackendRef, type Filter, type Listener, type Route, type VirtualHost } from "./route-table.ts";
import type { Backend } from "./backends.ts";
import { hasPrefix } from "./path.ts";

export interface NginxOptions {
  /** Where plain requests come in. */
  readonly listen: string;
  /** By `backendKey`; one that is missing or unusable is answered with 503. */
  readonly backends: ReadonlyMap<string, Backend>;
}

export interface RenderedNginx {
  /** The `http { … }` block's contents. */
  readonly text: string;
  /** Sentences: what of which route is not in it. */
  readonly refused: readonly string[];
}

export function renderNginx({ virtualHosts }: Listener, { listen, backends }: NginxOptions): RenderedNginx {
  const refused: string[] = [];
  const upstreams = new Map<string, string>();
  const servers = virtualHosts.map((host) =>
    server(host, listen, (route, exact) => location(route, exact, { backends, upstreams, refused })),
  );
  // Whoever asks for no host that is known: not found, and not the first server.
  const fallback = virtualHosts.some(({ host }) => host === "*")
    ? ""
    : `server {\n  listen ${listen} default_server;\n  server_name _;\n  return 404;\n}\n`;
  const preamble = "map $http_upgrade $connection_upgrade {\n  default upgrade;\n  '' '';\n}\nmerge_slashes off;\n";
  return { text: `${preamble}${[...upstreams.values()].join("")}${fallback}${servers.join("")}`, refused };
}

interface Context {
  readonly backends: ReadonlyMap<string, Backend>;
  readonly upstreams: Map<string, string>;
  readonly refused: string[];
}

function server({ host, routes }: VirtualHost, listen: string, render: (route: Route, exact: ReadonlySet<string>) => string): string {
  const name = host === "*" ? "_" : host.startsWith("*.") ? `"~^[^.]+${quoteRegex(host.slice(1))}$"` : host;
  const exact = new Set(routes.flatMap(({ match: { path } }) => (path.kind === "exact" ? [path.value] : [])));
  const locations = routes.map((route) => render(route, exact)).filter((text) => text !== "");
  locations.push(
    ...withoutSlash(routes, exact).map(({ value, route }) =>
      route === undefined ? `  location = ${value} {\n    return 404;\n  }\n` : render(exactly(route, value), exact),
    ),
  );
  const isRoot = (route: Route) =>
    route.match.path.kind === "default" || (route.match.path.kind === "prefix" && route.match.path.value === "/");
  const rest = routes.some(isRoot) ? "" : "  location / {\n    return 404;\n  }\n";
  return `server {\n  listen ${listen}${host === "*" ? " default_server" : ""};\n  server_name ${name};\n${locations.join("")}${rest}}\n`;
}

/** nginx leads `/foo` to `/foo/` by itself where only that is a location: what the table says of it is written out. */
function withoutSlash(
  routes: readonly Route[],
  exact: ReadonlySet<string>,
): readonly { readonly value: string; readonly route: Route | undefined }[] {
  return [...exact].flatMap((path) => {
    const value = path.slice(0, -1);
    const isOwn = exact.has(value) || routes.some(({ match }) => match.path.kind === "prefix" && match.path.value === value);
    if (!path.endsWith("/") || value === "" || isOwn) return [];
    const takes = ({ match: { path: other } }: Route) =>
      other.kind === "default" || (other.kind === "prefix" && hasPrefix(value, other.value));
    return [{ value, route: routes.find(takes) }];
  });
}

function exactly(route: Route, value: string): Route {
  return { ...route, match: { ...route.match, path: { kind: "exact", value } } };
}

function quoteRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}

/** A whole element: `/foo` takes `/foo` and `/foo/bar`, which in nginx are two locations. `exact`: paths that have a rule of their own. */
function location(route: Route, exact: ReadonlySet<string>, context: Context): string {
  const { path, headers = [], query = [], method } = route.match;
  const refuse = (message: string) => {
    context.refused.push(`${route.id}: ${message}`);
    return "";
  };
  if (headers.length + query.length > 0 || method !== undefined)
    return refuse("matches by header, query or method are not written for nginx");
  const inner = body(route, context);
  if (inner === undefined) return "";
  const block = (modifier: string, value: string) => `  location ${modifier}${value} {\n${inner}  }\n`;
  switch (path.kind) {
    case "exact":
      return isLiteral(path.value) ? block("= ", path.value) : refuse("the path has characters that nginx reads otherwise");
    case "prefix":
      if (!isLiteral(path.value)) return refuse("the path has characters that nginx reads otherwise");
      return path.value === "/" ? block("", "/") : (exact.has(path.value) ? "" : block("= ", path.value)) + block("", `${path.value}/`);
    case "default":
      return block("", "/");
    case "regex":
      return /["\\]/.test(path.value.replaceAll("\\.", ""))
        ? refuse("the pattern has characters that nginx reads otherwise")
        : block("~* ", `"^${path.value}${path.leading ? "" : "$"}"`);
  }
}

/** nginx compares paths after decoding: an encoded one would mean another. */
function isLiteral(path: string): boolean {
  return /^[A-Za-z0-9\-._~!$&'()*+,=:@/]*$/.test(path) && !path.includes("//") && !path.includes("$");
}

/** Undefined: the route is left out, with a reason. */
function body(route: Route, context: Context): string | undefined {
  const lines: string[] = [];
  for (const filter of route.filters) {
    const line = directive(filter);
    if (line !== undefined) lines.push(...line);
    else {
      context.refused.push(`${route.id}: a filter of kind ${filter.kind} is not written for nginx`);
      return undefined;
    }
  }
  const answers = lines.some((line) => line.startsWith("return "));
  if (!answers) lines.push(...forwarding(route, context));
  return lines.map((line) => `    ${line}\n`).join("");
}

function directive(filter: Filter): readonly string[] | undefined {
  switch (filter.kind) {
    case "redirect":
      if (filter.to !== undefined) return isQuotable(filter.to) ? [`return ${filter.status} "${filter.to}";`] : undefined;
      if (filter.onlyFrom !== undefined && filter.scheme === "https") return [`return ${filter.status} https://$host$request_uri;`];
      if (filter.path?.kind === "full" && filter.host === undefined)
        return isQuotable(filter.path.value) ? [`return ${filter.status} "${filter.path.value}$is_args$args";`] : undefined;
      if (filter.path === undefined && filter.host !== undefined)
        return [`return ${filter.status} ${filter.scheme ?? "$scheme"}://${filter.host}$request_uri;`];
      return undefined;
    case "rewrite":
      if (filter.host !== undefined || filter.path?.kind !== "full" || !isQuotable(filter.path.value)) return undefined;
      return [`rewrite ^ "${filter.path.value}" break;`];
    case "source":
      return [
        ...filter.deny.map((range) => `deny ${range};`),
        ...filter.allow.map((range) => `allow ${range};`),
        ...(filter.allow.length > 0 ? ["deny all;"] : []),
      ];
    case "limit-body":
      return [`client_max_body_size ${filter.bytes};`];
    case "request-headers":
      if (filter.change.add.length + filter.change.remove.length > 0 || !filter.change.set.every(({ value }) => isQuotable(value)))
        return undefined;
      return filter.change.set.map(({ name, value }) => `proxy_set_header ${name} "${value}";`);
    default:
      return undefined;
  }
}

/** Nothing in it ends the word or begins a variable. */
function isQuotable(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text) && !/["\\$]/.test(text);
}

function forwarding(route: Route, { backends, upstreams }: Context): readonly string[] {
  const [ref] = route.backends;
  if (ref === undefined) return ["return 500;"];
  const backend = backends.get(backendKey(ref));
  if (route.backends.some(({ refused }) => refused !== undefined)) return ["return 500;"];
  if (backend?.kind !== "endpoints") return ["return 503;"];
  const name = upstreamOf(route.backends, backends, upstreams);
  return [
    "proxy_http_version 1.1;",
    "proxy_set_header Host $http_host;",
    "proxy_set_header X-Forwarded-For $remote_addr;",
    "proxy_set_header X-Forwarded-Host $http_host;",
    "proxy_set_header X-Forwarded-Port $server_port;",
    "proxy_set_header X-Forwarded-Proto $scheme;",
    "proxy_set_header X-Real-IP $remote_addr;",
    "proxy_set_header Upgrade $http_upgrade;",
    "proxy_set_header Connection $connection_upgrade;",
    "proxy_buffering off;",
    ...(route.timeouts.responseMs === undefined ? [] : [`proxy_read_timeout ${Math.ceil(route.timeouts.responseMs / 1000)}s;`]),
    `proxy_pass http://${name};`,
  ];
}

/** Several backends share one upstream, each endpoint with its part of the weight. */
function upstreamOf(refs: readonly BackendRef[], backends: ReadonlyMap<string, Backend>, upstreams: Map<string, string>): string {
  const key = refs.map((ref) => `${backendKey(ref)}=${ref.weight}`).join(" ");
  const name = key.replace(/[^A-Za-z0-9]+/g, "_");
  const servers = refs.flatMap((ref) => {
    const backend = backends.get(backendKey(ref));
    const endpoints = backend?.kind === "endpoints" ? backend.endpoints : [];
    return endpoints.map(
      ({ ip, port }) => `  server ${ip.includes(":") ? `[${ip}]` : ip}:${port}${refs.length === 1 ? "" : ` weight=${ref.weight}`};\n`,
    );
  });
  upstreams.set(key, `upstream ${name} {\n${servers.join("")}  keepalive 32;\n}\n`);
  return name;
}
