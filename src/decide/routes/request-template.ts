/** Text with variables of nginx, as annotations of ingress-nginx have it: read once, filled in for each request. */
import { requestHost } from "./host.ts";

export type TemplatePart =
  | { readonly kind: "text"; readonly value: string }
  | {
      readonly kind:
        | "client-address"
        | "scheme"
        | "host"
        | "authority"
        | "path"
        | "query"
        | "arguments"
        | "target"
        | "escaped-target"
        | "method";
    }
  /** `name` in lower case. */
  | { readonly kind: "header"; readonly name: string }
  | { readonly kind: "cookie" | "parameter"; readonly name: string };

/** What of a request, or of a connection below HTTP, can be said. */
export interface TemplateRequest {
  readonly client: { readonly address: string; readonly scheme: "http" | "https" };
  readonly method: string;
  readonly authority: string;
  readonly path: string;
  /** With its `?`, or "". */
  readonly query: string;
  readonly header: (name: string) => string | undefined;
}

const variables: Readonly<Record<string, TemplatePart["kind"]>> = {
  remote_addr: "client-address",
  binary_remote_addr: "client-address",
  scheme: "scheme",
  host: "host",
  best_http_host: "authority",
  http_host: "authority",
  uri: "path",
  request_uri: "target",
  escaped_request_uri: "escaped-target",
  args: "arguments",
  query_string: "arguments",
  request_method: "method",
};

/** `$remote_addr`, `${host}$request_uri`, `$http_x_user-$cookie_a`. Undefined: a variable that is not known here. */
export function parseTemplate(template: string): readonly TemplatePart[] | undefined {
  const parts: TemplatePart[] = [];
  let at = 0;
  for (const match of template.matchAll(/\$(?:\{(\w+)\}|(\w+))/g)) {
    if (match.index > at) parts.push({ kind: "text", value: template.slice(at, match.index) });
    const known = variable(match[1] ?? match[2] ?? "");
    if (known === undefined) return undefined;
    parts.push(known);
    at = match.index + match[0].length;
  }
  const rest = template.slice(at);
  if (rest.includes("$")) return undefined;
  if (rest !== "") parts.push({ kind: "text", value: rest });
  return parts;
}

function variable(name: string): TemplatePart | undefined {
  if (Object.hasOwn(variables, name)) return { kind: variables[name] } as TemplatePart;
  const [, family, rest = ""] = /^(http|cookie|arg)_(\w+)$/.exec(name) ?? [];
  switch (family) {
    case "http":
      return { kind: "header", name: rest.replaceAll("_", "-").toLowerCase() };
    case "cookie":
      return { kind: "cookie", name: rest };
    case "arg":
      return { kind: "parameter", name: rest };
    default:
      return undefined;
  }
}

export function fillTemplate(parts: readonly TemplatePart[], request: TemplateRequest): string {
  return parts.map((part) => partText(part, request)).join("");
}

function partText(part: TemplatePart, { client, authority, path, query, method, header }: TemplateRequest): string {
  switch (part.kind) {
    case "text":
      return part.value;
    case "client-address":
      return client.address;
    case "scheme":
      return client.scheme;
    case "host":
      return requestHost(authority);
    case "authority":
      return authority;
    case "path":
      return path;
    case "query":
      return query;
    case "arguments":
      return query.slice(1);
    case "target":
      return path + query;
    case "escaped-target":
      return encodeURIComponent(path + query);
    case "method":
      return method;
    case "header":
      return header(part.name) ?? "";
    case "cookie":
      return cookieOf(header("cookie"), part.name) ?? "";
    case "parameter":
      return new URLSearchParams(query).get(part.name) ?? "";
  }
}

/** `cookies`: the header's value. */
export function cookieOf(cookies: string | undefined, name: string): string | undefined {
  for (const pair of (cookies ?? "").split(";")) {
    const equals = pair.indexOf("=");
    if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
  }
  return undefined;
}
