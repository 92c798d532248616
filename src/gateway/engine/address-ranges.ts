/** Whether a client's address is in one of a list of ranges; each list is read once. */
import { cidrContains, parseCidr, parseIp, type Cidr } from "../../lib/ip.ts";

const parsed = new WeakMap<readonly string[], readonly Cidr[]>();

export function inRanges(ranges: readonly string[], address: string): boolean {
  const ip = parseIp(address.startsWith("::ffff:") ? address.slice(7) : address);
  return ip !== undefined && cidrsOf(ranges).some((cidr) => cidrContains(cidr, ip));
}

function cidrsOf(ranges: readonly string[]): readonly Cidr[] {
  let cidrs = parsed.get(ranges);
  if (cidrs === undefined) parsed.set(ranges, (cidrs = ranges.flatMap((text) => parseCidr(text) ?? [])));
  return cidrs;
}
