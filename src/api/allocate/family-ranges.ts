/**
 * ClusterIPs of one family from all its ranges: the cluster's own, and those that ServiceCIDRs add while it runs (KEP-1880, upstream
 * `pkg/registry/core/service/ipallocator/cidrallocator.go`). Ranges may overlap or contain each other: an address that is taken is
 * taken in each of them, and one whose range is gone stays with the Service that has it.
 */
import { canonicalIp, formatCidr, type Cidr } from "../../lib/ip.ts";
import { ClusterIpAllocator } from "./cluster-ip.ts";
import type { Allocated } from "./pool.ts";

export interface FamilyRangesOptions {
  /** The cluster's own range, which gives addresses from the start. */
  readonly own: Cidr;
  /** [0, 1) */
  readonly random: () => number;
  /** An address that somebody keeps by an IPAddress of his own making. */
  readonly isKept: (address: string) => boolean;
}

/** How often another address is tried when somebody keeps the one that was drawn. */
const maxDraws = 1000;

export class FamilyRanges {
  readonly #options: FamilyRangesOptions;
  readonly #own: ClusterIpAllocator;
  /** By text; the cluster's own is the first. */
  readonly #ranges = new Map<string, ClusterIpAllocator>();
  /** Every address that is taken, in canonical text. */
  readonly #taken = new Set<string>();

  constructor(options: FamilyRangesOptions) {
    this.#options = options;
    this.#own = new ClusterIpAllocator(options.own, options.random);
    this.#ranges.set(this.#own.range, this.#own);
  }

  /** The address of `default/kubernetes`. */
  get reserved(): string {
    return this.#own.reserved;
  }

  /** Addresses that are given unasked; what two ranges share is counted twice. */
  get free(): number {
    return [...this.#ranges.values()].reduce((sum, range) => sum + range.free, 0);
  }

  /** The ranges that give addresses from now on. The cluster's own does, unless it is `closed` and not open: then its ServiceCIDR is being deleted. */
  use(open: readonly Cidr[], closed: readonly Cidr[]): void {
    const wanted = new Map(open.map((cidr) => [formatCidr(cidr), cidr]));
    const own = this.#own.range;
    const ownIsClosed = !wanted.has(own) && closed.some((cidr) => formatCidr(cidr) === own);
    for (const text of this.#ranges.keys()) if (!wanted.has(text) && (text !== own || ownIsClosed)) this.#ranges.delete(text);
    if (!ownIsClosed && !this.#ranges.has(own)) this.#ranges.set(own, this.#own);
    for (const [text, cidr] of wanted) if (!this.#ranges.has(text)) this.#ranges.set(text, this.#opened(cidr));
  }

  #opened(cidr: Cidr): ClusterIpAllocator {
    const range = new ClusterIpAllocator(cidr, this.#options.random, { reserveFirst: false });
    for (const address of this.#taken) range.allocate(address);
    return range;
  }

  /** Any address, in canonical text: of the cluster's own range while it has one. */
  allocateAny(): Allocated<string> {
    for (const range of this.#ranges.values()) {
      const drawn = this.#draw(range);
      if (drawn !== undefined) return { kind: "ok", value: this.#take(drawn) };
    }
    return { kind: "exhausted" };
  }

  #draw(range: ClusterIpAllocator): string | undefined {
    const kept: string[] = [];
    let found: string | undefined;
    while (found === undefined && kept.length < maxDraws) {
      const drawn = range.allocateAny();
      if (drawn.kind !== "ok") break;
      if (this.#options.isKept(drawn.value)) kept.push(drawn.value);
      else found = drawn.value;
    }
    for (const address of kept) range.release(address);
    return found;
  }

  /** This very address. */
  allocate(address: string): Allocated<string> {
    if (![...this.#ranges.values()].some((range) => range.has(address))) return { kind: "outOfRange" };
    const text = canonicalIp(address);
    if (this.#taken.has(text) || this.#options.isKept(text)) return { kind: "conflict" };
    this.#take(text);
    return { kind: "ok", value: address };
  }

  /** What a stored Service has: its own also when no range has it any more. False when another one has it too. */
  adopt(address: string): boolean {
    const text = canonicalIp(address);
    if (this.#taken.has(text)) return false;
    this.#take(text);
    return true;
  }

  isAllocated(address: string): boolean {
    return this.#taken.has(canonicalIp(address));
  }

  release(address: string): void {
    const text = canonicalIp(address);
    this.#taken.delete(text);
    this.#own.release(text);
    for (const range of this.#ranges.values()) range.release(text);
  }

  #take(text: string): string {
    this.#taken.add(text);
    this.#own.allocate(text);
    for (const range of this.#ranges.values()) range.allocate(text);
    return text;
  }
}
