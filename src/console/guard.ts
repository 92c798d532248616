/** Which requests are answered at all. Pure. */

export interface AskedFor {
  readonly method: string;
  readonly path: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** `Sec-Fetch-Site`, from browsers that send it. */
  readonly site: string | undefined;
}

export interface Refusal {
  readonly status: 403 | 404 | 405 | 421;
  /** For people. */
  readonly why: string;
}

/** Paths that change or send something, so not by a GET. */
const posts = new Set(["/console/session", "/console/try"]);

/**
 * A page elsewhere may make a browser send anything here: by a name of its own that it has bound to 127.0.0.1 (then `Host` has that
 * name), or across origins (then `Origin` or `Sec-Fetch-Site` say so).
 */
export function refusalOf({ method, path, host, origin, site }: AskedFor, port: number): Refusal | undefined {
  const hosts = hostsAt(port);
  if (host === undefined || !hosts.includes(host.toLowerCase())) return { status: 421, why: `this console answers at ${hosts[0]} only` };
  if (origin !== undefined && origin !== `http://${host.toLowerCase()}`) return { status: 403, why: "a page of another origin asks" };
  const isData = path.startsWith("/console/");
  // Somebody may follow a link to the page itself; nothing of its data is read by another site.
  if (isData && site !== undefined && site !== "same-origin") return { status: 403, why: "another site asks" };
  if (posts.has(path)) return method === "POST" ? undefined : { status: 405, why: "POST only" };
  if (method !== "GET" && method !== "HEAD") return { status: 405, why: "this console only reads" };
  return undefined;
}

/** The names by which this machine calls itself. */
export function hostsAt(port: number): readonly string[] {
  return ["127.0.0.1", "localhost", "[::1]"].map((name) => (port === 80 ? name : `${name}:${port}`));
}

/** The value of one cookie of a `Cookie` header. */
export function cookieOf(header: string | undefined, name: string): string {
  for (const pair of header?.split(";") ?? []) {
    const equals = pair.indexOf("=");
    if (pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
  }
  return "";
}

/** Of every answer. */
export const securityHeaders: Readonly<Record<string, string>> = {
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; "),
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=(), usb=()",
};
