/**
 * The rules of one Service port: what it adds to the chains that all share, and chains of its own (upstream
 * pkg/proxy/iptables/proxier.go `syncProxyRules`, from the sets of endpoints on). What an address does with a packet is read
 * from the plan; only iptables' way of saying so is known here.
 *
 *     nat KUBE-SERVICES ─┬─ cluster IP ───────────────────────► KUBE-SVC or, by policy Local, KUBE-SVL ─► KUBE-SEP ─► DNAT
 *                        ├─ external IP, load balancer ─► (KUBE-FW ─►) KUBE-EXT ─► KUBE-SVC or KUBE-SVL
 *                        └─ KUBE-NODEPORTS ────────────────────► KUBE-EXT
 *     filter: what has no endpoint is refused or dropped; what KUBE-FW did not let pass is dropped.
 */
import type { IpFamily } from "../../../../lib/ip.ts";
import { endpointsOf, servicePortText, type FamilyEndpoints, type PortPlan, type Verdict, type VirtualAddress } from "../../plan.ts";
import { serviceChains, transportOf, type ServiceChainKind } from "./chain-names.ts";
import { endpointChains, policyRules } from "./endpoint-rules.ts";
import { comment, jump, kube, rule } from "./layout.ts";
import type { Chain, Match, Rule } from "./rules.ts";

export interface PortRulesOptions {
  readonly family: IpFamily;
  /** What a packet of a pod is known by, one of these; none: it is not known. */
  readonly pods: readonly Match[];
  /** Comments on the rules of endpoints: left out in large clusters, where they are most of the text. */
  readonly endpointComments: boolean;
}

/** By chain, what a port adds to it; `own`: the chains that are its alone. */
export interface PortRules {
  readonly filter: { readonly services: readonly Rule[]; readonly externalServices: readonly Rule[]; readonly firewall: readonly Rule[] };
  readonly nat: { readonly services: readonly Rule[]; readonly nodePorts: readonly Rule[] };
  readonly own: readonly Chain[];
}

/** What the functions below share about one port. */
export interface PortContext {
  readonly port: PortPlan;
  readonly options: PortRulesOptions;
  readonly name: string;
  readonly chains: Readonly<Record<ServiceChainKind, string>>;
  readonly endpoints: FamilyEndpoints;
  readonly addresses: readonly VirtualAddress[];
}

export function portRules(port: PortPlan, options: PortRulesOptions): PortRules {
  const context: PortContext = {
    port,
    options,
    name: servicePortText(port.servicePort),
    chains: serviceChains(port),
    endpoints: endpointsOf(port, options.family),
    addresses: onePerNodePort(port.addresses.filter(({ family }) => family === options.family)),
  };
  const { addresses } = context;
  const internal = addresses.filter(({ kind }) => kind === "clusterIP");
  const external = addresses.filter(({ kind }) => kind !== "clusterIP");
  return {
    filter: {
      services: internal.flatMap((address) => refusal(context, address)),
      externalServices: external.flatMap((address) => refusal(context, address)),
      firewall: firewallDrops(context),
    },
    nat: {
      services: addresses.filter(({ kind }) => kind !== "nodePort").flatMap((address) => capture(context, address)),
      nodePorts: addresses.filter(({ kind }) => kind === "nodePort").flatMap((address) => capture(context, address)),
    },
    own: [...externalChain(context), ...firewallChain(context), ...policyChains(context), ...endpointChains(context)],
  };
}

/** Where NodePorts are open is asked before KUBE-NODEPORTS, once for all: one rule per port is enough. */
function onePerNodePort(addresses: readonly VirtualAddress[]): readonly VirtualAddress[] {
  const first = addresses.find(({ kind }) => kind === "nodePort");
  return addresses.filter((address) => address.kind !== "nodePort" || address === first);
}

const words: Readonly<Record<VirtualAddress["kind"], string>> = {
  clusterIP: "cluster IP",
  externalIP: "external IP",
  loadBalancer: "loadbalancer IP",
  nodePort: "",
};

const tell = (name: string, kind: VirtualAddress["kind"]): Match => comment(kind === "nodePort" ? name : `${name} ${words[kind]}`);

function destination({ port }: PortContext, { kind, address, port: number }: VirtualAddress): readonly Match[] {
  const protocol: Match = { kind: "protocol", protocol: transportOf(port) };
  const to: readonly Match[] = kind === "nodePort" ? [] : [{ kind: "destination", cidr: address }];
  return [protocol, ...to, { kind: "destinationPort", port: number }];
}

/** In filter: an address that a client from outside finds without endpoints. Pods and the node may have been sent on by KUBE-EXT. */
function refusal(context: PortContext, address: VirtualAddress): readonly Rule[] {
  const verdict = address.verdicts.external;
  if (verdict.kind === "dnat") return [];
  const why = comment(`${context.name} has no ${verdict.kind === "reject" ? "" : "local "}endpoints`);
  const here: readonly Match[] = address.kind === "nodePort" ? [{ kind: "localAddress", side: "destination" }] : [];
  return [rule({ kind: verdict.kind }, why, ...here, ...destination(context, address))];
}

