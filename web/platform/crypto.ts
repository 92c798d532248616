/** `node:crypto` as far as decisions use it (names of iptables chains). */
import { sha256 } from "./sha256.ts";

export function createHash(algorithm: string): { update(text: string): { digest(): Uint8Array } } {
  if (algorithm !== "sha256") throw new Error(`${algorithm} is not for the browser`);
  return { update: (text) => ({ digest: () => sha256(new TextEncoder().encode(text)) }) };
}
