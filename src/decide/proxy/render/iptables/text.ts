/**
 * Rules as the input of `iptables-restore --noflush`, as kube-proxy writes it. What comes from objects (names in comments) is
 * quoted; names of Services cannot hold a quote or a newline, but a renderer does not count on that.
 */
import { joinHostPort } from "../../../../lib/ip.ts";
import { isServiceChain } from "./chain-names.ts";
import { sameChain } from "./drift.ts";
import { kube } from "./layout.ts";
import { missingJumps, tableNames, type Listing } from "./listing.ts";
import {
  chainsOf,
  type Chain,
  type IptablesRules,
  type IptablesTable,
  type Match,
  type Rule,
  type TableName,
  type Target,
} from "./rules.ts";

/** Everything: chains that are there already are emptied and filled anew. `jumps`: with the rules in the kernel's own chains. */
export function restoreText(rules: IptablesRules, { jumps = false }: { readonly jumps?: boolean } = {}): string {
  return joined(tableNames.map((name) => tableLines(name, chainsOf(rules.tables[name]), [], jumps ? jumpLines(rules, name) : [])));
}

/**
 * Everything, into tables that may hold rules of an earlier proxy (`listing`): of its chains those that no Service has any more are
 * taken away, and what leads to ours goes to the top of the kernel's chains where it is missing; rules of others stay where they are.
 * With a chain that holds nothing and shows by its absence that somebody has flushed the table. The lines one by one, so that whoever
 * writes a large cluster's can pause between them. Without a listing: into tables that hold no others of ours.
 */
export function* fullRestoreLines(rules: IptablesRules, listing?: Listing): Generator<string> {
  const written = new Set(chainsOf(rules.tables.nat).map(({ name }) => name));
  const stale = (listing?.chains.nat ?? []).filter((name) => isServiceChain(name) && !written.has(name));
  const missing = listing === undefined ? [] : missingJumps(rules, listing);
  const canary: Chain = { name: kube.canary, rules: [] };
  for (const name of tableNames) {
    // Each goes before the one that was put in last.
    const jumps = missing.filter(({ table }) => table === name).toReversed();
    const lines = jumps.map(({ from, rule }) => `-I ${from} ${ruleText(rule)}`);
    yield* tableLines(name, [...chainsOf(rules.tables[name]), canary], name === "nat" ? stale : [], lines);
  }
}

/** Asks whether what leads to our chains is there: refused where a rule is missing. */
export function jumpsQuestion({ jumps }: IptablesRules): string {
  const lines = (name: TableName) => jumps.filter(({ table }) => table === name).map(({ from, rule }) => `-C ${from} ${ruleText(rule)}\n`);
  return tableNames.map((name) => `*${name}\n${lines(name).join("")}COMMIT\n`).join("");
}

/** Takes all of kube-proxy's chains away, and what leads to them. `further`: names of ours. */
export function removalText({ chains, jumps }: Listing, further: readonly string[] = []): string {
  // The chain of localhost NodePorts is the kubelet's too, and stays.
  const ours: ReadonlySet<string> = new Set([...Object.values(kube).filter((name) => name !== kube.localnet), ...further]);
  const mine = (table: TableName, chain: string) => ours.has(chain) || (table === "nat" && isServiceChain(chain));
  const leads = (name: TableName) => jumps.filter(({ table, to }) => table === name && mine(name, to));
  return joined(
    tableNames.map((name) =>
      tableLines(
        name,
        [],
        chains[name].filter((chain) => mine(name, chain)),
        leads(name).map(({ line }) => line.replace("-A", "-D")),
      ),
    ),
  );
}

/**
 * What leads from `have` to `want`, a partial sync (KEP-3453): the shared chains that are not as they were, which have rules of every
 * Service and are dear, and of the Services' own those that are not the same object. Chains that are no more are emptied and deleted.
 */
export function* partialRestoreLines(have: IptablesRules, want: IptablesRules): Generator<string> {
  for (const name of tableNames) {
    const before = new Map(have.tables[name].shared.map((chain) => [chain.name, chain]));
    const shared = want.tables[name].shared.filter((chain) => {
      const old = before.get(chain.name);
      return old === undefined || !sameChain(old, chain);
    });
    const { changed, stale } = serviceChanges(have.tables[name], want.tables[name]);
    if (shared.length + changed.length + stale.length > 0) yield* tableLines(name, [...shared, ...changed], stale, []);
  }
}

const joined = (tables: readonly Iterable<string>[]): string => tables.map((lines) => `${[...lines].join("\n")}\n`).join("");

