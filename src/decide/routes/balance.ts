/**
 * How a backend's requests are spread over its endpoints, and what of a request a hash is made of. From ingress-nginx's annotations
 * `load-balance` and `upstream-hash-by` on an Ingress, and from `fairlead.dev/…` on a Service (`service-annotations.ts`).
 */

export type BalancePolicy =
  /** In turns, come what may. */
  | { readonly kind: "round-robin" }
  /** Of two at random the one with fewer requests under way (Mitzenmacher's "power of two choices"). */
  | { readonly kind: "least-requests" }
  /** Of two at random the one whose answers come sooner, by a moving average that follows peaks at once (Finagle `p2c_peak_ewma`). */
  | { readonly kind: "ewma" }
  /** The same endpoint for the same text; when one goes, only its own are spread anew. */
  | { readonly kind: "hash"; readonly by: readonly HashPart[] };

export type HashPart =
  | { readonly kind: "text"; readonly value: string }
  | { readonly kind: "client-address" | "host" | "path" | "query" | "method" }
  /** `name` in lower case. */
  | { readonly kind: "header"; readonly name: string }
  | { readonly kind: "cookie" | "parameter"; readonly name: string };

/** What of nginx's variables says something about a request that is known here. */
const variables: Readonly<Record<string, readonly HashPart[]>> = {
  remote_addr: [{ kind: "client-address" }],
  binary_remote_addr: [{ kind: "client-address" }],
  host: [{ kind: "host" }],
  http_host: [{ kind: "host" }],
  uri: [{ kind: "path" }],
  request_uri: [{ kind: "path" }, { kind: "query" }],
  args: [{ kind: "query" }],
  query_string: [{ kind: "query" }],
  request_method: [{ kind: "method" }],
};

/** `$remote_addr`, `${host}$request_uri`, `$http_x_user-$cookie_a`. Undefined: a variable that is not known here. */
export function parseHashKey(template: string): readonly HashPart[] | undefined {
  const parts: HashPart[] = [];
  let at = 0;
  for (const match of template.matchAll(/\$(?:\{(\w+)\}|(\w+))/g)) {
    if (match.index > at) parts.push({ kind: "text", value: template.slice(at, match.index) });
    const known = variable(match[1] ?? match[2] ?? "");
    if (known === undefined) return undefined;
    parts.push(...known);
    at = match.index + match[0].length;
  }
  const rest = template.slice(at);
  if (rest.includes("$")) return undefined;
  if (rest !== "") parts.push({ kind: "text", value: rest });
  // Without a variable every request would go to one endpoint.
  return parts.some(({ kind }) => kind !== "text") ? parts : undefined;
}

function variable(name: string): readonly HashPart[] | undefined {
  if (Object.hasOwn(variables, name)) return variables[name];
  const [, family, rest = ""] = /^(http|cookie|arg)_(\w+)$/.exec(name) ?? [];
  switch (family) {
    case "http":
      return [{ kind: "header", name: rest.replaceAll("_", "-").toLowerCase() }];
    case "cookie":
      return [{ kind: "cookie", name: rest }];
    case "arg":
      return [{ kind: "parameter", name: rest }];
    default:
      return undefined;
  }
}

/** Of an annotation of ours: `round-robin`, `least-requests`, `ewma`, `hash $remote_addr`. */
export function parseBalance(text: string): BalancePolicy | undefined {
  if (text === "round-robin" || text === "least-requests" || text === "ewma") return { kind: text };
  const by = text.startsWith("hash ") ? parseHashKey(text.slice(5).trim()) : undefined;
  return by === undefined ? undefined : { kind: "hash", by };
}
