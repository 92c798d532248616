/**
 * Walks a packet through `nft -j list ruleset`: as much of libnftables-json(5) as kube-proxy's mode nftables writes. Written against
 * the man page, apart from our own evaluator, so that the two do not share a mistake. Throws on what it does not know.
 */
import { cidrContains, formatIp, parseCidr, parseIp } from "../../../src/lib/ip.ts";
import type { RulesTrace } from "../../../src/decide/proxy/render/nftables-trace.ts";
import type { Packet } from "../../../src/decide/proxy/index.ts";

type Json = Readonly<Record<string, unknown>>;

interface Chain {
  readonly hook?: string;
  readonly priority: number;
  readonly rules: (readonly Json[])[];
}

export interface NftTable {
  readonly chains: ReadonlyMap<string, Chain>;
  readonly sets: ReadonlyMap<string, readonly unknown[]>;
}

/** The chains and sets of one table of the listing. */
export function readTable(listing: { readonly nftables: readonly Json[] }, family: "ip" | "ip6", name: string): NftTable {
  const chains = new Map<string, Chain>();
  const sets = new Map<string, readonly unknown[]>();
  const of = <T>(entry: Json, kind: string) => {
    const found = entry[kind] as (Json & { table: string; family: string; name: string }) | undefined;
    return found !== undefined && found.table === name && found.family === family ? (found as unknown as T) : undefined;
  };
  for (const entry of listing.nftables) {
    const chain = of<{ name: string; hook?: string; prio?: number }>(entry, "chain");
    if (chain !== undefined)
      chains.set(chain.name, { ...(chain.hook === undefined ? {} : { hook: chain.hook }), priority: chain.prio ?? 0, rules: [] });
    const set =
      of<{ name: string; elem?: readonly unknown[] }>(entry, "set") ?? of<{ name: string; elem?: readonly unknown[] }>(entry, "map");
    if (set !== undefined) sets.set(set.name, set.elem ?? []);
    const rule = of<{ chain: string; expr: readonly Json[] }>(entry, "rule");
    if (rule !== undefined) chains.get(rule.chain)?.rules.push(rule.expr);
  }
  return { chains, sets };
}

interface Flow {
  readonly from: string;
  to: string;
  port: number;
  readonly protocol: string;
  mark: number;
  dnat: boolean;
  masquerade: boolean;
  readonly local: ReadonlySet<string>;
  readonly random: (modulus: number) => number;
}

type End = "continue" | "return" | "accept" | "drop" | "reject" | { readonly goto: string } | { readonly jump: string };

/** Every outcome of a random choice. */
export function traceNftJson(table: NftTable, packet: Packet, nodeAddresses: readonly string[]): RulesTrace {
  const local = new Set([...nodeAddresses, "127.0.0.1", "::1"]);
  let choices = 1;
  const endpoints: { ip: string; port: number; masquerade: boolean }[] = [];
  for (let choice = 0; choice < choices; choice++) {
    const flow: Flow = {
      from: packet.from,
      to: packet.to,
      port: packet.port,
      protocol: packet.protocol.toLowerCase(),
      mark: 0,
      dnat: false,
      masquerade: false,
      local,
      random: (modulus) => {
        choices = modulus;
        return choice;
      },
    };
    const end = walk(table, flow);
    if (end !== "accept") return { kind: end };
    if (!flow.dnat) return { kind: "none" };
    endpoints.push({ ip: flow.to, port: flow.port, masquerade: flow.masquerade });
  }
  return { kind: "dnat", endpoints };
}

function walk(table: NftTable, flow: Flow): "accept" | "drop" | "reject" {
  const sent = flow.local.has(flow.from);
  const first = sent ? "output" : "prerouting";
  for (const chain of hooked(table, first)) {
    const end = run(table, chain, flow);
    if (end === "drop" || end === "reject") return end;
  }
  // Where the packet goes on depends on the address that it has by now. What leaves is asked at output with its new address.
  const here = flow.local.has(flow.to);
  const later = sent ? (here ? ["input", "postrouting"] : ["postrouting"]) : here ? ["input", "postrouting"] : ["forward", "postrouting"];
  for (const hook of later) {
    for (const chain of hooked(table, hook)) {
      const end = run(table, chain, flow);
      if (end === "drop" || end === "reject") return end;
    }
  }
  return "accept";
}

function hooked({ chains }: NftTable, hook: string): readonly string[] {
  return [...chains]
    .filter(([, chain]) => chain.hook === hook)
    .sort(([, a], [, b]) => a.priority - b.priority)
    .map(([name]) => name);
}

function run(table: NftTable, name: string, flow: Flow, depth = 0): Exclude<End, object> {
  const chain = table.chains.get(name);
  if (chain === undefined) throw new Error(`no chain ${name}`);
  if (depth > 16) throw new Error(`chain ${name}: too deep`);
  for (const rule of chain.rules) {
    const end = runRule(table, rule, flow);
    if (end === "continue") continue;
    if (typeof end === "string") return end;
    if ("goto" in end) return run(table, end.goto, flow, depth + 1);
    const inner = run(table, end.jump, flow, depth + 1);
    if (inner !== "continue" && inner !== "return") return inner;
  }
  return "continue";
}

