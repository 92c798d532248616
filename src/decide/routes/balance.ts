/**
 * How a backend's requests are spread over its endpoints, and what of a request a hash is made of. From ingress-nginx's annotations
 * `load-balance` and `upstream-hash-by` on an Ingress, and from `fairlead.dev/…` on a Service (`service-annotations.ts`).
 */

import { parseTemplate, type TemplatePart } from "./request-template.ts";

export type BalancePolicy =
  /** In turns, come what may. */
  | { readonly kind: "round-robin" }
  /** Of two at random the one with fewer requests under way (Mitzenmacher's "power of two choices"). */
  | { readonly kind: "least-requests" }
  /** Of two at random the one whose answers come sooner, by a moving average that follows peaks at once (Finagle `p2c_peak_ewma`). */
  | { readonly kind: "ewma" }
  /** The same endpoint for the same text; when one goes, only its own are spread anew. */
  | { readonly kind: "hash"; readonly by: readonly TemplatePart[] };

/** Of a template that says something about a request: without a variable all would go to one endpoint. */
export function parseHashKey(template: string): readonly TemplatePart[] | undefined {
  const parts = parseTemplate(template);
  return parts?.some(({ kind }) => kind !== "text") === true ? parts : undefined;
}

/** Of an annotation of ours: `round-robin`, `least-requests`, `ewma`, `hash $remote_addr`. */
export function parseBalance(text: string): BalancePolicy | undefined {
  if (text === "round-robin" || text === "least-requests" || text === "ewma") return { kind: text };
  const by = text.startsWith("hash ") ? parseHashKey(text.slice(5).trim()) : undefined;
  return by === undefined ? undefined : { kind: "hash", by };
}
