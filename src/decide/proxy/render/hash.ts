/** FNV-1a, 32 bits (draft-eastlake-fnv): for names and ids that must be the same after a restart. Not for secrets. */
export function hash(text: string, basis = 0x811c_9dc5): number {
  let value = basis;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x0100_0193);
  return value >>> 0;
}

/** Sixteen hexadecimal digits: for names that must not meet. */
export function longHash(text: string): string {
  return [hash(text), hash(text, 0x9747_b28c)].map((part) => part.toString(16).padStart(8, "0")).join("");
}