/** `continue`: the next rule. */
function runRule(table: NftTable, statements: readonly Json[], flow: Flow): End {
  for (const statement of statements) {
    const [[kind, body]] = Object.entries(statement) as [[string, Json]];
    switch (kind) {
      case "counter":
      case "set":
        break;
      case "match":
        if (!matches(table, body, flow)) return "continue";
        break;
      case "vmap": {
        const verdict = lookup(table, body["data"], value(table, body["key"], flow)) as Json | undefined;
        if (verdict === undefined) return "continue";
        return verdictOf(verdict);
      }
      case "mangle":
        if (JSON.stringify(body["key"]) !== '{"meta":{"key":"mark"}}') throw new Error(`mangle ${JSON.stringify(body)}`);
        flow.mark = value(table, body["value"], flow) as number;
        break;
      case "dnat": {
        if (!dnat(table, body, flow)) return "continue";
        return "accept";
      }
      case "masquerade":
        flow.masquerade = true;
        return "accept";
      case "reject":
        return "reject";
      default:
        return verdictOf(statement);
    }
  }
  return "continue";
}

function verdictOf(verdict: Json): End {
  const [[kind, body]] = Object.entries(verdict) as [[string, { readonly target?: string } | null]];
  if (kind === "goto") return { goto: body?.target as string };
  if (kind === "jump") return { jump: body?.target as string };
  if (kind === "accept" || kind === "drop" || kind === "return") return kind;
  throw new Error(`nft: statement ${JSON.stringify(verdict)} is not known`);
}

function dnat(table: NftTable, body: Json, flow: Flow): boolean {
  const to = value(table, body["addr"], flow);
  if (to === undefined) return false;
  const [ip, port] = Array.isArray(to) ? (to as [string, number]) : [to as string, body["port"] as number];
  flow.to = ip;
  flow.port = Number(port);
  flow.dnat = true;
  return true;
}

function matches(table: NftTable, { op, left, right }: Json, flow: Flow): boolean {
  const got = value(table, left, flow);
  if (got === undefined) return false;
  const states = JSON.stringify(left);
  if (states === '{"ct":{"key":"state"}}') return has(right, "new");
  if (states === '{"ct":{"key":"status"}}') return has(right, "dnat") && flow.dnat;
  const equal =
    typeof right === "string" && right.startsWith("@") ? lookup(table, right, got) !== undefined : equals(table, got, right, flow);
  return op === "!=" ? !equal : equal;
}

const has = (right: unknown, word: string): boolean => (Array.isArray(right) ? right.includes(word) : right === word);

function equals(table: NftTable, got: unknown, right: unknown, flow: Flow): boolean {
  if (typeof right === "object" && right !== null && "set" in right)
    return (right.set as unknown[]).some((one) => equals(table, got, one, flow));
  if (typeof right === "object" && right !== null && "prefix" in right) {
    const { addr, len } = right.prefix as { addr: string; len: number };
    const [cidr, ip] = [parseCidr(`${addr}/${len}`), parseIp(String(got))];
    return cidr !== undefined && ip !== undefined && cidrContains(cidr, ip);
  }
  return textOf(got) === textOf(typeof right === "object" ? value(table, right, flow) : right);
}

/** undefined: the packet has no such thing, or the map no such element. */
function value(table: NftTable, expression: unknown, flow: Flow): unknown {
  if (typeof expression !== "object" || expression === null) return expression;
  const [[kind, body]] = Object.entries(expression) as [[string, Json]];
  switch (kind) {
    case "payload":
      return payload(body as { protocol: string; field: string }, flow);
    case "meta":
      if (body["key"] === "l4proto") return flow.protocol;
      if (body["key"] === "mark") return flow.mark;
      break;
    case "fib": {
      const [address] = (body["flags"] as readonly string[]).map((side) => (side === "saddr" ? flow.from : flow.to));
      return flow.local.has(address as string) ? "local" : "unicast";
    }
    case "ct":
      return body["key"];
    case "concat":
      return (body as unknown as unknown[]).map((one) => value(table, one, flow));
    case "numgen":
      return flow.random(body["mod"] as number) + ((body["offset"] as number | undefined) ?? 0);
    case "map":
      return lookup(table, body["data"], value(table, body["key"], flow));
    case "&":
    case "|":
    case "^": {
      const [a, b] = (body as unknown as [unknown, unknown]).map((one) => Number(value(table, one, flow))) as [number, number];
      return kind === "&" ? a & b : kind === "|" ? a | b : a ^ b;
    }
    default:
  }
  throw new Error(`nft: expression ${JSON.stringify(expression)} is not known`);
}

function payload({ protocol, field }: { readonly protocol: string; readonly field: string }, flow: Flow): unknown {
  if (field === "saddr") return flow.from;
  if (field === "daddr") return flow.to;
  if (field === "dport") return protocol === "th" || protocol === flow.protocol ? flow.port : undefined;
  throw new Error(`nft: payload ${protocol} ${field} is not known`);
}

/** The value of a map's element, `true` for a set's; undefined: no such element. */
function lookup(table: NftTable, data: unknown, key: unknown): unknown {
  const elements = typeof data === "string" ? table.sets.get(data.slice(1)) : ((data as Json)["set"] as readonly unknown[]);
  if (elements === undefined) throw new Error(`nft: no set ${JSON.stringify(data)}`);
  for (const element of elements) {
    const isPair = Array.isArray(element);
    const [left, right] = isPair ? (element as [unknown, unknown]) : [element, true];
    if (textOf(unwrapped(left)) === textOf(key)) return concatOf(right);
  }
  return undefined;
}

function unwrapped(element: unknown): unknown {
  const inner = typeof element === "object" && element !== null && "elem" in element ? (element.elem as Json)["val"] : element;
  return concatOf(inner);
}

function concatOf(one: unknown): unknown {
  return typeof one === "object" && one !== null && "concat" in one ? one.concat : one;
}

function textOf(one: unknown): string {
  if (Array.isArray(one)) return one.map(textOf).join(" . ");
  const ip = typeof one === "string" ? parseIp(one) : undefined;
  return ip === undefined ? String(one) : formatIp(ip);
}
