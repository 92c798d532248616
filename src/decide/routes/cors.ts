/** What a CORS policy answers (Fetch standard 3.2; Gateway API HTTPCORSFilter, GEP-1767). Pure. */
import type { CorsPolicy, ValueMatch } from "./route-table.ts";

export interface CorsRequest {
  readonly method: string;
  readonly header: (name: string) => string | undefined;
}

export type CorsResult =
  /** No browser asks, or from where the policy does not speak of. */
  | { readonly kind: "pass"; readonly preflight: boolean }
  /** Names that replace what the endpoint says of them. */
  | { readonly kind: "allow"; readonly preflight: boolean; readonly headers: readonly ValueMatch[] };

/** Names that only the policy sets. */
export const corsNames = [
  "access-control-allow-origin",
  "access-control-allow-credentials",
  "access-control-allow-methods",
  "access-control-allow-headers",
  "access-control-expose-headers",
  "access-control-max-age",
] as const;

export function cors(policy: CorsPolicy, { method, header }: CorsRequest): CorsResult {
  const origin = header("origin");
  const asked = header("access-control-request-method");
  const preflight = method === "OPTIONS" && origin !== undefined && asked !== undefined;
  if (origin === undefined || !policy.origins.some((pattern) => originMatches(pattern, origin))) return { kind: "pass", preflight };
  const { credentials, methods, headers, expose, maxAgeSeconds } = policy;
  const found: (ValueMatch | undefined)[] = [
    // With credentials `*` means nothing to a browser; naming the origin is right in both cases.
    field("access-control-allow-origin", credentials || !policy.origins.includes("*") ? origin : "*"),
    credentials ? field("access-control-allow-credentials", "true") : undefined,
    field("access-control-expose-headers", expose.join(", ")),
  ];
  if (preflight) {
    found.push(
      field("access-control-allow-methods", wildcard(methods, credentials, asked)),
      field("access-control-allow-headers", wildcard(headers, credentials, header("access-control-request-headers"))),
      field("access-control-max-age", String(maxAgeSeconds)),
    );
  }
  return { kind: "allow", preflight, headers: found.flatMap((each) => each ?? []) };
}

function field(name: string, value: string): ValueMatch | undefined {
  return value === "" ? undefined : { name, value };
}

/** With credentials `*` would be a name like any other: what was asked for stands in its place. */
function wildcard(allowed: readonly string[], credentials: boolean, asked: string | undefined): string {
  if (!allowed.includes("*")) return allowed.join(", ");
  return credentials ? (asked ?? "") : "*";
}

/** `https://*.a.example` stands for any number of labels; `*` for every origin. */
export function originMatches(pattern: string, origin: string): boolean {
  if (pattern === "*") return true;
  const [left, right] = [pattern.toLowerCase(), origin.toLowerCase()];
  const star = left.indexOf("*");
  if (star < 0) return left === right;
  const [before, after] = [left.slice(0, star), left.slice(star + 1)];
  const middle = right.slice(before.length, right.length - after.length);
  return right.length > before.length + after.length && right.startsWith(before) && right.endsWith(after) && /^[a-z0-9.-]+$/.test(middle);
}
