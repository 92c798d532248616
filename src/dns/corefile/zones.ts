/**
 * Keys of server blocks and zones among arguments: `dns://example.org:1053`, `10.96.0.0/12` (CoreDNS `plugin/normalize.go`,
 * `core/dnsserver/register.go`). A CIDR block means the reverse zones that together are it.
 */
import { absolute, foldName, isDomainName } from "../../decide/dns/name.ts";
import { reverseZones } from "../../decide/dns/reverse.ts";
import { parseCidr } from "../../lib/ip.ts";

export type Transport = "dns" | "tls" | "quic" | "grpc" | "https" | "https3" | "unix";

const schemes: readonly Transport[] = ["tls", "dns", "quic", "grpc", "https3", "https", "unix"];

export function splitTransport(text: string): { readonly transport: Transport; readonly rest: string } {
  const transport = schemes.find((scheme) => text.startsWith(`${scheme}://`));
  return transport === undefined ? { transport: "dns", rest: text } : { transport, rest: text.slice(transport.length + 3) };
}

export type ZoneKey =
  | { readonly kind: "ok"; readonly transport: Transport; readonly zones: readonly string[]; readonly port: number | undefined }
  | { readonly kind: "error"; readonly reason: string };

/** Zones come folded and absolute. The port is what follows the last colon, if that is a number. */
export function parseZoneKey(text: string): ZoneKey {
  const { transport, rest } = splitTransport(text);
  if (rest.endsWith(":")) return { kind: "error", reason: `expecting data after last colon: "${rest}"` };
  const [, host = rest, digits] = /^(.*):(\d+)$/s.exec(rest) ?? [];
  const port = digits === undefined ? undefined : Number(digits);
  if (port !== undefined && port > 65_535) return { kind: "error", reason: `port ${digits} is out of range` };
  const name = host === "" && port !== undefined ? "." : host;
  if (!isDomainName(name) && parseCidr(name) === undefined) {
    return { kind: "error", reason: name.length > 255 ? "specified zone is too long" : `zone is not a valid domain name: ${name}` };
  }
  const cidr = parseCidr(name);
  if (cidr !== undefined && cidr.family === 6 && /^[:0]/.test(name)) return { kind: "error", reason: `invalid CIDR ${name}` };
  return { kind: "ok", transport, zones: cidr === undefined ? [foldName(absolute(name))] : reverseZones(cidr), port };
}

/** The zones of one argument; none when it is no zone. */
export function zonesOf(text: string): readonly string[] {
  const key = parseZoneKey(text);
  return key.kind === "ok" ? key.zones : [];
}

/** The zones that a directive names, else those of its server block. */
export function zonesOrBlock(args: readonly string[], block: readonly string[]): readonly string[] {
  return args.length === 0 ? block : args.flatMap(zonesOf);
}
