/**
 * IP addresses and CIDR blocks as values. Parsing is strict: no leading zeros in IPv4 (RFC 6943 3.1.1: `010.0.0.1`
 * means different hosts to different readers), no zones, no IPv4 with fewer than four parts. `parseIpSloppy` is for the
 * API fields where Kubernetes still accepts leading zeros (k8s.io/utils/net `ParseIPSloppy`), read as decimal.
 */

export type IpFamily = 4 | 6;

export interface Ip {
  readonly family: IpFamily;
  /** The address as an unsigned number of 32 or 128 bits. */
  readonly value: bigint;
}

export interface Cidr {
  readonly family: IpFamily;
  /** The first address: host bits are zero. */
  readonly base: bigint;
  /** Prefix length in bits. */
  readonly bits: number;
}

export const familyBits = (family: IpFamily): number => (family === 4 ? 32 : 128);

export function parseIp(text: string): Ip | undefined {
  return parse(text, false);
}

export function parseIpSloppy(text: string): Ip | undefined {
  return parse(text, true);
}

function parse(text: string, leadingZeros: boolean): Ip | undefined {
  if (text.includes(":")) {
    const value = parseV6(text, leadingZeros);
    return value === undefined ? undefined : { family: 6, value };
  }
  const value = parseV4(text, leadingZeros);
  return value === undefined ? undefined : { family: 4, value };
}

const maxDigits = 10;

/** By characters: every endpoint of a large cluster comes through here at once. */
function parseV4(text: string, leadingZeros: boolean): bigint | undefined {
  let value = 0;
  let octet = 0;
  let digits = 0;
  let dots = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === dot) {
      if (digits === 0 || dots === 3) return undefined;
      value = value * 256 + octet;
      octet = digits = 0;
      dots += 1;
      continue;
    }
    if (code < zero || code > nine || digits === maxDigits || (digits > 0 && octet === 0 && !leadingZeros)) return undefined;
    octet = octet * 10 + code - zero;
    digits += 1;
    if (octet > 255) return undefined;
  }
  return dots === 3 && digits > 0 ? BigInt(value * 256 + octet) : undefined;
}

const [dot, zero, nine] = [46, 48, 57];

function parseV6(text: string, leadingZeros: boolean): bigint | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] as string, leadingZeros, halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1] as string, leadingZeros, true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const gap = 8 - head.length - tail.length;
  if (halves.length === 2 ? gap < 1 : gap !== 0) return undefined;
  return [...head, ...Array<number>(gap).fill(0), ...tail].reduce((sum, group) => (sum << 16n) | BigInt(group), 0n);
}

function parseGroups(text: string, leadingZeros: boolean, mayEndInV4: boolean): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [i, part] of parts.entries()) {
    if (part.includes(".")) {
      const v4 = mayEndInV4 && i === parts.length - 1 ? parseV4(part, leadingZeros) : undefined;
      if (v4 === undefined) return undefined;
      groups.push(Number(v4 >> 16n), Number(v4 & 0xffffn));
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups;
}

/** The canonical text: dotted decimal, or RFC 5952 (lower case, the longest run of zero groups as `::`). */
export function formatIp(ip: Ip): string {
  if (ip.family === 4) {
    const n = Number(ip.value);
    return `${n >>> 24}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`;
  }
  if (ip.value >> 32n === 0xffffn) return `::ffff:${formatIp({ family: 4, value: ip.value & 0xffffffffn })}`;
  const groups = Array.from({ length: 8 }, (_, i) => Number((ip.value >> BigInt(112 - 16 * i)) & 0xffffn));
  let start = -1;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && groups[end] === 0) end++;
    if (end - i > length) [start, length] = [i, end - i];
  }
  const text = (part: readonly number[]) => part.map((group) => group.toString(16)).join(":");
  return start < 0 ? text(groups) : `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
}

/** The canonical text of an address given as text; the text itself when it is no address. */
export function canonicalIp(text: string): string {
  const ip = parseIpSloppy(text);
  return ip === undefined ? text : formatIp(ip);
}

/** `10.96.0.0/12`; undefined when malformed. Host bits are cleared (`10.1.2.3/8` is `10.0.0.0/8`). */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf("/");
  if (slash < 0) return undefined;
  const ip = parseIp(text.slice(0, slash));
  const length = text.slice(slash + 1);
  if (ip === undefined || !/^(0|[1-9]\d{0,2})$/.test(length)) return undefined;
  const bits = Number(length);
  if (bits > familyBits(ip.family)) return undefined;
  const host = BigInt(familyBits(ip.family) - bits);
  return { family: ip.family, base: (ip.value >> host) << host, bits };
}

export function formatCidr(cidr: Cidr): string {
  return `${formatIp({ family: cidr.family, value: cidr.base })}/${cidr.bits}`;
}

/** How many addresses the block holds. */
export function cidrSize(cidr: Cidr): bigint {
  return 1n << BigInt(familyBits(cidr.family) - cidr.bits);
}

export function cidrContains(cidr: Cidr, ip: Ip): boolean {
  return cidr.family === ip.family && ip.value >= cidr.base && ip.value < cidr.base + cidrSize(cidr);
}

/** The address `offset` above the block's first. */
export function cidrAddress(cidr: Cidr, offset: bigint | number): Ip {
  return { family: cidr.family, value: cidr.base + BigInt(offset) };
}

export function isLoopback(ip: Ip): boolean {
  return ip.family === 4 ? ip.value >> 24n === 127n : ip.value === 1n;
}

/** 169.254.0.0/16 or fe80::/10. */
export function isLinkLocal(ip: Ip): boolean {
  return ip.family === 4 ? ip.value >> 16n === 0xa9fen : ip.value >> 118n === 0x3fan;
}

export function isUnspecified(ip: Ip): boolean {
  return ip.value === 0n;
}

/** The name under which a PTR record of the address stands: `1.0.96.10.in-addr.arpa.` (RFC 1035 3.5, RFC 3596 2.5). */
export function reverseName(ip: Ip): string {
  if (ip.family === 4) return `${formatIp(ip).split(".").reverse().join(".")}.in-addr.arpa.`;
  return `${[...ip.value.toString(16).padStart(32, "0")].reverse().join(".")}.ip6.arpa.`;
}

/** `host:port`, with brackets around an IPv6 host. */
export function joinHostPort(host: string, port: number | string): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
