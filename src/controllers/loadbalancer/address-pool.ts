/** Addresses of some ranges, the lowest free one first, so that they are short and come again after a restart. */
import { cidrAddress, cidrContains, cidrSize, formatCidr, formatIp, parseCidr, parseIp, type Cidr, type IpFamily } from "../../lib/ip.ts";
import { FairleadError } from "../../lib/errors.ts";

/** Taking looks from the lowest place that may be free: O(1) while addresses are only taken. */
class RangePool {
  readonly cidr: Cidr;
  readonly #taken = new Set<bigint>();
  readonly #last: bigint;
  #hint = 1n;

  constructor(cidr: Cidr) {
    this.cidr = cidr;
    // Neither the first nor (in IPv4) the last: to many programs those are no hosts. A block of one or two addresses has only hosts (RFC 3021).
    const size = cidrSize(cidr);
    if (size <= 2n) this.#hint = 0n;
    this.#last = cidr.family === 4 && size > 2n ? size - 2n : size - 1n;
  }

  take(address: bigint): void {
    this.#taken.add(address - this.cidr.base);
  }

  takeAny(): bigint | undefined {
    while (this.#hint <= this.#last && this.#taken.has(this.#hint)) this.#hint += 1n;
    if (this.#hint > this.#last) return undefined;
    this.#taken.add(this.#hint);
    return this.cidr.base + this.#hint;
  }

  release(address: bigint): void {
    const place = address - this.cidr.base;
    if (this.#taken.delete(place) && place < this.#hint) this.#hint = place;
  }
}

export class AddressPool {
  readonly #ranges: readonly RangePool[];

  /** Throws FL_CONFIG for a text that is no CIDR. */
  constructor(cidrs: readonly string[]) {
    this.#ranges = cidrs.map((text) => {
      const cidr = parseCidr(text);
      if (cidr === undefined) throw new FairleadError("FL_CONFIG", `${JSON.stringify(text)} is no address range for load balancers`);
      return new RangePool(cidr);
    });
  }

  get families(): ReadonlySet<IpFamily> {
    return new Set(this.#ranges.map(({ cidr }) => cidr.family));
  }

  get text(): string {
    return this.#ranges.map(({ cidr }) => formatCidr(cidr)).join(", ");
  }

  contains(address: string): boolean {
    return this.#rangeOf(address) !== undefined;
  }

  /** Whoever asks for a certain address has made sure that nobody has it. */
  take(address: string): void {
    const ip = parseIp(address);
    if (ip !== undefined) this.#rangeOf(address)?.take(ip.value);
  }

  /** Undefined: none is free. */
  takeAny(family: IpFamily): string | undefined {
    for (const range of this.#ranges) {
      const value = range.cidr.family === family ? range.takeAny() : undefined;
      if (value !== undefined) return formatIp(cidrAddress({ ...range.cidr, base: value }, 0));
    }
    return undefined;
  }

  release(address: string): void {
    const ip = parseIp(address);
    if (ip !== undefined) this.#rangeOf(address)?.release(ip.value);
  }

  #rangeOf(address: string): RangePool | undefined {
    const ip = parseIp(address);
    return ip === undefined ? undefined : this.#ranges.find(({ cidr }) => cidrContains(cidr, ip));
  }
}