/** In nat: leads to the chain that picks an endpoint. */
function capture(context: PortContext, address: VirtualAddress): readonly Rule[] {
  const { chains, endpoints, name } = context;
  const verdict = address.verdicts.external;
  if (address.kind === "clusterIP") {
    return verdict.kind === "dnat"
      ? [rule(jump(policyChain(context, verdict)), tell(name, address.kind), ...destination(context, address))]
      : [];
  }
  // Also where only pods and the node get an endpoint, by KUBE-EXT's short circuit.
  if (!endpoints.hasAny) return [];
  const chain = address.kind === "loadBalancer" && address.sourceRanges !== undefined ? chains.FW : chains.EXT;
  return [rule(jump(chain), tell(name, address.kind), ...destination(context, address))];
}

function policyChain({ chains }: PortContext, { to }: Extract<Verdict, { kind: "dnat" }>): string {
  return to === "local" ? chains.SVL : chains.SVC;
}

/** KUBE-EXT: whose address must change, and which endpoints who gets. */
function externalChain(context: PortContext): readonly Chain[] {
  const { chains, endpoints, addresses, name, port } = context;
  const one = addresses.find(({ kind }) => kind !== "clusterIP");
  if (one === undefined || !endpoints.hasAny) return [];
  const { external } = one.verdicts;
  const rules =
    port.externalTrafficPolicy === "Local"
      ? shortCircuit(context)
      : [rule(jump(kube.markMasquerade), comment(`masquerade traffic for ${name} external destinations`))];
  const onward = external.kind === "dnat" ? [rule(jump(policyChain(context, external)))] : [];
  return [{ name: chains.EXT, rules: [...rules, ...onward] }];
}

/** Policy Local: pods and the node are inside already and get every endpoint. */
function shortCircuit({ chains, name, options, endpoints }: PortContext): readonly Rule[] {
  if (endpoints.cluster.length === 0) return [];
  const local: Match = { kind: "localAddress", side: "source" };
  const what = `for ${name} external destinations`;
  return [
    ...options.pods.map((pod) => rule(jump(chains.SVC), comment(`pod traffic ${what}`), pod)),
    rule(jump(kube.markMasquerade), comment(`masquerade LOCAL traffic ${what}`), local),
    rule(jump(chains.SVC), comment(`route LOCAL traffic ${what}`), local),
  ];
}

const guarded = ({ addresses, endpoints }: PortContext) =>
  endpoints.hasAny ? addresses.filter(({ kind, sourceRanges }) => kind === "loadBalancer" && sourceRanges !== undefined) : [];

/** KUBE-FW: who comes from an allowed range goes on; who does not keeps the address, by which filter knows and drops. */
function firewallChain(context: PortContext): readonly Chain[] {
  const { chains, name } = context;
  const addresses = guarded(context);
  if (addresses.length === 0) return [];
  const own = new Set(addresses.map(({ address, family }) => `${address}/${family === 4 ? 32 : 128}`));
  const ranges = [...new Set(addresses.flatMap(({ sourceRanges = [] }) => sourceRanges))];
  // A load balancer's own address comes last and, as kube-proxy writes it, without its length.
  const sources = [
    ...ranges.filter((range) => !own.has(range)),
    ...ranges.filter((range) => own.has(range)).map((range) => range.split("/")[0] as string),
  ];
  return [
    {
      name: chains.FW,
      rules: [
        ...sources.map((cidr) => rule(jump(chains.EXT), tell(name, "loadBalancer"), { kind: "source", cidr })),
        rule(undefined, comment(`other traffic to ${name} will be dropped by ${kube.firewall}`)),
      ],
    },
  ];
}

function firewallDrops(context: PortContext): readonly Rule[] {
  const why = comment(`${context.name} traffic not accepted by ${context.chains.FW}`);
  return guarded(context).map((address) => rule({ kind: "drop" }, why, ...destination(context, address)));
}

/** KUBE-SVC and KUBE-SVL: first who is masqueraded on the way to the cluster IP, then the choice of an endpoint. */
function policyChains(context: PortContext): readonly Chain[] {
  const { chains, endpoints } = context;
  const clusterIPs = context.addresses.filter(({ kind }) => kind === "clusterIP");
  const chain = (name: string, set: "cluster" | "local"): readonly Chain[] => {
    if (endpoints[set].length === 0) return [];
    const masquerade = clusterIPs.flatMap((address) => internalMasquerade(context, address, set));
    return [{ name, rules: [...masquerade, ...policyRules(context, endpoints[set])] }];
  };
  return [...chain(chains.SVC, "cluster"), ...chain(chains.SVL, "local")];
}

function internalMasquerade(context: PortContext, address: VirtualAddress, set: "cluster" | "local"): readonly Rule[] {
  const { pod, external } = address.verdicts;
  if (external.kind !== "dnat" || external.to !== set || !external.masquerade) return [];
  const { pods } = context.options;
  const matches = [tell(context.name, address.kind), ...destination(context, address)];
  const everyone = (pod.kind === "dnat" && pod.masquerade) || pods.length === 0;
  if (everyone) return [rule(jump(kube.markMasquerade), ...matches)];
  if (pods.length > 1) return [rule(jump(kube.markOffCluster), ...matches)];
  return [rule(jump(kube.markMasquerade), ...matches, { ...(pods[0] as Extract<Match, { negated?: boolean }>), negated: true })];
}
