/** A question as a number, by its bytes. */

/** The first bytes of a packet that are not part of the question. */
export const idBytes = 2;

/** FNV-1a, from behind the id on. Keys are what strangers send: long runs of one slot are bounded by the table's being half empty. */
export function hashOf(bytes: Uint8Array, length: number): number {
  let value = 0x811c9dc5 ^ seed;
  for (let i = idBytes; i < length; i++) value = Math.imul(value ^ (bytes[i] as number), 0x01000193);
  return (value ^ (value >>> 15)) >>> 0;
}

/** Of this process: nobody outside can choose names that share a slot. */
const seed = Math.floor(Math.random() * 2 ** 32);