function serviceChanges(
  have: IptablesTable,
  want: IptablesTable,
): { readonly changed: readonly Chain[]; readonly stale: readonly string[] } {
  const [left, came] = different(have.services, want.services);
  const changed = came.flat();
  // A chain that moved to another object under the same name is written, not deleted.
  const written = new Set(changed.map(({ name }) => name));
  const gone = left.flatMap((chains) => chains.map(({ name }) => name));
  return { changed, stale: [...new Set(gone)].filter((name) => !written.has(name)) };
}

type Services = IptablesTable["services"];

/** Those that only one of the two has. Most changes leave each Service at its place. */
function different(have: Services, want: Services): readonly [Services, Services] {
  if (have.length === want.length) return [have.filter((chains, i) => chains !== want[i]), want.filter((chains, i) => chains !== have[i])];
  const [before, after] = [new Set(have), new Set(want)];
  return [have.filter((chains) => !after.has(chains)), want.filter((chains) => !before.has(chains))];
}

/** The rules in the kernel's own chains, as `iptables-save` prints them. */
export function jumpLines(rules: IptablesRules, table: TableName): readonly string[] {
  return rules.jumps.filter((jump) => jump.table === table).map(({ from, rule }) => `-A ${from} ${ruleText(rule)}`);
}

function* tableLines(name: TableName, chains: readonly Chain[], stale: readonly string[], jumps: readonly string[]): Generator<string> {
  yield `*${name}`;
  for (const chain of chains) yield `:${chain.name} - [0:0]`;
  for (const chain of stale) yield `:${chain} - [0:0]`;
  yield* jumps;
  for (const chain of chains) for (const rule of chain.rules) yield `-A ${chain.name} ${ruleText(rule)}`;
  for (const chain of stale) yield `-X ${chain}`;
  yield "COMMIT";
}

export function chainLines({ name, rules }: Chain): readonly string[] {
  return rules.map((rule) => `-A ${name} ${ruleText(rule)}`);
}

const ruleText = (rule: Rule): string => ruleWords(rule).map(quoted).join(" ");

function quoted(word: string): string {
  return /^[\w!./:,+[\]-]+$/.test(word) ? word : `"${word.replace(/[\n\r]/g, " ").replace(/["\\]/g, "\\$&")}"`;
}

function ruleWords({ matches, target }: Rule): readonly string[] {
  return [...matches.flatMap(matchWords), ...(target === undefined ? [] : targetWords(target))];
}

const not = ({ negated }: { readonly negated?: boolean }): readonly string[] => (negated === true ? ["!"] : []);
const hex = (bits: number) => `0x${bits.toString(16)}`;

function matchWords(match: Match): readonly string[] {
  switch (match.kind) {
    case "comment":
      return ["-m", "comment", "--comment", match.text];
    case "protocol":
      return [...(match.bare === true ? [] : ["-m", match.protocol]), "-p", match.protocol];
    case "source":
      return [...not(match), "-s", match.cidr];
    case "fromInterface":
      return [...not(match), "-i", `${match.name}${match.prefix ? "+" : ""}`];
    case "destination":
      return [...not(match), "-d", match.cidr];
    case "destinationPort":
      return ["--dport", String(match.port)];
    case "localAddress":
      return ["-m", "addrtype", ...not(match), match.side === "source" ? "--src-type" : "--dst-type", "LOCAL"];
    case "mark":
      return ["-m", "mark", ...not(match), "--mark", `${hex(match.bits)}/${hex(match.bits)}`];
    case "conntrack":
      return ["-m", "conntrack", ...not(match), "--ctstate", match.states.join(",")];
    case "random":
      return ["-m", "statistic", "--mode", "random", "--probability", match.probability];
    case "recentCheck":
      return ["-m", "recent", "--name", match.list, "--rcheck", "--seconds", String(match.seconds), "--reap"];
    case "recentSet":
      return ["-m", "recent", "--name", match.list, "--set"];
    case "set":
      return ["-m", "set", "--match-set", match.name, match.sides.join(",")];
    case "virtualServer":
      return ["-m", "ipvs", "--vaddr", match.address, "--vproto", match.protocol, "--vport", String(match.port)];
    case "bridged":
      return ["-m", "physdev", ...not(match), "--physdev-is-in"];
    default:
      return match satisfies never;
  }
}

function targetWords(target: Target): readonly string[] {
  switch (target.kind) {
    case "jump":
      return ["-j", target.chain];
    case "accept":
    case "drop":
    case "reject":
    case "return":
      return ["-j", target.kind.toUpperCase()];
    case "orMark":
      return ["-j", "MARK", "--or-mark", hex(target.bits)];
    case "xorMark":
      return ["-j", "MARK", "--xor-mark", hex(target.bits)];
    case "masquerade":
      return ["-j", "MASQUERADE", ...(target.randomFully ? ["--random-fully"] : [])];
    case "dnat":
      return ["-j", "DNAT", "--to-destination", joinHostPort(target.ip, target.port)];
    default:
      return target satisfies never;
  }
}
