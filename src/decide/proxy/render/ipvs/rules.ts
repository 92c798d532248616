/**
 * The iptables rules of ipvs mode (upstream pkg/proxy/ipvs/proxier.go `writeIptablesRules`): who is masqueraded, who may not come, and
 * that a port of the node is not open at a Service's address. Their number does not grow with the Services: they ask sets. A set that
 * is empty has no rule, but for those that the filter always asks.
 */
import type { IpFamily } from "../../../../lib/ip.ts";
import type { BaseChain, Chain, IptablesRules, Jump, Match, Rule, TableName } from "../iptables/rules.ts";
import { comment, jump, kube, rule } from "../iptables/layout.ts";
import type { NoNodeAccess } from "./contribution.ts";
import { ipvsSets, kernelSetName, type SetName } from "./sets.ts";

export interface IpvsRulesOptions {
  readonly family: IpFamily;
  /** Ranges of pods of this family; none: nobody is known to be a pod. */
  readonly podCIDRs: readonly string[];
  readonly masqueradeAll: boolean;
  readonly masqueradeBits: number;
  readonly randomFully: boolean;
}

/** Names as kube-proxy's; those that iptables mode has as well are in `kube`. */
export const ipvsChains = {
  nodePort: "KUBE-NODE-PORT",
  loadBalancer: "KUBE-LOAD-BALANCER",
  sourceRanges: "KUBE-SOURCE-RANGES-FIREWALL",
  filter: "KUBE-IPVS-FILTER",
  outFilter: "KUBE-IPVS-OUT-FILTER",
} as const;

type Sides = "dst" | "dst,dst" | "src,dst" | "dst,dst,src";

/** Asks the sets of one family. */
class SetMatches {
  readonly #family: IpFamily;
  readonly #filled: ReadonlySet<SetName>;

  constructor(family: IpFamily, filled: ReadonlySet<SetName>) {
    this.#family = family;
    this.#filled = filled;
  }

