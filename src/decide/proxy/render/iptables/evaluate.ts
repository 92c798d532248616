/**
 * Sends the first packet of a connection through rules in memory, hook by hook, as the kernel would (netfilter's path of a
 * packet: nat before filter at the way in, nat again at the way out). A random match is not drawn: the packet goes both ways,
 * each with its share, so that the answer holds every outcome and how likely it is.
 */
import { cidrContains, isLoopback, parseCidr, parseIp, type Ip } from "../../../../lib/ip.ts";
import { FairleadError } from "../../../../lib/errors.ts";
import type { Packet } from "../../trace.ts";
import { chainsOf, type BaseChain, type Chain, type IptablesRules, type Match, type Rule, type TableName } from "./rules.ts";

export interface EvaluateOptions {
  /** Every address of the node. */
  readonly nodeAddresses: readonly string[];
  /** Lists of `recent` that hold the client, younger than any timeout. Default: none. */
  readonly remembered?: ReadonlySet<string>;
  /** What the sets hold that rules ask for. Default: nothing. */
  readonly sets?: (name: string, sides: readonly ("src" | "dst")[], packet: Pick<Flow, "from" | "to" | "port" | "protocol">) => boolean;
}

/** `share`: of all such packets; `chains`: those that did something with it, in order. */
export type Outcome = { readonly share: number; readonly chains: readonly string[] } & (
  | { readonly kind: "accept"; readonly dnat?: Destination; readonly masquerade: boolean }
  | { readonly kind: "drop" | "reject" }
);

export interface Destination {
  readonly ip: string;
  readonly port: number;
}

export interface Flow {
  /** By which it came in; absent: not known, or it is the node's own. */
  readonly interface?: string;
  readonly from: Ip;
  readonly to: Ip;
  readonly port: number;
  readonly protocol: string;
  readonly mark: number;
  readonly dnat?: Destination;
  readonly masquerade: boolean;
  /** What IPVS took it for, once it did. */
  readonly virtualServer?: Destination;
  /** The part of all such packets that comes by here. */
  readonly share: number;
  readonly chains: readonly string[];
}

/** Where a packet is after a chain: decided, sent back, or on its way. */
export interface Step {
  readonly end: "continue" | "return" | "accept" | "drop" | "reject";
  readonly flow: Flow;
}

/** More than any chain of ours leads down; the kernel would refuse a loop of jumps. */
const maxDepth = 16;

export function evaluateIptables(rules: IptablesRules, packet: Packet, options: EvaluateOptions): readonly Outcome[] {
  const [from, to] = [parseIp(packet.from), parseIp(packet.to)];
  if (from?.family !== rules.family || to?.family !== rules.family) return [{ kind: "accept", masquerade: false, share: 1, chains: [] }];
  const protocol = packet.protocol.toLowerCase();
  const by = packet.interface === undefined ? {} : { interface: packet.interface };
  return new Evaluation(rules, options).run({
    ...by,
    from,
    to,
    port: packet.port,
    protocol,
    mark: 0,
    masquerade: false,
    share: 1,
    chains: [],
  });
}

export type Hook = readonly [TableName, BaseChain];

export class Evaluation {
  readonly #own: ReadonlySet<bigint>;
  readonly #remembered: ReadonlySet<string>;
  readonly #sets: NonNullable<EvaluateOptions["sets"]>;
  readonly #jumps: IptablesRules["jumps"];
  readonly #chains: Readonly<Record<TableName, ReadonlyMap<string, Chain>>>;

  constructor({ jumps, tables }: IptablesRules, { nodeAddresses, remembered = new Set(), sets = () => false }: EvaluateOptions) {
    this.#own = new Set(nodeAddresses.flatMap((text) => parseIp(text)?.value ?? []));
    this.#remembered = remembered;
    this.#sets = sets;
    this.#jumps = jumps;
    const byName = (name: TableName) => new Map(chainsOf(tables[name]).map((chain) => [chain.name, chain]));
    this.#chains = { filter: byName("filter"), nat: byName("nat") };
  }

  run(packet: Flow): readonly Outcome[] {
    const sent = this.#isLocal(packet.from);
    return this.hook(["nat", sent ? "OUTPUT" : "PREROUTING"], packet).flatMap(({ end, flow }): readonly Outcome[] => {
      if (end === "drop" || end === "reject") return [{ kind: end, share: flow.share, chains: flow.chains }];
      return this.#through([...this.#filterHooks(sent, flow), ["nat", "POSTROUTING"]], flow);
    });
  }

