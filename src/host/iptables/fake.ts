/** iptables in memory: takes restore texts and single rules as the programs do, refuses what they refuse, and can be listed. */
import { FairleadError } from "../../lib/errors.ts";
import type { IpFamily } from "../../lib/ip.ts";
import type { Iptables } from "./iptables.ts";

export interface FakeIptables extends Iptables {
  /** `-A CHAIN …` lines of a table, by chain in order of names. */
  list(family: IpFamily, table: string): readonly string[];
  /** `iptables -F; iptables -X` in every table. */
  flush(): void;
  /** Texts restored so far. */
  readonly restored: readonly string[];
  /** The next restore is refused with this. */
  refuseNext(message: string): void;
}

const base = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"];

type Chains = ReadonlyMap<string, readonly string[]>;

export function fakeIptables(): FakeIptables {
  const tables = new Map<string, Chains>();
  const restored: string[] = [];
  let refusal: string | undefined;
  const chainsOf = (key: string): Chains => tables.get(key) ?? new Map(base.map((name) => [name, []]));
  return {
    restored,
    refuseNext: (message) => void (refusal = message),
    flush: () => tables.clear(),
    list: (family, table) => [...chainsOf(`${family} ${table}`)].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, rules]) => rules),
    save: async (family, keep = () => true) =>
      ["filter", "nat"]
        .flatMap((table) => {
          const chains = chainsOf(`${family} ${table}`);
          return [`*${table}`, ...[...chains.keys()].map((name) => `:${name} - [0:0]`), ...[...chains.values()].flat(), "COMMIT"];
        })
        .filter(keep),
    async holds(family, text) {
      try {
        for (const [, table = "", body = ""] of text.matchAll(tableText)) restoreTable(chainsOf(`${family} ${table}`), body);
        return true;
      } catch {
        return false;
      }
    },
    async restore(family, text) {
      restored.push(text);
      const message = refusal;
      refusal = undefined;
      if (message !== undefined) throw new FairleadError("FL_RUNTIME", `iptables-restore (IPv${family}): ${message}`);
      for (const [, table = "", body = ""] of text.matchAll(tableText)) {
        tables.set(`${family} ${table}`, restoreTable(chainsOf(`${family} ${table}`), body));
      }
    },
    rule: async (family, [, table = "", action = "", chain = ""]) => action === "-S" && chainsOf(`${family} ${table}`).has(chain),
  };
}

const tableText = /^\*(\w+)\n([^]*?)^COMMIT\n/gm;

/** As `--noflush` has it: a chain that is named is emptied; all of the table or nothing. */
function restoreTable(before: Chains, body: string): Chains {
  const chains = new Map<string, string[]>([...before].map(([name, rules]) => [name, [...rules]]));
  const refuse = (line: string): never => {
    throw new FairleadError("FL_RUNTIME", `iptables-restore: line failed: ${line}`);
  };
  for (const line of body.split("\n").filter(Boolean)) {
    const [word = "", chain = ""] = line.split(" ");
    if (word.startsWith(":")) chains.set(word.slice(1), []);
    else if (word === "-A") {
      const target = / -j (KUBE-\S+)$/.exec(line)?.[1];
      if (target !== undefined && !chains.has(target)) refuse(line);
      (chains.get(chain) ?? refuse(line)).push(line);
    } else if (word === "-I") {
      (chains.get(chain) ?? refuse(line)).unshift(line.replace("-I", "-A"));
    } else if (word === "-C" || word === "-D") {
      const rules = chains.get(chain) ?? refuse(line);
      const at = rules.indexOf(line.replace(word, "-A"));
      if (at < 0) refuse(line);
      if (word === "-D") rules.splice(at, 1);
    } else if (word === "-X") {
      const used = [...chains.values()].some((rules) => rules.some((rule) => rule.endsWith(` -j ${chain}`)));
      if (used || chains.get(chain)?.length !== 0) refuse(line);
      chains.delete(chain);
    } else refuse(line);
  }
  return chains;
}
