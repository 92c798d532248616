/** The weight file of `loadbalance weighted`: a name on a line, below it `ADDRESS WEIGHT` lines; `#` begins a comment. */
import { absolute, foldName, isDomainName } from "../../../decide/dns/name.ts";
import { formatIp, parseIp } from "../../../lib/ip.ts";

/** Folded name → address → weight. */
export type Weights = ReadonlyMap<string, ReadonlyMap<string, number>>;

export type ParsedWeights = { readonly kind: "ok"; readonly weights: Weights } | { readonly kind: "error"; readonly reason: string };

export function parseWeights(text: string): ParsedWeights {
  const weights = new Map<string, Map<string, number>>();
  let current: Map<string, number> | undefined;
  for (const [i, line] of text.split("\n").entries()) {
    const words = line.replace(/#.*$/, "").trim().split(/\s+/).filter(Boolean);
    const wrong = (reason: string): ParsedWeights => ({ kind: "error", reason: `line ${i + 1}: ${reason}` });
    if (words.length === 0) continue;
    const [first = "", second = ""] = words;
    if (words.length === 1) {
      if (!isDomainName(first) || parseIp(first) !== undefined) return wrong(`wrong domain name: "${first}"`);
      const name = foldName(absolute(first));
      current = weights.get(name) ?? new Map();
      weights.set(name, current);
      continue;
    }
    const ip = parseIp(first);
    if (words.length > 2) return wrong(`could not parse weight line: "${line.trim()}"`);
    if (current === undefined) return wrong("missing domain name");
    if (ip === undefined) return wrong(`wrong IP address: "${first}"`);
    if (!/^\d+$/.test(second) || Number(second) < 1 || Number(second) > 255) return wrong(`wrong weight value: "${second}"`);
    current.set(formatIp(ip), Number(second));
  }
  return { kind: "ok", weights };
}
