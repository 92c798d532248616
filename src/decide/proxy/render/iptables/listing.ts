/** What `iptables-save` lists, as far as it says what is to be taken over: chains, and the rules that lead to them. Pure. */
import { kube } from "./layout.ts";
import type { IptablesRules, Jump, TableName } from "./rules.ts";

export const tableNames: readonly TableName[] = ["filter", "nat"];

/** A rule in a chain of the kernel's own. */
export interface ListedJump {
  readonly table: TableName;
  readonly from: string;
  readonly to: string;
  /** As it was listed: `-A PREROUTING … -j KUBE-SERVICES`. */
  readonly line: string;
}

export interface Listing {
  readonly chains: Readonly<Record<TableName, readonly string[]>>;
  readonly jumps: readonly ListedJump[];
}

const jumpLine = /^-A (PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING) .*-j (\S+)$/;

/** The lines that `readListing` reads: few, however many Services there are. */
export function isOfListing(line: string): boolean {
  return line.startsWith("*") || line.startsWith(":") || jumpLine.test(line);
}

export function readListing(lines: Iterable<string>): Listing {
  const chains: Record<TableName, string[]> = { filter: [], nat: [] };
  const jumps: ListedJump[] = [];
  let table: TableName | undefined;
  for (const line of lines) {
    if (line.startsWith("*")) table = tableNames.find((name) => name === line.slice(1).trim());
    if (table === undefined) continue;
    if (line.startsWith(":")) chains[table].push(line.slice(1, line.indexOf(" ")));
    const [, from, to] = jumpLine.exec(line) ?? [];
    if (from !== undefined && to !== undefined) jumps.push({ table, from, to, line });
  }
  return { chains, jumps };
}

/** By where they lead: versions of iptables print the same match in more than one way. */
export function missingJumps({ jumps }: IptablesRules, listing: Listing): readonly Jump[] {
  const there = new Set(listing.jumps.map(({ table, from, to }) => `${table} ${from} ${to}`));
  return jumps.filter(({ table, from, rule: { target } }) => target?.kind !== "jump" || !there.has(`${table} ${from} ${target.chain}`));
}

/** Whether somebody has taken all chains of a table away, or what leads to ours. */
export function isFlushed(rules: IptablesRules, listing: Listing): boolean {
  return tableNames.some((name) => !listing.chains[name].includes(kube.canary)) || missingJumps(rules, listing).length > 0;
}
