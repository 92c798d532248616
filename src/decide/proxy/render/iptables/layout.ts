/**
 * The chains that all Services share, and the rules of the kernel's chains that lead there (upstream pkg/proxy/iptables/proxier.go
 * `iptablesJumpChains`). Every name is kube-proxy's: who looks for `KUBE-SERVICES` finds it.
 */
import type { BaseChain, Chain, ConntrackState, Jump, Match, Rule, TableName, Target } from "./rules.ts";

export const kube = {
  services: "KUBE-SERVICES",
  externalServices: "KUBE-EXTERNAL-SERVICES",
  nodePorts: "KUBE-NODEPORTS",
  firewall: "KUBE-PROXY-FIREWALL",
  forward: "KUBE-FORWARD",
  postrouting: "KUBE-POSTROUTING",
  markMasquerade: "KUBE-MARK-MASQ",
  /** Ours: marks who is in none of several ranges of pods, which one rule cannot ask. */
  markOffCluster: "KUBE-MARK-OFFCLUSTER",
  /** Empty: gone when somebody flushes the table. */
  canary: "KUBE-PROXY-CANARY",
  /** Shared with the kubelet. */
  localnet: "KUBE-FIREWALL",
} as const;

export const comment = (text: string): Match => ({ kind: "comment", text });
export const jump = (chain: string): Target => ({ kind: "jump", chain });
export const rule = (target: Target | undefined, ...matches: readonly Match[]): Rule =>
  target === undefined ? { matches } : { matches, target };

const isNew: Match = { kind: "conntrack", states: ["NEW"] };

function jumps(table: TableName, chain: string, froms: readonly BaseChain[], ...matches: readonly Match[]): readonly Jump[] {
  return froms.map((from) => ({ table, from, rule: rule(jump(chain), ...matches) }));
}

export interface LayoutOptions {
  readonly masqueradeBits: number;
  readonly randomFully: boolean;
  /** Packets that conntrack calls invalid are dropped, but not with `nf_conntrack_tcp_be_liberal`, where they are no danger. */
  readonly dropInvalid: boolean;
  /** 127.0.0.0/8 takes NodePorts, so the kernel must route it (`route_localnet`), and others must be kept out. */
  readonly localhostNodePorts: boolean;
  /** What a packet of a pod is known by. */
  readonly pods: readonly Match[];
}

/** In this order at the top of the kernel's chains. */
export function jumpRules({ localhostNodePorts }: Pick<LayoutOptions, "localhostNodePorts">): readonly Jump[] {
  return [
    ...jumps("filter", kube.externalServices, ["INPUT", "FORWARD"], isNew, comment("kubernetes externally-visible service portals")),
    ...jumps("filter", kube.nodePorts, ["INPUT"], comment("kubernetes health check service ports")),
    ...jumps("filter", kube.services, ["FORWARD", "OUTPUT"], isNew, comment("kubernetes service portals")),
    ...jumps("filter", kube.forward, ["FORWARD"], comment("kubernetes forwarding rules")),
    ...jumps("filter", kube.firewall, ["INPUT", "OUTPUT", "FORWARD"], isNew, comment("kubernetes load balancer firewall")),
    ...(localhostNodePorts ? jumps("filter", kube.localnet, ["INPUT", "OUTPUT"]) : []),
    ...jumps("nat", kube.services, ["OUTPUT", "PREROUTING"], comment("kubernetes service portals")),
    ...jumps("nat", kube.postrouting, ["POSTROUTING"], comment("kubernetes postrouting rules")),
  ];
}

export function forwardChain({ masqueradeBits, dropInvalid }: LayoutOptions): Chain {
  const state = (...states: readonly ConntrackState[]): Match => ({ kind: "conntrack", states });
  return {
    name: kube.forward,
    rules: [
      ...(dropInvalid ? [rule({ kind: "drop" }, state("INVALID"))] : []),
      // What is masqueraded came for a NodePort or the like, and may pass whatever FORWARD's policy says.
      rule({ kind: "accept" }, comment("kubernetes forwarding rules"), { kind: "mark", bits: masqueradeBits }),
      rule({ kind: "accept" }, comment("kubernetes forwarding conntrack rule"), state("RELATED", "ESTABLISHED")),
    ],
  };
}

/** Others on the link could send to 127.0.0.1 once the kernel routes it (kubernetes #90259). */
export function localnetChains({ localhostNodePorts }: LayoutOptions): readonly Chain[] {
  if (!localhostNodePorts) return [];
  const outside = rule(
    { kind: "drop" },
    comment("block incoming localnet connections"),
    { kind: "destination", cidr: "127.0.0.0/8" },
    { kind: "source", cidr: "127.0.0.0/8", negated: true },
    { kind: "conntrack", states: ["RELATED", "ESTABLISHED", "DNAT"], negated: true },
  );
  return [{ name: kube.localnet, rules: [outside] }];
}

export function masqueradeChains({ masqueradeBits: bits, randomFully, pods }: LayoutOptions): readonly Chain[] {
  const offCluster = pods.map((pod) => rule({ kind: "return" }, pod));
  return [
    {
      name: kube.postrouting,
      rules: [
        rule({ kind: "return" }, { kind: "mark", bits, negated: true }),
        // The mark goes, or the packet would be masqueraded again where it comes by once more.
        rule({ kind: "xorMark", bits }),
        rule({ kind: "masquerade", randomFully }, comment("kubernetes service traffic requiring SNAT")),
      ],
    },
    { name: kube.markMasquerade, rules: [rule({ kind: "orMark", bits })] },
    ...(pods.length > 1 ? [{ name: kube.markOffCluster, rules: [...offCluster, rule(jump(kube.markMasquerade))] }] : []),
  ];
}
