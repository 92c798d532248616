/**
 * Our tables in the kernel: what they hold from before, what is sent to them, and whether somebody else was there. Whether anybody was
 * is one question, whatever the size of the tables: the kernel counts transactions.
 */
import { Adoption, formerTable } from "../../../decide/proxy/render/nftables-adoption.ts";
import { familyLayout } from "../../../decide/proxy/render/nftables-layout.ts";
import type { FormerTable } from "../../../decide/proxy/render/nftables-state.ts";
import { defaultTableName } from "../../../decide/proxy/render/nftables.ts";
import { splitOperations } from "../../../decide/proxy/render/split.ts";
import type { Nftables } from "../../../host/nftables/nftables.ts";
import { errnoCode } from "../../../lib/errors.ts";
import type { TableListing } from "../../../lib/nftables/listing.ts";
import type { Operation, Table } from "../../../lib/nftables/ruleset.ts";

/** A table that is changed while it is read is read again, so often. */
const attempts = 5;

export class KernelTables {
  readonly #nftables: Nftables;
  readonly #maxElements: number;
  #generation: number;
  /** While tables of before are being taken over or mended. */
  #adoptions: ReadonlyMap<string, Adoption> | undefined;
  #sent = 0;

  constructor(nftables: Nftables, maxElements: number) {
    this.#nftables = nftables;
    this.#maxElements = maxElements;
    this.#generation = nftables.generation();
  }

  /** Transactions so far. */
  get sent(): number {
    return this.#sent;
  }

  get adopting(): boolean {
    return this.#adoptions !== undefined;
  }

  /** Somebody else has changed something in this network's tables, ours perhaps. */
  get meddled(): boolean {
    return this.#nftables.generation() !== this.#generation;
  }

  /** As one transaction; while adopting, what of it is still to be done. */
  commit(operations: readonly Operation[]): void {
    const rest = this.#adoptions === undefined ? operations : this.#rest(operations, this.#adoptions);
    if (rest.length === 0) return;
    this.#nftables.commit(rest);
    this.#generation += 1;
    this.#sent += 1;
  }

  /** Reads the tables, and from now on sends only what they lack. undefined: one is not there, and nothing was begun. */
  async adopt(tables: readonly Table[]): Promise<((table: Table) => FormerTable | undefined) | undefined> {
    const listings = await this.#read(tables);
    if (listings === undefined) return undefined;
    this.#adoptions = new Map(listings.map(({ table, listing }) => [textOf(table), new Adoption(table, listing)]));
    return (table) => {
      const found = listings.find((one) => textOf(one.table) === textOf(table));
      return found === undefined ? undefined : formerTable(familyLayout(table.family === "ip" ? 4 : 6, defaultTableName), found.listing);
    };
  }

  /** Takes away what nobody has asked for since `adopt`. */
  async finish(): Promise<void> {
    const adoptions = this.#adoptions;
    this.#adoptions = undefined;
    for (const adoption of adoptions?.values() ?? []) {
      for (const operations of adoption.leftovers()) {
        for (const part of splitOperations(operations, this.#maxElements)) {
          this.commit(part);
          await nextTurn();
        }
      }
    }
  }

  abandon(): void {
    this.#adoptions = undefined;
  }

  #rest(operations: readonly Operation[], adoptions: ReadonlyMap<string, Adoption>): readonly Operation[] {
    return [...adoptions].flatMap(([table, adoption]) =>
      adoption.rest(operations.filter((operation) => textOf(operation.table) === table)),
    );
  }

  async #read(tables: readonly Table[]): Promise<readonly { table: Table; listing: TableListing }[] | undefined> {
    for (let attempt = 1; ; attempt++) {
      try {
        const generation = this.#nftables.generation();
        const listings: { table: Table; listing: TableListing }[] = [];
        for (const table of tables) {
          const listing = await this.#nftables.read(table, nextTurn);
          if (listing === undefined) return undefined;
          listings.push({ table, listing });
        }
        if (this.#nftables.generation() !== generation && attempt < attempts) continue;
        this.#generation = generation;
        return listings;
      } catch (error) {
        if (errnoCode(error) !== "EINTR" || attempt === attempts) throw error;
      }
    }
  }
}

const textOf = ({ family, name }: Table) => `${family} ${name}`;

export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
