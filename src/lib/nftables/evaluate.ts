/**
 * Sends the first packet of a connection through a ruleset in memory, as the kernel's hooks would: prerouting and forward (output for the
 * node's own packets), then postrouting with the addresses that it got. Dynamic maps change as they would.
 */
import { cidrContains, parseCidr, parseIp } from "../ip.ts";
import { keyText, type ChainState, type Ruleset, type SetState, type StoredElement, type TableState } from "./model.ts";
import { protocolOf, unknownStatement, type Atom, type BaseHook, type Field, type Statement, type Verdict } from "./ruleset.ts";
import { isVerdict } from "./text.ts";

export interface EvaluatedPacket {
  readonly from: string;
  readonly to: string;
  readonly port: number;
  /** `tcp`, `udp`, `sctp`, or another's name: then it has no port. */
  readonly protocol: string;
  /** By which it came; absent: not known, so no rule that asks for one is about it. */
  readonly interface?: string;
  /** Whether the node itself sends it. */
  readonly local: boolean;
}

export interface EvaluateOptions {
  /** 0 … modulus - 1. */
  readonly random: (modulus: number) => number;
  /** Seconds. */
  readonly now: number;
  /** Whether dynamic maps keep what the packet writes. */
  readonly keep: boolean;
  /** Whether a route leads to the address. Default: to each. */
  readonly routed?: (address: string) => boolean;
}

export type Outcome =
  | { readonly kind: "accept"; readonly dnat?: { readonly address: string; readonly port: number }; readonly masquerade: boolean }
  | { readonly kind: "drop" }
  | { readonly kind: "reject"; readonly with: string };

interface Flow {
  readonly packet: EvaluatedPacket;
  readonly options: EvaluateOptions;
  address: string;
  port: number;
  mark: number;
  ctMark: number;
  dnat?: { readonly address: string; readonly port: number };
  masquerade: boolean;
}

/** Where a chain ended: with a verdict for the packet, or at its end. */
type End = { readonly kind: "accept" | "drop" } | { readonly kind: "reject"; readonly with: string } | "continue";

export function evaluate(ruleset: Ruleset, packet: EvaluatedPacket, options: EvaluateOptions): Outcome {
  const flow: Flow = { packet, options, address: packet.to, port: packet.port, mark: 0, ctMark: 0, masquerade: false };
  const hooks = packet.local ? (["output", "postrouting"] as const) : (["prerouting", "forward", "postrouting"] as const);
  for (const hook of hooks) {
    for (const state of tablesFor(ruleset, packet)) {
      for (const [name] of basesAt(state, hook)) {
        const end = runChain(state, name, flow, 0);
        if (end !== "continue" && end.kind !== "accept") return end.kind === "drop" ? { kind: "drop" } : (end as Outcome);
      }
    }
    if (flow.dnat !== undefined) Object.assign(flow, flow.dnat);
  }
  return { kind: "accept", masquerade: flow.masquerade, ...(flow.dnat === undefined ? {} : { dnat: flow.dnat }) };
}

function basesAt({ chains }: TableState, hook: BaseHook["hook"]): readonly (readonly [string, ChainState])[] {
  return [...chains]
    .filter(([, { base }]) => base?.hook === hook)
    .sort(([, a], [, b]) => (a.base?.priority ?? 0) - (b.base?.priority ?? 0));
}

function tablesFor(ruleset: Ruleset, { to }: EvaluatedPacket): TableState[] {
  const family = to.includes(":") ? "ip6" : "ip";
  return [...ruleset.tables()].filter(({ table }) => table.family === family);
}

/** The kernel allows 16 jumps on the stack. */
const maxDepth = 16;

function runChain(state: TableState, name: string, flow: Flow, depth: number): End {
  const chain = state.chains.get(name);
  if (chain === undefined || depth > maxDepth) throw new Error(`chain ${name}: not there, or more than ${maxDepth} deep`);
  for (const statements of chain.rules) {
    const verdict = runRule(state, statements, flow);
    if (verdict === undefined) continue;
    if ("with" in verdict) return verdict;
    if (verdict.kind === "return") return "continue";
    if (!("chain" in verdict)) return { kind: verdict.kind as "accept" | "drop" };
    const end = runChain(state, verdict.chain, flow, depth + 1);
    // A jump comes back here, a goto to whoever jumped to this chain.
    if (end !== "continue" || verdict.kind === "goto") return end;
  }
  return "continue";
}

type RuleVerdict = Verdict | { readonly kind: "reject"; readonly with: string };

/** Undefined: the next rule. */
function runRule(state: TableState, statements: readonly Statement[], flow: Flow): RuleVerdict | undefined {
  for (const statement of statements) {
    if ((protocolOf(statement) ?? flow.packet.protocol) !== flow.packet.protocol) return undefined;
    const result = runStatement(state, statement, flow);
    if (result === "break") return undefined;
    if (result !== "continue") return result;
  }
  return undefined;
}

