/** Names that the server makes up (apiserver `pkg/storage/names`). */

/** No vowels and no digits that look like letters, so that no words come about. */
const alphabet = "bcdfghjklmnpqrstvwxz2456789";
const suffixLength = 5;
const maxPrefix = 63 - suffixLength;

/** `web-` → `web-x7k2p`. `random` is in [0, 1). */
export function generatedName(prefix: string, random: () => number): string {
  let suffix = "";
  for (let i = 0; i < suffixLength; i++) suffix += alphabet[Math.floor(random() * alphabet.length)] as string;
  return `${prefix.slice(0, maxPrefix)}${suffix}`;
}
