/** Hosts of rules and of requests (RFC 9110 7.2; Ingress v1 `rules[].host`). */

const label = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

/**
 * A rule's host in the form of the table: lower case, without a final dot; `*` for none. Undefined: no request can have it
 * (the API refuses it as well: `pkg/apis/networking/validation` ValidateIngressSpec).
 */
export function hostPattern(host: string | undefined): string | undefined {
  if (host === undefined || host === "") return "*";
  const text = host.toLowerCase().replace(/\.$/, "");
  const labels = text.split(".");
  if (text.length > 253 || labels.length === 0) return undefined;
  const [first, ...rest] = labels;
  if (first === "*") return rest.length > 0 && rest.every((part) => label.test(part)) ? text : undefined;
  return labels.every((part) => label.test(part)) ? text : undefined;
}

/** A request's host without port, lower case, without a final dot: what patterns are compared with. */
export function requestHost(authority: string): string {
  const end = authority.startsWith("[") ? authority.indexOf("]") + 1 : authority.indexOf(":");
  const host = (end <= 0 ? authority : authority.slice(0, end)).toLowerCase();
  return host.endsWith(".") ? host.slice(0, -1) : host;
}

/** `*.foo.com` of `bar.foo.com`: a wildcard stands for exactly one label (Ingress v1). Undefined: the name has one label only. */
export function wildcardOf(host: string): string | undefined {
  const dot = host.indexOf(".");
  return dot <= 0 ? undefined : `*${host.slice(dot)}`;
}

/** A pattern of the Gateway API, whose wildcard stands for any number of labels (HTTPRoute `hostnames`). */
export function suffixMatches(pattern: string, host: string): boolean {
  return (
    pattern === "*" || pattern === host || (pattern.startsWith("*.") && host.length > pattern.length - 1 && host.endsWith(pattern.slice(1)))
  );
}

/** `a.b.c` → `*.b.c`, `*.c`, `*`: the patterns that could take a host, the most specific first, itself left out. */
export function* suffixPatterns(host: string): Generator<string> {
  for (let dot = host.indexOf("."); dot >= 0; dot = host.indexOf(".", dot + 1)) if (dot > 0) yield `*${host.slice(dot)}`;
  yield "*";
}

/** The hosts that both patterns take, as a pattern; undefined: none. */
export function intersectPatterns(a: string, b: string): string | undefined {
  if (patternTakes(a, b)) return b;
  return patternTakes(b, a) ? a : undefined;
}

function patternTakes(wide: string, narrow: string): boolean {
  if (wide === "*" || wide === narrow) return true;
  return wide.startsWith("*.") && (narrow.startsWith("*.") ? narrow.endsWith(wide.slice(1)) : suffixMatches(wide, narrow));
}

export function hostMatches(pattern: string, host: string): boolean {
  return pattern === "*" || pattern === host || pattern === wildcardOf(host);
}

/** Exact before wildcard before any; longer wildcards first; then by name. */
export function compareHosts(a: string, b: string): number {
  const rank = (host: string) => (host === "*" ? 2 : host.startsWith("*.") ? 1 : 0);
  return rank(a) - rank(b) || b.split(".").length - a.split(".").length || (a < b ? -1 : a > b ? 1 : 0);
}
