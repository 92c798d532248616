/** Which Service has a virtual address. The first one keeps it, but a Service's own address wins over a NodePort that is open on it. */
import type { Protocol, VirtualAddress } from "../plan.ts";
import type { Journal } from "./journal.ts";

export interface Claim {
  readonly owner: string;
  readonly kind: VirtualAddress["kind"];
}

export type Claimed =
  | { readonly kind: "own" }
  /** Another Service has it. */
  | { readonly kind: "taken"; readonly by: string }
  /** It was taken from another Service, whose rules for it must go first. */
  | { readonly kind: "won"; readonly from: string };

export class ClaimTable {
  readonly #journal: Journal;
  readonly #claims = new Map<string, Claim>();
  /** Address → Services that want it while another has it. */
  readonly #waiting = new Map<string, ReadonlySet<string>>();

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  claim(key: string, owner: string, kind: VirtualAddress["kind"]): Claimed {
    const present = this.#claims.get(key);
    const wins = present !== undefined && present.kind === "nodePort" && kind !== "nodePort";
    if (present !== undefined && present.owner !== owner && !wins) {
      this.#journal.set(this.#waiting, key, new Set([...(this.#waiting.get(key) ?? []), owner]));
      return { kind: "taken", by: present.owner };
    }
    if (present?.owner !== owner || present.kind !== kind) this.#journal.set(this.#claims, key, { owner, kind });
    return present === undefined || present.owner === owner ? { kind: "own" } : { kind: "won", from: present.owner };
  }

  owner(key: string): string | undefined {
    return this.#claims.get(key)?.owner;
  }

  /** The Services that have waited for it. */
  release(key: string, owner: string): readonly string[] {
    if (this.#claims.get(key)?.owner !== owner) return [];
    this.#journal.delete(this.#claims, key);
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) return [];
    this.#journal.delete(this.#waiting, key);
    return [...waiting].filter((service) => service !== owner);
  }
}

export function claimKey(protocol: Protocol, { address, port }: Pick<VirtualAddress, "address" | "port">): string {
  return `${protocol} ${address} ${port}`;
}
