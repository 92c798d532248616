/** Which address a Gateway listens on. Pure. */
import { cidrAddress, cidrContains, cidrSize, formatIp, parseCidr, parseIp } from "../../lib/ip.ts";

export interface AddressPool {
  /** Each Gateway gets one of these for itself. */
  readonly cidr?: string;
  /** All Gateways share this one: they cannot have the same ports. */
  readonly shared?: string;
}

export interface AddressWish {
  /** `spec.addresses`: "" asks for any. */
  readonly wanted: readonly string[];
  /** `status.addresses`: what it had before. */
  readonly before: readonly string[];
}

export interface AssignedAddresses {
  readonly addresses: readonly string[];
  /** Sentences: what cannot be had. */
  readonly unusable: readonly string[];
}

/** `taken`: by other Gateways. */
export function assignAddresses(pool: AddressPool, { wanted, before }: AddressWish, taken: ReadonlySet<string>): AssignedAddresses {
  if (pool.shared !== undefined) return shared(pool.shared, wanted);
  const range = parseCidr(pool.cidr ?? "");
  if (range === undefined) return { addresses: [], unusable: [] };
  const fault = (text: string): string | undefined => {
    const ip = parseIp(text);
    if (ip === undefined) return `${JSON.stringify(text)} is no IP address`;
    if (!cidrContains(range, ip)) return `${text} is not in ${pool.cidr}, from which Gateways have their addresses`;
    return taken.has(text) ? `${text} belongs to another Gateway` : undefined;
  };
  const named = wanted.filter((text) => text !== "");
  const unusable = named.flatMap((text) => fault(text) ?? []);
  const usable = named.filter((text) => fault(text) === undefined);
  if (usable.length > 0 || named.length > 0) return { addresses: usable, unusable };
  const kept = before.find((text) => fault(text) === undefined);
  const free = kept ?? firstFree(range, taken);
  return { addresses: free === undefined ? [] : [free], unusable: [] };
}

function shared(address: string, wanted: readonly string[]): AssignedAddresses {
  const others = wanted.filter((text) => text !== "" && text !== address);
  const unusable = others.map((text) => `${text} cannot be had: this gateway listens on ${address}`);
  return { addresses: others.length > 0 && !wanted.includes(address) ? [] : [address], unusable };
}

function firstFree(range: NonNullable<ReturnType<typeof parseCidr>>, taken: ReadonlySet<string>): string | undefined {
  const size = cidrSize(range);
  for (let offset = 1n; offset < size - 1n; offset++) {
    const text = formatIp(cidrAddress(range, offset));
    if (!taken.has(text)) return text;
  }
  return undefined;
}
