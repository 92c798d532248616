/** What an answer of DNS comes down to for who wants to connect. */
import type { LookupResult } from "../dns/lookup-result.ts";

export type Answered =
  | { readonly kind: "addresses"; readonly name: string; readonly addresses: readonly string[] }
  /** `_http._tcp.web`: name and port of each. */
  | { readonly kind: "services"; readonly name: string; readonly addresses: readonly string[]; readonly ports: readonly number[] }
  /** An alias for a name that is not the cluster's. */
  | { readonly kind: "outside"; readonly name: string; readonly target: string; readonly addresses: readonly string[] };

export function addressRecordsOf(name: string, { records, additional, follow }: LookupResult & { readonly kind: "answer" }): Answered {
  const addresses = [...records, ...additional].flatMap(({ data }) => (data.kind === "address" ? [data.address] : []));
  if (follow !== undefined) return { kind: "outside", name, target: follow, addresses };
  const ports = records.flatMap(({ data }) => (data.kind === "srv" ? [data.port] : []));
  const unique = [...new Set(addresses)];
  return ports.length > 0
    ? { kind: "services", name, addresses: unique, ports: [...new Set(ports)] }
    : { kind: "addresses", name, addresses: unique };
}