  /**
   * A packet of the node's own to itself leaves by OUTPUT and comes in by INPUT. POSTROUTING is asked of all, so that the answer
   * to who is masqueraded does not depend on where an endpoint is.
   */
  #filterHooks(sent: boolean, { to }: Flow): readonly Hook[] {
    const here = this.#isLocal(to);
    if (sent)
      return here
        ? [
            ["filter", "OUTPUT"],
            ["filter", "INPUT"],
          ]
        : [["filter", "OUTPUT"]];
    return [["filter", here ? "INPUT" : "FORWARD"]];
  }

  #through([hook, ...later]: readonly Hook[], flow: Flow): readonly Outcome[] {
    if (hook === undefined) {
      const { share, chains, masquerade, dnat } = flow;
      return [{ kind: "accept", share, chains, masquerade, ...(dnat === undefined ? {} : { dnat }) }];
    }
    return this.hook(hook, flow).flatMap((step) =>
      step.end === "drop" || step.end === "reject"
        ? [{ kind: step.end, share: step.flow.share, chains: step.flow.chains }]
        : this.#through(later, step.flow),
    );
  }

  /** One chain of the kernel's, with the chains of ours that it leads to. */
  hook([table, from]: Hook, flow: Flow): readonly Step[] {
    const rules = this.#jumps.filter((jump) => jump.table === table && jump.from === from).map(({ rule }) => rule);
    return this.#rules(table, rules, flow, 0);
  }

  #rules(table: TableName, rules: readonly Rule[], flow: Flow, depth: number): readonly Step[] {
    const done: Step[] = [];
    let open: readonly Flow[] = [flow];
    for (const rule of rules) {
      const next: Flow[] = [];
      for (const one of open) {
        for (const step of this.#rule(table, rule, one, depth)) {
          if (step.end === "continue") next.push(step.flow);
          else done.push(step);
        }
      }
      open = next;
      if (open.length === 0) break;
    }
    return [...done, ...open.map((left): Step => ({ end: "continue", flow: left }))];
  }

  #rule(table: TableName, rule: Rule, flow: Flow, depth: number): readonly Step[] {
    const probability = this.#probability(rule.matches, flow);
    if (probability === 0) return [{ end: "continue", flow }];
    const taken = this.#target(table, rule, probability === 1 ? flow : { ...flow, share: flow.share * probability }, depth);
    return probability === 1 ? taken : [...taken, { end: "continue", flow: { ...flow, share: flow.share * (1 - probability) } }];
  }

  #target(table: TableName, { target }: Rule, flow: Flow, depth: number): readonly Step[] {
    if (target === undefined) return [{ end: "continue", flow }];
    switch (target.kind) {
      case "jump":
        return this.#chain(table, target.chain, flow, depth + 1);
      case "accept":
      case "drop":
      case "reject":
      case "return":
        return [{ end: target.kind, flow }];
      case "orMark":
        return [{ end: "continue", flow: { ...flow, mark: flow.mark | target.bits } }];
      case "xorMark":
        return [{ end: "continue", flow: { ...flow, mark: flow.mark ^ target.bits } }];
      case "masquerade":
        return [{ end: "accept", flow: { ...flow, masquerade: true } }];
      case "dnat": {
        const { ip, port } = target;
        return [{ end: "accept", flow: { ...flow, to: parseIp(ip) ?? flow.to, port, dnat: { ip, port } } }];
      }
      default:
        return target satisfies never;
    }
  }

  #chain(table: TableName, name: string, flow: Flow, depth: number): readonly Step[] {
    const chain = this.#chains[table].get(name);
    if (chain === undefined || depth > maxDepth) {
      throw new FairleadError(
        "FL_INTERNAL",
        `iptables: ${chain === undefined ? `no chain ${name} in ${table}` : `${name} leads to itself`}`,
      );
    }
    return this.#rules(table, chain.rules, { ...flow, chains: [...flow.chains, name] }, depth).map((step) => left(step, flow));
  }

  /** 1: the packet matches; 0: it does not; between: such a part of all packets does. */
  #probability(matches: readonly Match[], flow: Flow): number {
    let probability = 1;
    for (const match of matches) {
      if (match.kind === "random") probability *= Number(match.probability);
      else if (!this.#matches(match, flow)) return 0;
    }
    return probability;
  }

  #matches(match: Exclude<Match, { kind: "random" }>, flow: Flow): boolean {
    switch (match.kind) {
      case "comment":
      case "recentSet":
        return true;
      case "protocol":
        return flow.protocol === match.protocol;
      case "source":
        return contains(match.cidr, flow.from) !== (match.negated === true);
      case "fromInterface": {
        const by = flow.interface ?? "";
        return (match.prefix ? by.startsWith(match.name) : by === match.name) !== (match.negated === true);
      }
      case "destination":
        return contains(match.cidr, flow.to) !== (match.negated === true);
      case "destinationPort":
        return flow.port === match.port;
      case "localAddress":
        return this.#isLocal(match.side === "source" ? flow.from : flow.to) !== (match.negated === true);
      case "mark":
        return ((flow.mark & match.bits) === match.bits) !== (match.negated === true);
      case "conntrack":
        return match.states.some((state) => state === "NEW" || (state === "DNAT" && flow.dnat !== undefined)) !== (match.negated === true);
      case "recentCheck":
        return this.#remembered.has(match.list);
      case "set":
        return this.#sets(match.name, match.sides, flow);
      case "virtualServer":
        return flow.protocol === match.protocol && flow.virtualServer?.port === match.port && flow.virtualServer.ip === match.address;
      case "bridged":
        // Pods are routed here; whether a packet crossed a bridge is not in the packet.
        return match.negated === true;
      default:
        return match satisfies never;
    }
  }

  #isLocal(ip: Ip): boolean {
    return this.#own.has(ip.value) || isLoopback(ip);
  }
}

/** RETURN goes on after the jump; a chain that did nothing with the packet is no part of its path. */
function left({ end, flow }: Step, before: Flow): Step {
  if (end !== "continue" && end !== "return") return { end, flow };
  return { end: "continue", flow: flow.mark === before.mark ? { ...flow, chains: before.chains } : flow };
}

/** `block`: a range, or an address alone. */
function contains(block: string, ip: Ip): boolean {
  const cidr = block.includes("/") ? parseCidr(block) : undefined;
  return cidr === undefined ? parseIp(block)?.value === ip.value : cidrContains(cidr, ip);
}
