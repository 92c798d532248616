/** Whether the kernel still holds the rules that were restored, by what `iptables-save` lists. Pure. */
import { kube } from "./layout.ts";
import { tableNames } from "./listing.ts";
import { chainsOf, type Chain, type IptablesRules, type TableName } from "./rules.ts";

export interface ListedRules {
  /** `nat KUBE-SERVICES` → how many rules. */
  readonly counts: ReadonlyMap<string, number>;
  /** The rules of the chains asked for, as they were listed. */
  readonly text: string;
}

/** `lines`: of `iptables-save`; only chains of `rules` are looked at. */
export function listedRules(rules: IptablesRules, lines: Iterable<string>): ListedRules {
  const ours = new Set(tableNames.flatMap((table) => ownChains(rules, table).map(({ name }) => `${table} ${name}`)));
  const counts = new Map<string, number>();
  const text: string[] = [];
  let table = "";
  for (const line of lines) {
    if (line.startsWith("*")) table = line.slice(1).trim();
    const [word, chain = ""] = line.split(" ", 2);
    const key = `${table} ${chain}`;
    if (word !== "-A" || !ours.has(key)) continue;
    counts.set(key, (counts.get(key) ?? 0) + 1);
    text.push(`${table} ${line}`);
  }
  return { counts, text: text.join("\n") };
}

/** The chain of localhost NodePorts is the kubelet's too: what it puts there is no drift. */
function ownChains(rules: IptablesRules, table: TableName): readonly Chain[] {
  return chainsOf(rules.tables[table]).filter(({ name }) => name !== kube.localnet);
}

/** Chains whose number of rules is not what it should be: somebody has put in or taken out. */
export function driftedChains(rules: IptablesRules, { counts }: ListedRules): readonly string[] {
  return tableNames.flatMap((table) =>
    ownChains(rules, table).flatMap(({ name, rules: wanted }) =>
      (counts.get(`${table} ${name}`) ?? 0) === wanted.length ? [] : [`${table} ${name}`],
    ),
  );
}

/** Whether two renderings would be written alike. Chains and rules that came out of a cache are the same objects. */
export function isSame(a: IptablesRules, b: IptablesRules): boolean {
  return tableNames.every((table) => {
    const [left, right] = [a.tables[table], b.tables[table]];
    return (
      left.services.length === right.services.length &&
      left.services.every((chains, i) => chains === right.services[i]) &&
      left.shared.length === right.shared.length &&
      left.shared.every((chain, i) => sameChain(chain, right.shared[i] as Chain))
    );
  });
}

export function sameChain(a: Chain, b: Chain): boolean {
  if (a.name !== b.name || a.rules.length !== b.rules.length) return false;
  return a.rules.every((rule, i) => rule === b.rules[i] || JSON.stringify(rule) === JSON.stringify(b.rules[i]));
}

export function countRules(rules: IptablesRules, table: TableName): number {
  return chainsOf(rules.tables[table]).reduce((sum, chain) => sum + chain.rules.length, 0);
}