type Step = "continue" | "break" | RuleVerdict;

function runStatement(state: TableState, statement: Statement, flow: Flow): Step {
  const when = (holds: boolean): Step => (holds ? "continue" : "break");
  switch (statement.kind) {
    case "match":
      return when(matches(load(flow, statement.field), statement.value) === (statement.operator === "=="));
    case "inRange":
      return when(flow.port >= statement.from && flow.port <= statement.to);
    // What is traced here is a new connection, tracked or not.
    case "established":
      return "break";
    case "bitsSet":
      return when((flow.ctMark & statement.bits) === statement.bits);
    case "inSet":
      return when((find(state, statement.set, statement.key, flow) !== undefined) !== (statement.negated === true));
    case "noRoute":
      return when(flow.options.routed?.(flow.address) === false);
    case "setBits":
      flow.ctMark |= statement.bits;
      return "continue";
    case "setMark":
      return setMark(state, statement.to, flow);
    case "dispatch": {
      const value = find(state, statement.map, statement.key, flow)?.value;
      return value !== undefined && isVerdict(value) ? value : "break";
    }
    case "dnatByMap": {
      const value = find(state, statement.map, statement.key, flow)?.value as readonly [string, number] | undefined;
      return value === undefined ? "break" : dnat(flow, value[0], value[1]);
    }
    case "dnat":
      return dnat(flow, statement.address, statement.port);
    case "remember":
      return when(remember(state, statement, flow));
    case "fromInterface": {
      const { interface: by = "" } = flow.packet;
      return when(statement.prefix ? by.startsWith(statement.name) : by === statement.name);
    }
    case "notrack":
      return "continue";
    case "masquerade":
      flow.masquerade = true;
      return { kind: "accept" };
    case "reject":
      return { kind: "reject", with: statement.with };
    case "verdict":
      return statement.verdict;
    default:
      return unknownStatement(statement);
  }
}

function dnat(flow: Flow, address: string, port: number): Step {
  flow.dnat = { address, port };
  return { kind: "accept" };
}

function setMark(state: TableState, from: (Statement & { kind: "setMark" })["to"], flow: Flow): Step {
  if (from.kind === "random") {
    flow.mark = from.offset + flow.options.random(from.modulus);
    return "continue";
  }
  const value = find(state, from.map, from.key, flow)?.value as readonly [number] | undefined;
  if (value === undefined) return "break";
  flow.mark = value[0];
  return "continue";
}

function remember(state: TableState, statement: Statement & { kind: "remember" }, flow: Flow): boolean {
  const set = setOf(state, statement.map);
  const key = statement.key.map((field) => load(flow, field));
  const text = keyText(key);
  const old = find(state, statement.map, statement.key, flow);
  if (!flow.options.keep) return statement.operation !== "delete" || old !== undefined;
  if (statement.operation === "delete") return set.elements.delete(text);
  if (old === undefined && set.elements.size >= (set.declaration.size ?? Number.POSITIVE_INFINITY)) return false;
  // The kernel keeps the old value: an update only starts the timeout anew.
  const value = old?.value ?? [flow.mark];
  if (old !== undefined && statement.operation === "add") return true;
  set.elements.set(text, { key, value, expires: flow.options.now + (statement.timeoutSeconds ?? Number.POSITIVE_INFINITY) });
  return true;
}

function find(state: TableState, name: string, key: readonly Field[], flow: Flow): StoredElement | undefined {
  const found = setOf(state, name).elements.get(keyText(key.map((field) => load(flow, field))));
  return found?.expires !== undefined && found.expires <= flow.options.now ? undefined : found;
}

function setOf(state: TableState, name: string): SetState {
  const set = state.sets.get(name);
  if (set === undefined) throw new Error(`no set ${name}`);
  return set;
}

function load(flow: Flow, field: Field): Atom {
  switch (field) {
    case "ip saddr":
    case "ip6 saddr":
      return flow.packet.from;
    case "ip daddr":
    case "ip6 daddr":
      return flow.address;
    case "tcp dport":
    case "udp dport":
    case "sctp dport":
    case "th dport":
      return flow.port;
    case "meta l4proto":
      return flow.packet.protocol;
    case "meta mark":
      return flow.mark;
    case "ct mark":
      return flow.ctMark;
    default:
      return field satisfies never;
  }
}

function matches(got: Atom, wanted: Atom): boolean {
  const cidr = typeof wanted === "string" && wanted.includes("/") ? parseCidr(wanted) : undefined;
  if (cidr === undefined) return got === wanted;
  const ip = parseIp(String(got));
  return ip !== undefined && cidrContains(cidr, ip);
}
