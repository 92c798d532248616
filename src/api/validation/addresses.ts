/**
 * IP addresses and CIDR blocks in fields, with the strict rules that are on by default since 1.36 (KEP-4858,
 * apimachinery `pkg/util/validation/ip.go`). An update keeps values that an older object already had: pass those as `kept`.
 */
import {
  formatCidr,
  formatIp,
  isLinkLocal,
  isLoopback,
  isUnspecified,
  parseCidr,
  parseIp,
  parseIpSloppy,
  type Cidr,
  type Ip,
} from "../../lib/ip.ts";
import { invalid, type FieldError } from "../field-error.ts";

const isMapped = (ip: Ip): boolean => ip.family === 6 && ip.value >> 32n === 0xffffn;

export function validateIp(path: string, text: string, kept: readonly string[] = []): FieldError[] {
  const sloppy = parseIpSloppy(text);
  if (sloppy === undefined) return [invalid(path, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")];
  if (kept.includes(text)) return [];
  if (parseIp(text) === undefined) return [invalid(path, text, "must not have leading 0s")];
  return isMapped(sloppy) ? [invalid(path, text, "must not be an IPv4-mapped IPv6 address")] : [];
}

/** The parts of a CIDR as far as they can be read with leading zeros; undefined when it is none. */
function sloppyCidr(text: string): { readonly ip: Ip; readonly bits: number } | undefined {
  const slash = text.indexOf("/");
  const ip = slash < 0 ? undefined : parseIpSloppy(text.slice(0, slash));
  const length = text.slice(slash + 1);
  if (ip === undefined || !/^\d{1,9}$/.test(length) || Number(length) > (ip.family === 4 ? 32 : 128)) return undefined;
  return { ip, bits: Number(length) };
}

export function validateCidr(path: string, text: string, kept: readonly string[] = []): FieldError[] {
  const sloppy = sloppyCidr(text);
  if (sloppy === undefined) return [invalid(path, text, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")];
  if (kept.includes(text)) return [];
  const strict = parseCidr(text);
  if (strict === undefined) return [invalid(path, text, "must not have leading 0s in IP or prefix length")];
  if (isMapped(sloppy.ip)) return [invalid(path, text, "must not have an IPv4-mapped IPv6 address")];
  return strict.base === sloppy.ip.value ? [] : [invalid(path, text, "must not have bits set beyond the prefix length")];
}

/** Addresses that lead nowhere from another host (validation.go `ValidateNonSpecialIP`): endpoints and externalIPs. */
export function validateNonSpecialIp(path: string, text: string, allowLoopback = false): FieldError[] {
  const ip = parseIpSloppy(text);
  if (ip === undefined) return [invalid(path, text, "must be a valid IP address")];
  const errors: FieldError[] = [];
  if (isUnspecified(ip)) errors.push(invalid(path, text, `may not be unspecified (${text})`));
  if (isLoopback(ip) && !allowLoopback) errors.push(invalid(path, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)"));
  if (isLinkLocal(ip)) errors.push(invalid(path, text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"));
  if (isLinkLocalMulticast(ip)) errors.push(invalid(path, text, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"));
  return errors;
}

const isLinkLocalMulticast = (ip: Ip): boolean =>
  ip.family === 4 ? ip.value >> 8n === 0xe00000n : ip.value >> 120n === 0xffn && ((ip.value >> 112n) & 0xfn) === 2n;

/** `Warning:` texts for addresses that are valid but not as they should be written. */
export function ipWarnings(path: string, text: string): string[] {
  const ip = parseIpSloppy(text);
  if (ip === undefined) return [];
  const canonical = formatIp(isMapped(ip) ? { family: 4, value: ip.value & 0xffffffffn } : ip);
  if (parseIp(text) === undefined || isMapped(ip)) {
    return [`${path}: non-standard IP address "${text}" is invalid: use "${canonical}"`];
  }
  return canonical === text ? [] : [`${path}: IPv6 address "${text}" should be in RFC 5952 canonical format ("${canonical}")`];
}

/** The IPv4 block that an IPv4-mapped one stands for. */
const unmapped = ({ base, bits }: Cidr): string => formatCidr({ family: 4, base: base & 0xffffffffn, bits: bits - 96 });

export function cidrWarnings(path: string, text: string): string[] {
  const sloppy = sloppyCidr(text);
  if (sloppy === undefined) return [];
  const network = parseCidr(`${formatIp(sloppy.ip)}/${sloppy.bits}`);
  if (network === undefined) return [];
  const canonical = isMapped(sloppy.ip) && sloppy.bits >= 96 ? unmapped(network) : formatCidr(network);
  const warnings: string[] = [];
  if (network.base !== sloppy.ip.value) {
    const single = `${formatIp(sloppy.ip)}/${sloppy.ip.family === 4 ? 32 : 128}`;
    warnings.push(`${path}: CIDR value "${text}" is ambiguous in this context (should be "${canonical}" or "${single}"?)`);
  }
  if (parseCidr(text) === undefined || isMapped(sloppy.ip)) {
    warnings.push(`${path}: non-standard CIDR value "${text}" is invalid: use "${canonical}"`);
  }
  if (warnings.length === 0 && sloppy.ip.family === 6 && canonical !== text) {
    warnings.push(`${path}: IPv6 CIDR value "${text}" should be in RFC 5952 canonical format ("${canonical}")`);
  }
  return warnings;
}
