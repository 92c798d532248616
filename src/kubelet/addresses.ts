/**
 * Addresses of pods out of one of the node's CIDRs. Freed addresses go to the back of the queue: one is given out again only after
 * all others were, so that a late packet for a former pod meets nobody instead of a stranger.
 */
import { cidrAddress, cidrContains, cidrSize, formatIp, parseCidr, parseIp, type Cidr } from "../lib/ip.ts";
import { FairleadError } from "../lib/errors.ts";

export class PodAddresses {
  readonly #cidr: Cidr;
  readonly #size: bigint;
  /** address → uid of the pod that has it. */
  readonly #owners = new Map<string, string>();
  #next = 1n;

  /** The first and the last address of `cidr` are never given out. */
  constructor(cidr: string) {
    const parsed = parseCidr(cidr);
    if (parsed === undefined) throw new FairleadError("FL_CONFIG", `the pods' network ${JSON.stringify(cidr)} is no CIDR`);
    this.#cidr = parsed;
    this.#size = cidrSize(parsed);
  }

  /** Keeps the address that a pod had in a former run, if it can. */
  claim(address: string, uid: string): boolean {
    const ip = parseIp(address);
    if (ip === undefined || !cidrContains(this.#cidr, ip)) return false;
    const owner = this.#owners.get(address);
    if (owner !== undefined && owner !== uid) return false;
    this.#owners.set(address, uid);
    const offset = ip.value - this.#cidr.base + 1n;
    if (offset > this.#next) this.#next = offset;
    return true;
  }

  /** Undefined: all are taken. */
  allocate(uid: string): string | undefined {
    for (let tried = 0n; tried < this.#size; tried++) {
      const offset = this.#next >= this.#size - 1n ? 1n : this.#next;
      this.#next = offset + 1n;
      const address = formatIp(cidrAddress(this.#cidr, offset));
      if (offset >= this.#size - 1n || this.#owners.has(address)) continue;
      this.#owners.set(address, uid);
      return address;
    }
    return undefined;
  }

  release(address: string, uid: string): void {
    if (this.#owners.get(address) === uid) this.#owners.delete(address);
  }
}
