/** Names under in-addr.arpa and ip6.arpa (RFC 1035 3.5, RFC 3596 2.5), and the zones that a CIDR block covers. */
import { cidrAddress, familyBits, formatIp, parseIp, reverseName, type Cidr } from "../../lib/ip.ts";
import { labelsOf } from "./name.ts";

const v4Suffix = ".in-addr.arpa.";
const v6Suffix = ".ip6.arpa.";

/** Whether the folded name is in one of the reverse trees. */
export const isReverseName = (name: string): boolean => name.endsWith(v4Suffix) || name.endsWith(v6Suffix);

/** The address whose PTR record stands at the folded `name`, canonical; undefined when it names none. */
export function addressOfReverse(name: string): string | undefined {
  if (name.endsWith(v4Suffix)) {
    const labels = labelsOf(name.slice(0, -v4Suffix.length));
    const ip = labels.length === 4 ? parseIp(labels.reverse().join(".")) : undefined;
    return ip === undefined ? undefined : formatIp(ip);
  }
  if (!name.endsWith(v6Suffix)) return undefined;
  const nibbles = labelsOf(name.slice(0, -v6Suffix.length));
  if (nibbles.length !== 32 || !nibbles.every((nibble) => /^[0-9a-f]$/.test(nibble))) return undefined;
  return formatIp({ family: 6, value: BigInt(`0x${nibbles.reverse().join("")}`) });
}

/**
 * The zones that together are the block: IPv4 is cut at whole octets, IPv6 at whole nibbles, so 10.96.0.0/12 gives the sixteen
 * zones 96.10.in-addr.arpa. to 111.10.in-addr.arpa. (CoreDNS `plugin/pkg/cidr`). /0 gives the root of the tree.
 */
export function reverseZones(cidr: Cidr): readonly string[] {
  const digit = cidr.family === 4 ? 8 : 4;
  const digits = Math.ceil(cidr.bits / digit);
  const total = familyBits(cidr.family);
  const step = 1n << BigInt(total - digits * digit);
  const count = 2 ** (digits * digit - cidr.bits);
  return Array.from({ length: count }, (_, i) => {
    const labels = labelsOf(reverseName(cidrAddress(cidr, step * BigInt(i))));
    return `${labels.slice(total / digit - digits).join(".")}.`;
  });
}
