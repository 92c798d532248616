/**
 * ClusterIPs of one range (`pkg/registry/core/service/ipallocator`). The network's first address and an IPv4 range's
 * broadcast address are never given out; the one after the first belongs to the Service `default/kubernetes` and is given
 * only to who names it.
 */
import {
  cidrAddress,
  cidrContains,
  cidrSize,
  formatCidr,
  formatIp,
  parseIpSloppy,
  type Cidr,
  type Ip,
  type IpFamily,
} from "../../lib/ip.ts";
import { BandedPool, staticBand, type Allocated } from "./pool.ts";

/** Larger ranges are used up to here: offsets stay exact numbers. */
const maxOffsets = 2 ** 32;

export class ClusterIpAllocator {
  readonly family: IpFamily;
  readonly #cidr: Cidr;
  readonly #random: () => number;
  /** Offsets from the first address that is given unasked; a reserved one before it is kept apart. */
  readonly #pool: BandedPool;
  /** Where the pool begins, counted from the network's address. */
  readonly #first: 1 | 2;
  #reservedTaken = false;

  /** `random` gives [0, 1). `reserveFirst`: the cluster's own range, whose first address is that of `default/kubernetes`. */
  constructor(cidr: Cidr, random: () => number, { reserveFirst = true }: { readonly reserveFirst?: boolean } = {}) {
    this.family = cidr.family;
    this.#cidr = cidr;
    this.#random = random;
    this.#first = reserveFirst ? 2 : 1;
    const kept = this.#first - 1;
    const usable = usableAddresses(cidr);
    const band = staticBand(usable, { min: 16, max: 256, step: 16 });
    this.#pool = new BandedPool(Math.max(usable - kept, 0), Math.max(band - kept, 0));
  }

  /** `10.96.0.0/12` */
  get range(): string {
    return formatCidr(this.#cidr);
  }

  /** The network's first address; in the cluster's own range that of `default/kubernetes`. */
  get reserved(): string {
    return formatIp(cidrAddress(this.#cidr, 1));
  }

  get free(): number {
    return this.#pool.free;
  }

  /** Any address, in canonical text. */
  allocateAny(): Allocated<string> {
    const offset = this.#pool.takeAny(this.#random);
    return offset === undefined ? { kind: "exhausted" } : { kind: "ok", value: formatIp(cidrAddress(this.#cidr, offset + this.#first)) };
  }

  /** This very address. */
  allocate(address: string): Allocated<string> {
    const offset = this.#offset(address);
    if (offset === undefined) return { kind: "outOfRange" };
    if (offset >= 0) return this.#pool.take(offset) ? { kind: "ok", value: address } : { kind: "conflict" };
    if (this.#reservedTaken) return { kind: "conflict" };
    this.#reservedTaken = true;
    return { kind: "ok", value: address };
  }

  isAllocated(address: string): boolean {
    const offset = this.#offset(address);
    if (offset === undefined) return false;
    return offset < 0 ? this.#reservedTaken : this.#pool.isTaken(offset);
  }

  /** Whether the address is one that this range gives. */
  has(address: string): boolean {
    return this.#offset(address) !== undefined;
  }

  /** Gives an address back; one outside the range (of an earlier configuration) is nobody's loss. */
  release(address: string): void {
    const offset = this.#offset(address);
    if (offset === undefined) return;
    if (offset < 0) this.#reservedTaken = false;
    else this.#pool.release(offset);
  }

  /** -1 for the reserved address; undefined when not in the usable part of the range. */
  #offset(address: string): number | undefined {
    const ip: Ip | undefined = parseIpSloppy(address);
    if (ip === undefined || !cidrContains(this.#cidr, ip)) return undefined;
    const offset = ip.value - this.#cidr.base - BigInt(this.#first);
    return offset < BigInt(1 - this.#first) || offset >= BigInt(this.#pool.size) ? undefined : Number(offset);
  }
}

function usableAddresses(cidr: Cidr): number {
  const all = cidrSize(cidr);
  const size = all > BigInt(maxOffsets) ? maxOffsets : Number(all);
  return Math.max(size - (cidr.family === 4 ? 2 : 1), 0);
}
