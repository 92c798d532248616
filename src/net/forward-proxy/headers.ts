/** Header fields that a proxy passes on (RFC 9110 7.6). Names keep their case and order, repeated fields stay repeated. */

/** Those that concern one connection only. `Transfer-Encoding` is decided anew for the next one. */
const hopByHop = new Set([
  "connection",
  "proxy-connection",
  "keep-alive",
  "te",
  "transfer-encoding",
  "upgrade",
  "proxy-authorization",
  "proxy-authenticate",
]);

/** Flat list of names and values, as Node's `rawHeaders`. `keep`: hop-by-hop fields to pass on all the same, in lower case. */
export function endToEnd(raw: readonly string[], keep: readonly string[] = []): string[] {
  const named = new Set(connectionOptions(raw));
  return pairs(raw).flatMap(([name, value]) => {
    const lower = name.toLowerCase();
    return keep.includes(lower) || !(hopByHop.has(lower) || named.has(lower)) ? [name, value] : [];
  });
}

/** The fields that `Connection` names, in lower case. */
function connectionOptions(raw: readonly string[]): readonly string[] {
  const values = pairs(raw).filter(([name]) => name.toLowerCase() === "connection");
  return values.flatMap(([, value]) => value.split(",").map((option) => option.trim().toLowerCase()));
}

/** With `name` set once, in the place of its first occurrence or at the end. */
export function withHeader(raw: readonly string[], name: string, value: string): string[] {
  const lower = name.toLowerCase();
  return [...pairs(raw).flatMap((pair) => (pair[0].toLowerCase() === lower ? [] : pair)), name, value];
}

export function pairs(raw: readonly string[]): [string, string][] {
  return Array.from({ length: raw.length >> 1 }, (_, i): [string, string] => [raw[2 * i] as string, raw[2 * i + 1] as string]);
}
