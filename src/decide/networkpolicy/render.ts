/**
 * Policies as rules of nf_tables. For each isolated pod of the node an element of a map leads to a chain that it shares with all pods
 * under the same policies: that asks each policy's chain, and refuses what none has accepted. Peers are elements of sets, so that a pod
 * that comes or goes changes an element, no rule. Egress is decided before ingress; both after Services (DNAT at -100).
 */
import type { BaseHook, DataType, Element, Field, SetDeclaration, Statement, TableFamily } from "../../lib/nftables/ruleset.ts";
import { longHash } from "../proxy/render/hash.ts";
import type { BlockPlan, Direction, PortPlan, RulePlan } from "./plan.ts";

export const policyTableName = "fairlead-policy";

/** A chain, and the sets that only its rules name. */
export interface Part {
  readonly chain: string;
  readonly rules: readonly (readonly Statement[])[];
  readonly sets: readonly SetContent[];
}

export interface SetContent {
  readonly declaration: SetDeclaration;
  readonly elements: readonly Element[];
}

export const directions: readonly Direction[] = ["egress", "ingress"];

interface FamilyFields {
  readonly source: Field;
  readonly destination: Field;
  readonly type: DataType;
}

const fields: Readonly<Record<TableFamily, FamilyFields>> = {
  ip: { source: "ip saddr", destination: "ip daddr", type: "ipv4_addr" },
  ip6: { source: "ip6 saddr", destination: "ip6 daddr", type: "ipv6_addr" },
};

export const isOfFamily = (family: TableFamily, address: string): boolean => address.includes(":") === (family === "ip6");

/** Isolated pods of this node, by address: the chain of those under the same policies. */
export function isolatedMap(direction: Direction, family: TableFamily): SetDeclaration {
  return { name: `${direction}-pods`, key: [fields[family].type], value: "verdict" };
}

/** Each isolated pod's addresses, twice: a pod always reaches itself. */
export function selfSet(family: TableFamily): SetDeclaration {
  return { name: "selves", key: [fields[family].type, fields[family].type] };
}

const accept: Statement = { kind: "verdict", verdict: { kind: "accept" } };

/** Where every forwarded packet comes by. */
export function baseChains(
  family: TableFamily,
): readonly { readonly chain: string; readonly base: BaseHook; readonly rules: Part["rules"] }[] {
  const { source, destination } = fields[family];
  return directions.map((direction, index) => ({
    chain: direction,
    // What is accepted in the first is still asked in the second.
    base: { type: "filter", hook: "forward", priority: index * 20 },
    rules: [
      [{ kind: "established" }, accept],
      [{ kind: "inSet", key: [source, destination], set: selfSet(family).name }, accept],
      [{ kind: "dispatch", key: [direction === "egress" ? source : destination], map: isolatedMap(direction, family).name }],
    ],
  }));
}

/** Names are for people, as long as the kernel takes them (NFT_NAME_MAXLEN). */
function named(text: string): string {
  return text.length <= 200 ? text : `${text.slice(0, 180)}-${longHash(text)}`;
}

export const policyChain = (direction: Direction, key: string) => named(`${direction}/${key}`);

/** `policies`: their keys. A TCP client is told by a reset, which it takes at once; others by ICMP. */
export function classPart(direction: Direction, policies: readonly string[]): Part {
  return {
    chain: `${direction}-of/${longHash(policies.join(" "))}`,
    rules: [
      ...policies.map((key): readonly Statement[] => [{ kind: "verdict", verdict: { kind: "jump", chain: policyChain(direction, key) } }]),
      [{ kind: "reject", with: "tcp reset" }],
      [{ kind: "reject", with: "admin-prohibited" }],
    ],
    sets: [],
  };
}

export function policyPart(family: TableFamily, direction: Direction, key: string, rules: readonly RulePlan[]): Part {
  const chain = policyChain(direction, key);
  const rendered = rules.map((rule, index) => renderRule(family, direction, rule, `${chain}/${index}`));
  return { chain, rules: rendered.flatMap((one) => one.rules), sets: rendered.flatMap(({ sets }) => sets) };
}

interface Alternative {
  readonly statements: readonly Statement[];
  readonly set?: SetContent;
}

/** One nf_tables rule for each pair of a kind of peers and a port. */
function renderRule(family: TableFamily, direction: Direction, { peers, ports }: RulePlan, name: string): Pick<Part, "rules" | "sets"> {
  const { source, destination, type } = fields[family];
  const peer = direction === "ingress" ? source : destination;
  const from: readonly Alternative[] =
    peers.kind === "any"
      ? [{ statements: [] }]
      : [podPeers(peers.pods.flatMap(elementsOf), peer), ...peers.blocks.flatMap((block) => blockPeers(family, peer, block))];
  const to: readonly Alternative[] = ports.length === 0 ? [{ statements: [] }] : ports.map((port) => portAlternative(port));
  const rules = from.flatMap((one) => to.map((other) => [...one.statements, ...other.statements, accept]));
  // A port that is named twice has one set.
  const sets = new Map([...from, ...to].flatMap(({ set }) => (set === undefined ? [] : [[set.declaration.name, set] as const])));
  return { rules, sets: [...sets.values()] };

  function elementsOf({ addresses, key }: { readonly addresses: readonly string[]; readonly key: string }): Element[] {
    return addresses.filter((address) => isOfFamily(family, address)).map((address) => ({ key: [address], comment: key }));
  }

  function podPeers(elements: readonly Element[], field: Field): Alternative {
    const declaration: SetDeclaration = { name: named(`${name}/pods`), key: [type] };
    return { statements: [{ kind: "inSet", key: [field], set: declaration.name }], set: { declaration, elements: unique(elements) } };
  }

  function portAlternative(port: PortPlan): Alternative {
    const lower = port.protocol.toLowerCase() as "tcp" | "udp" | "sctp";
    const field = `${lower} dport` as const;
    switch (port.kind) {
      case "protocol":
        return { statements: [{ kind: "match", field: "meta l4proto", operator: "==", value: lower }] };
      case "numbers":
        if (port.from === port.to) return { statements: [{ kind: "match", field, operator: "==", value: port.from }] };
        return { statements: [{ kind: "inRange", field, from: port.from, to: port.to }] };
      case "named": {
        const declaration: SetDeclaration = { name: named(`${name}/${lower}-${port.name}`), key: [type, "inet_service"] };
        const elements = port.targets.flatMap(({ pod, port: number }) =>
          elementsOf(pod).map(({ key, comment }) => ({ key: [...key, number], ...(comment === undefined ? {} : { comment }) })),
        );
        return {
          statements: [{ kind: "inSet", key: [destination, field], set: declaration.name }],
          set: { declaration, elements: unique(elements) },
        };
      }
      default:
        return port satisfies never;
    }
  }
}

function blockPeers(family: TableFamily, field: Field, { cidr, except }: BlockPlan): readonly Alternative[] {
  if (!isOfFamily(family, cidr)) return [];
  const inside: readonly Statement[] = cidr.endsWith("/0") ? [] : [{ kind: "match", field, operator: "==", value: cidr }];
  return [{ statements: [...inside, ...except.map((hole): Statement => ({ kind: "match", field, operator: "!=", value: hole }))] }];
}

/** A set takes each key once. */
function unique(elements: readonly Element[]): readonly Element[] {
  return [...new Map(elements.map((element) => [element.key.join(" "), element])).values()];
}
