/** nf_tables in memory: takes what the kernel takes, refuses what it refuses, and shows what it holds. */
import { Ruleset } from "../../lib/nftables/model.ts";
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
    has: (table) => ruleset.table(table) !== undefined,
    dump: () => rulesetText(ruleset),
    close: () => {},
  };
}
