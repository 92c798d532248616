/** `iptables-save` of kube-proxy's chains as the rules that our evaluator walks. Throws on what it does not know: nothing is guessed. */
import { parseIp } from "../../../src/lib/ip.ts";
import type {
  BaseChain,
  Chain,
  ConntrackState,
  IptablesRules,
  Match,
  Rule,
  TableName,
  Target,
} from "../../../src/decide/proxy/render/iptables/rules.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
const baseChains: ReadonlySet<string> = new Set(["INPUT", "OUTPUT", "FORWARD", "PREROUTING", "POSTROUTING"]);

export function parseIptablesSave(text: string, family: 4 | 6): IptablesRules {
  const chains: Record<TableName, Map<string, Rule[]>> = { filter: new Map(), nat: new Map() };
  const jumps: { table: TableName; from: BaseChain; rule: Rule }[] = [];
  let table: TableName | undefined;
  for (const line of text.split("\n")) {
    if (line.startsWith("*")) table = line === "*nat" || line === "*filter" ? (line.slice(1) as TableName) : undefined;
    if (table === undefined) continue;
    const [, declared] = /^:(\S+) /.exec(line) ?? [];
    if (declared !== undefined && !baseChains.has(declared)) chains[table].set(declared, []);
    const [, name, rest] = /^-A (\S+) ?(.*)$/.exec(line) ?? [];
    if (name === undefined) continue;
    const rule = parseRule(wordsOf(rest ?? ""));
    if (baseChains.has(name)) jumps.push({ table, from: name as BaseChain, rule });
    else chains[table].get(name)?.push(rule);
  }
  const all = (name: TableName): readonly Chain[] => [...chains[name]].map(([chain, rules]) => ({ name: chain, rules }));
  return { family, jumps, tables: { filter: { shared: all("filter"), services: [] }, nat: { shared: all("nat"), services: [] } } };
}

function wordsOf(text: string): string[] {
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, plain]) => quoted?.replace(/\\(.)/g, "$1") ?? (plain as string));
}

function parseRule(words: string[]): Rule {
  const matches: Match[] = [];
  let target: Target | undefined;
  let module = "";
  let negated = false;
  const virtual = { address: "", protocol: "tcp" as "tcp" | "udp" | "sctp", port: 0 };
  let recent: { check: boolean; list: string; seconds: number } | undefined;
  const take = () => {
    const word = words.shift();
    if (word === undefined) throw new Error("a rule ends amid an option");
    return word;
  };
  const not = (): { negated?: boolean } => {
    const said = negated ? { negated: true } : {};
    negated = false;
    return said;
  };
  while (words.length > 0) {
    const word = take();
    switch (word) {
      case "!":
        negated = true;
        break;
      case "-m":
        module = take();
        break;
      case "--comment":
        matches.push({ kind: "comment", text: take() });
        break;
      case "-p":
        matches.push({ kind: "protocol", protocol: take() as "tcp" });
        break;
      case "-s":
        matches.push({ kind: "source", cidr: plain(take()), ...not() });
        break;
      case "-d":
        matches.push({ kind: "destination", cidr: plain(take()), ...not() });
        break;
      case "--dport":
        matches.push({ kind: "destinationPort", port: Number(take()) });
        break;
      case "--dst-type":
      case "--src-type":
        if (take() !== "LOCAL") throw new Error("an address type that is not LOCAL");
        matches.push({ kind: "localAddress", side: word === "--dst-type" ? "destination" : "source", ...not() });
        break;
      case "--match-set":
        matches.push({ kind: "set", name: take(), sides: take().split(",") as ("src" | "dst")[] });
        break;
      case "--physdev-is-in":
        matches.push({ kind: "bridged", ...not() });
        break;
      case "--vproto":
        virtual.protocol = protocolName(take());
        break;
      case "--vaddr":
        virtual.address = plain(take());
        break;
      case "--vport":
        virtual.port = Number(take());
        matches.push({ kind: "virtualServer", ...virtual });
        break;
      case "--mark":
        matches.push({ kind: "mark", bits: bitsOf(take()), ...not() });
        break;
      case "--ctstate":
        matches.push({ kind: "conntrack", states: take().split(",") as ConntrackState[], ...not() });
        break;
      case "--mode":
        if (take() !== "random") throw new Error("a statistic that is not random");
        break;
      case "--probability":
        matches.push({ kind: "random", probability: take() });
        break;
      case "--rcheck":
      case "--set":
        recent = { check: word === "--rcheck", list: "", seconds: 0 };
        break;
      case "--seconds":
        (recent as NonNullable<typeof recent>).seconds = Number(take());
        break;
      case "--name":
        (recent as NonNullable<typeof recent>).list = take();
        break;
      case "--mask":
      case "--nfacct-name":
        take();
        break;
      case "--reap":
      case "--rsource":
      case "--random-fully":
        break;
      case "-j":
        target = targetOf(take(), words);
        break;
      default:
        throw new Error(`iptables-save: ${word} (of ${module}) is not known`);
    }
  }
  if (recent !== undefined)
    matches.push(
      recent.check ? { kind: "recentCheck", list: recent.list, seconds: recent.seconds } : { kind: "recentSet", list: recent.list },
    );
  const rule: Mutable<Rule> = { matches };
  if (target !== undefined) rule.target = target;
  return rule;
}

const bitsOf = (text: string) => {
  const [value = "", mask] = text.split("/").map(Number) as unknown as [number, number | undefined];
  if (mask !== undefined && mask !== value) throw new Error(`mark ${text}: mask and value differ`);
  return value as number;
};

/** xt_ipvs prints the number. */
function protocolName(word: string): "tcp" | "udp" | "sctp" {
  const names: Readonly<Record<string, "tcp" | "udp" | "sctp">> = {
    6: "tcp",
    17: "udp",
    132: "sctp",
    tcp: "tcp",
    udp: "udp",
    sctp: "sctp",
  };
  const name = names[word];
  if (name === undefined) throw new Error(`--vproto ${word}`);
  return name;
}

/** Without the length of a single address. */
function plain(cidr: string): string {
  const [address = "", bits] = cidr.split("/");
  return bits === "32" && !address.includes(":") ? address : bits === "128" ? address : cidr;
}

function targetOf(name: string, words: string[]): Target {
  switch (name) {
    case "ACCEPT":
    case "DROP":
    case "RETURN":
      return { kind: name.toLowerCase() as "accept" };
    case "REJECT":
      words.splice(0, words[0] === "--reject-with" ? 2 : 0);
      return { kind: "reject" };
    case "MASQUERADE":
      return { kind: "masquerade", randomFully: words[0] === "--random-fully" };
    case "MARK": {
      if (words.shift() !== "--set-xmark") throw new Error("MARK without --set-xmark");
      const [value = 0, mask = 0] = (words.shift() as string).split("/").map(Number);
      if (value === mask) return { kind: "orMark", bits: value };
      if (mask === 0) return { kind: "xorMark", bits: value };
      throw new Error(`MARK ${value}/${mask}`);
    }
    case "DNAT": {
      if (words.shift() !== "--to-destination") throw new Error("DNAT without --to-destination");
      const [, ip = "", port = ""] = /^\[?(.*?)\]?:(\d+)$/.exec(words.shift() as string) ?? [];
      if (parseIp(ip) === undefined) throw new Error(`DNAT to ${ip}`);
      return { kind: "dnat", ip, port: Number(port) };
    }
    default:
      return { kind: "jump", chain: name };
  }
}