  match(name: SetName, sides: Sides): Match {
    return { kind: "set", name: kernelSetName(name, this.#family), sides: sides.split(",") as ("src" | "dst")[] };
  }

  /** With the set's comment; nothing where it is empty. */
  rules(name: SetName, sides: Sides, ...make: readonly ((...matches: readonly Match[]) => Rule)[]): readonly Rule[] {
    return this.#filled.has(name) ? make.map((one) => one(comment(ipvsSets[name].comment), this.match(name, sides))) : [];
  }

  isFilled(name: SetName): boolean {
    return this.#filled.has(name);
  }
}

const mark = (...matches: readonly Match[]): Rule => rule(jump(kube.markMasquerade), ...matches);
const giveBack = (...matches: readonly Match[]): Rule => rule({ kind: "return" }, ...matches);

export function ipvsRules(filled: ReadonlySet<SetName>, noNodeAccess: readonly NoNodeAccess[], options: IpvsRulesOptions): IptablesRules {
  const sets = new SetMatches(options.family, filled);
  return {
    family: options.family,
    jumps: ipvsJumps(),
    tables: {
      filter: { shared: filterChains(sets, noNodeAccess, options), services: [] },
      nat: { shared: natChains(sets, options), services: [] },
    },
  };
}

/** In this order at the top of the kernel's chains. */
export function ipvsJumps(): readonly Jump[] {
  const jumps = (table: TableName, chain: string, text: string, ...froms: readonly BaseChain[]): readonly Jump[] =>
    froms.map((from) => ({ table, from, rule: rule(jump(chain), comment(text)) }));
  return [
    ...jumps("nat", kube.services, "kubernetes service portals", "OUTPUT", "PREROUTING"),
    ...jumps("nat", kube.postrouting, "kubernetes postrouting rules", "POSTROUTING"),
    ...jumps("filter", kube.forward, "kubernetes forwarding rules", "FORWARD"),
    ...jumps("filter", ipvsChains.nodePort, "kubernetes health check rules", "INPUT"),
    ...jumps("filter", kube.firewall, "kube-proxy firewall rules", "INPUT", "FORWARD"),
    ...jumps("filter", ipvsChains.filter, "kubernetes ipvs access filter", "INPUT"),
    ...jumps("filter", ipvsChains.outFilter, "kubernetes ipvs access filter", "OUTPUT"),
  ];
}

function natChains(sets: SetMatches, options: IpvsRulesOptions): readonly Chain[] {
  const { masqueradeBits: bits, randomFully, podCIDRs } = options;
  return [
    { name: kube.services, rules: serviceRules(sets, options) },
    {
      name: kube.postrouting,
      rules: [
        ...sets.rules("KUBE-LOOP-BACK", "dst,dst,src", (...matches) => rule({ kind: "masquerade", randomFully: false }, ...matches)),
        giveBack({ kind: "mark", bits, negated: true }),
        // The mark goes, or the packet would be masqueraded again where it comes by once more.
        rule({ kind: "xorMark", bits }),
        rule({ kind: "masquerade", randomFully }, comment("kubernetes service traffic requiring SNAT")),
      ],
    },
    { name: ipvsChains.nodePort, rules: nodePortRules(sets) },
    {
      name: ipvsChains.loadBalancer,
      rules: [...sets.rules("KUBE-LOAD-BALANCER-LOCAL", "dst,dst", giveBack), mark()],
    },
    { name: kube.markMasquerade, rules: [rule({ kind: "orMark", bits })] },
    ...(podCIDRs.length > 1
      ? [{ name: kube.markOffCluster, rules: [...podCIDRs.map((cidr) => giveBack({ kind: "source", cidr })), mark()] }]
      : []),
  ];
}

function serviceRules(sets: SetMatches, options: IpvsRulesOptions): readonly Rule[] {
  const accept = (...matches: readonly Match[]): Rule => rule({ kind: "accept" }, ...matches);
  const localAddress = (side: "source" | "destination", negated = false): Match => ({
    kind: "localAddress",
    side,
    ...(negated ? { negated } : {}),
  });
  const external: readonly ((...matches: readonly Match[]) => Rule)[] = [
    (...matches) => accept(...matches, { kind: "bridged", negated: true }, localAddress("source", true)),
    (...matches) => accept(...matches, localAddress("destination")),
  ];
  return [
    giveBack({ kind: "source", cidr: options.family === 4 ? "127.0.0.0/8" : "::1/128" }),
    ...sets.rules("KUBE-LOAD-BALANCER", "dst,dst", (...matches) => rule(jump(ipvsChains.loadBalancer), ...matches)),
    ...clusterIpMasquerade(sets, options),
    ...sets.rules("KUBE-EXTERNAL-IP", "dst,dst", mark, ...external),
    ...sets.rules("KUBE-EXTERNAL-IP-LOCAL", "dst,dst", ...external),
    rule(jump(ipvsChains.nodePort), localAddress("destination")),
    // Last: whatever other rules say, these packets are for IPVS.
    ...(["KUBE-CLUSTER-IP", "KUBE-LOAD-BALANCER"] as const)
      .filter((name) => sets.isFilled(name))
      .map((name) => accept(sets.match(name, "dst,dst"))),
  ];
}

/** Who comes from outside of the pods; where pods are not known, the node, whose packets have the cluster IP as source too. */
function clusterIpMasquerade(sets: SetMatches, { masqueradeAll, podCIDRs }: IpvsRulesOptions): readonly Rule[] {
  if (masqueradeAll) return sets.rules("KUBE-CLUSTER-IP", "dst,dst", mark);
  if (podCIDRs.length === 0) return sets.rules("KUBE-CLUSTER-IP", "src,dst", mark);
  if (podCIDRs.length > 1) return sets.rules("KUBE-CLUSTER-IP", "dst,dst", (...matches) => rule(jump(kube.markOffCluster), ...matches));
  const others: Match = { kind: "source", cidr: podCIDRs[0] as string, negated: true };
  return sets.rules("KUBE-CLUSTER-IP", "dst,dst", (...matches) => mark(...matches, others));
}

function nodePortRules(sets: SetMatches): readonly Rule[] {
  const of = (protocol: "tcp" | "udp" | "sctp", local: SetName, all: SetName, sides: Sides): readonly Rule[] => {
    const only: Match = { kind: "protocol", protocol, bare: true };
    return [
      ...sets.rules(local, sides, (...matches) => giveBack(only, ...matches)),
      ...sets.rules(all, sides, (...matches) => mark(only, ...matches)),
    ];
  };
  return [
    ...of("tcp", "KUBE-NODE-PORT-LOCAL-TCP", "KUBE-NODE-PORT-TCP", "dst"),
    ...of("udp", "KUBE-NODE-PORT-LOCAL-UDP", "KUBE-NODE-PORT-UDP", "dst"),
    ...of("sctp", "KUBE-NODE-PORT-LOCAL-SCTP-HASH", "KUBE-NODE-PORT-SCTP-HASH", "dst,dst"),
  ];
}

function filterChains(
  sets: SetMatches,
  noNodeAccess: readonly NoNodeAccess[],
  { masqueradeBits: bits }: IpvsRulesOptions,
): readonly Chain[] {
  const pass = (name: SetName, sides: Sides): Rule => giveBack(sets.match(name, sides));
  return [
    {
      name: kube.forward,
      rules: [
        rule({ kind: "accept" }, comment("kubernetes forwarding rules"), { kind: "mark", bits }),
        rule({ kind: "accept" }, comment("kubernetes forwarding conntrack rule"), {
          kind: "conntrack",
          states: ["RELATED", "ESTABLISHED"],
        }),
      ],
    },
    {
      name: ipvsChains.nodePort,
      rules: [
        rule(
          { kind: "accept" },
          comment(ipvsSets["KUBE-HEALTH-CHECK-NODE-PORT"].comment),
          sets.match("KUBE-HEALTH-CHECK-NODE-PORT", "dst"),
        ),
      ],
    },
    {
      name: kube.firewall,
      rules: sets.rules("KUBE-LOAD-BALANCER-FW", "dst,dst", (...matches) => rule(jump(ipvsChains.sourceRanges), ...matches)),
    },
    {
      name: ipvsChains.sourceRanges,
      rules: [
        ...sets.rules("KUBE-LOAD-BALANCER-SOURCE-CIDR", "dst,dst,src", giveBack),
        ...sets.rules("KUBE-LOAD-BALANCER-SOURCE-IP", "dst,dst,src", giveBack),
        rule({ kind: "drop" }),
      ],
    },
    {
      name: ipvsChains.filter,
      rules: [
        pass("KUBE-LOAD-BALANCER", "dst,dst"),
        pass("KUBE-CLUSTER-IP", "dst,dst"),
        pass("KUBE-EXTERNAL-IP", "dst,dst"),
        pass("KUBE-EXTERNAL-IP-LOCAL", "dst,dst"),
        pass("KUBE-HEALTH-CHECK-NODE-PORT", "dst"),
        // A Service's address is bound here: without this, a port of the node would be open at it too (kubernetes #72236).
        rule({ kind: "reject" }, { kind: "conntrack", states: ["NEW"] }, sets.match("KUBE-IPVS-IPS", "dst")),
      ],
    },
    { name: ipvsChains.outFilter, rules: noNodeAccess.map(keepOut) },
  ];
}

/** The node's own packets to a bound address have it as their source as well. */
function keepOut({ address, port, protocol }: NoNodeAccess): Rule {
  return rule({ kind: "drop" }, { kind: "source", cidr: address }, { kind: "virtualServer", address, protocol, port });
}
