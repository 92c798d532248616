/**
 * Who has which address. A Service keeps what it has while that still fits; Services share an address only when both ask for it
 * with the same key and use different ports. Knows nothing of the API; each question is answered in full or not at all.
 */
import type { IpFamily } from "../../lib/ip.ts";
import { AddressPool } from "./address-pool.ts";

export interface AddressRequest {
  /** `namespace/name` */
  readonly key: string;
  /** One address per family. */
  readonly families: readonly IpFamily[];
  /** A certain address, in canonical form: in place of the one of its family. */
  readonly wanted?: string;
  /** `TCP/80` */
  readonly ports: readonly string[];
  /** Absent: shares with nobody. */
  readonly sharing?: string;
}

export type Assignment =
  | { readonly kind: "assigned"; readonly addresses: readonly string[] }
  | { readonly kind: "outOfRange"; readonly address: string }
  | { readonly kind: "taken"; readonly address: string; readonly by: string; readonly port?: string }
  | { readonly kind: "exhausted"; readonly family: IpFamily };

interface Holder {
  readonly sharing: string | undefined;
  readonly ports: ReadonlySet<string>;
}

type Refusal = Exclude<Assignment, { kind: "assigned" }>;

export class AddressLedger {
  readonly pool: AddressPool;
  /** address → Service → how it uses the address. */
  readonly #holders = new Map<string, Map<string, Holder>>();
  /** Service → its addresses. */
  readonly #held = new Map<string, readonly string[]>();
  /** sharing key → addresses that are shared under it. */
  readonly #shared = new Map<string, Set<string>>();

  constructor(cidrs: readonly string[]) {
    this.pool = new AddressPool(cidrs);
  }

  addressesOf(key: string): readonly string[] {
    return this.#held.get(key) ?? [];
  }

  /** What a Service has already, found in its status; left out is what another one has. */
  adopt(request: AddressRequest, addresses: readonly string[]): void {
    const free = addresses.filter((address) => this.pool.contains(address) && this.#conflict(request, address) === undefined);
    this.#hold(request, free);
  }

  /** On a refusal the Service has nothing any more. */
  assign(request: AddressRequest): Assignment {
    const before = this.addressesOf(request.key);
    this.release(request.key);
    const addresses: string[] = [];
    for (const family of request.families) {
      const found = this.#choose(request, family, before);
      if (typeof found !== "string") {
        // An address that was only just taken from the pool has no holder yet.
        for (const address of addresses) this.#freeUnheld(address);
        return found;
      }
      addresses.push(found);
    }
    this.#hold(request, addresses);
    return { kind: "assigned", addresses };
  }

  release(key: string): void {
    const addresses = this.addressesOf(key);
    this.#held.delete(key);
    for (const address of addresses) {
      const holders = this.#holders.get(address);
      const sharing = holders?.get(key)?.sharing;
      holders?.delete(key);
      if (holders?.size === 0) this.#forget(address, sharing);
    }
  }

  #choose(request: AddressRequest, family: IpFamily, before: readonly string[]): string | Refusal {
    const isOf = (address: string) => familyOf(address) === family;
    const { wanted } = request;
    if (wanted !== undefined && isOf(wanted)) {
      if (!this.pool.contains(wanted)) return { kind: "outOfRange", address: wanted };
      return this.#conflict(request, wanted) ?? wanted;
    }
    const shared = request.sharing === undefined ? [] : [...(this.#shared.get(request.sharing) ?? [])];
    const kept = [...before, ...shared].find((address) => isOf(address) && this.#conflict(request, address) === undefined);
    return kept ?? this.pool.takeAny(family) ?? { kind: "exhausted", family };
  }

  /** Why the Service may not have the address beside those who have it. */
  #conflict({ key, sharing, ports }: AddressRequest, address: string): Refusal | undefined {
    for (const [by, holder] of this.#holders.get(address) ?? []) {
      if (by === key) continue;
      if (sharing === undefined || holder.sharing !== sharing) return { kind: "taken", address, by };
      const port = ports.find((candidate) => holder.ports.has(candidate));
      if (port !== undefined) return { kind: "taken", address, by, port };
    }
    return undefined;
  }

  #hold({ key, sharing, ports }: AddressRequest, addresses: readonly string[]): void {
    if (addresses.length > 0) this.#held.set(key, addresses);
    for (const address of addresses) {
      this.pool.take(address);
      const holders = this.#holders.get(address) ?? new Map<string, Holder>();
      this.#holders.set(address, holders.set(key, { sharing, ports: new Set(ports) }));
      if (sharing !== undefined) this.#shared.set(sharing, (this.#shared.get(sharing) ?? new Set()).add(address));
    }
  }

  #forget(address: string, sharing: string | undefined): void {
    this.#holders.delete(address);
    this.pool.release(address);
    const shared = sharing === undefined ? undefined : this.#shared.get(sharing);
    shared?.delete(address);
    if (sharing !== undefined && shared?.size === 0) this.#shared.delete(sharing);
  }

  #freeUnheld(address: string): void {
    if (!this.#holders.has(address)) this.pool.release(address);
  }
}

function familyOf(address: string): IpFamily {
  return address.includes(":") ? 6 : 4;
}
