/** The name part and label by which a workload tells what it made of different templates apart. */
import type { PodTemplateSpec } from "../api/types.ts";

export const podTemplateHashLabel = "pod-template-hash";

/** No vowels and no characters that look alike: no bad words, as in upstream `rand.SafeEncodeString`. */
const alphabet = "bcdfghjklmnpqrstvwxz2456789";

/**
 * A hash of the template that is safe in a name and a label. Its value differs from upstream's (which hashes Go's own
 * dump of the struct), so only equality means anything. `collisions` leads out of a clash.
 */
export function podTemplateHash(template: PodTemplateSpec, collisions: number): string {
  const sum = fnv1a(`${canonicalJson(template)}${collisions === 0 ? "" : `#${collisions}`}`);
  return [...String(sum)].map((digit) => alphabet[digit.charCodeAt(0) % alphabet.length]).join("");
}

/** FNV-1a, 32 bits, over UTF-16 code units. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}

/** JSON with sorted keys: the same data gives the same text. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join()}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const entries = Object.entries(value).filter(([, child]) => child !== undefined);
  return `{${entries
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, child]) => `${JSON.stringify(key)}:${canonicalJson(child)}`)
    .join()}}`;
}
