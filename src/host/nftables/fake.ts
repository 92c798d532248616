/** nf_tables in memory: takes what the kernel takes, refuses what it refuses, and shows what it holds. */
import { keyOf, valueOf, type TableListing } from "../../lib/nftables/listing.ts";
import { Ruleset, type TableState } from "../../lib/nftables/model.ts";
import { rulesetText } from "../../lib/nftables/text.ts";
import type { Nftables } from "./nftables.ts";

export interface FakeNftables extends Nftables {
  readonly ruleset: Ruleset;
  /** Transactions so far. */
  readonly commits: number;
  /** As `nft list ruleset`. */
  dump(): string;
}

export function fakeNftables(): FakeNftables {
  const ruleset = new Ruleset();
  let commits = 0;
  return {
    ruleset,
    get commits() {
      return commits;
    },
    commit(operations) {
      ruleset.commit(operations);
      commits += 1;
    },
    generation: () => commits + 1,
    read: async (table) => {
      const state = ruleset.table(table);
      return state === undefined ? undefined : listingOf(state);
    },
    has: (table) => ruleset.table(table) !== undefined,
    dump: () => rulesetText(ruleset),
    close: () => {},
  };
}

/** As it is now. */
function listingOf({ chains, sets }: TableState): TableListing {
  const copies = new Map([...chains].map(([name, { base, rules }]) => [name, { base, rules: JSON.stringify(rules) }]));
  const listed = new Map(
    [...sets].map(([name, { declaration, elements }]) => {
      const dynamic = declaration.flags?.includes("dynamic") === true;
      const read = dynamic ? [] : [...elements.values()].map((element) => [keyOf(element.key), valueOf(element)] as const);
      return [name, { declaration: JSON.stringify(declaration), elements: new Map(read) }];
    }),
  );
  return {
    chains: copies.keys().toArray(),
    sets: listed.keys().toArray(),
    sameHook: (chain, base) => {
      const found = copies.get(chain);
      return found === undefined ? undefined : JSON.stringify(found.base) === JSON.stringify(base);
    },
    sameRules: (chain, rules) => copies.get(chain)?.rules === JSON.stringify(rules),
    sameSet: (declaration) => {
      const found = listed.get(declaration.name);
      return found === undefined ? undefined : found.declaration === JSON.stringify(declaration);
    },
    elements: (set) => listed.get(set)?.elements ?? new Map(),
  };
}
