/**
 * What the plan does with one packet. The same question can be put to the rules of every backend; the answers must agree.
 * Pure; linear in the number of addresses. Whoever asks often keeps an index of its own.
 */
import { canonicalIp, cidrContains, parseCidr, parseIp, type Ip } from "../../lib/ip.ts";
import { sourceClassifier } from "./node.ts";
import {
  endpointsOf,
  servicePortText,
  type PlanEndpoint,
  type PortPlan,
  type Protocol,
  type ProxyPlan,
  type VirtualAddress,
} from "./plan.ts";
import type { ProxyReason } from "./reasons.ts";
import { inRange } from "./service-info.ts";

export interface Packet {
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly protocol: Protocol;
  /** By which it comes in; counts where pods are told by their interface. */
  readonly interface?: string;
}

export interface TracedEndpoint {
  readonly endpoint: PlanEndpoint;
  /** Whether the packet leaves with the node's address instead of the client's. */
  readonly masquerade: boolean;
}

export type Trace =
  | {
      readonly kind: "dnat";
      readonly servicePort: string;
      readonly address: VirtualAddress["kind"];
      readonly endpoints: readonly TracedEndpoint[];
    }
  | { readonly kind: "reject" | "drop"; readonly reason: ProxyReason; readonly servicePort?: string }
  /** No rule of the proxy applies: the packet goes where it would go without a proxy. */
  | { readonly kind: "none" };

export interface TraceOptions {
  /**
   * The Service range as nftables mode guards it: an address in use refuses ports that its Service has not, an address in
   * no use is dropped. Empty (iptables mode): such packets pass.
   */
  readonly serviceCIDRs?: readonly string[];
}

export function trace(plan: ProxyPlan, packet: Packet, options: TraceOptions = {}): Trace {
  const [from, to] = [parseIp(packet.from), parseIp(packet.to)];
  if (from === undefined || to === undefined) return { kind: "none" };
  const hit = find(plan, packet);
  if (hit === undefined) return unclaimed(plan, to, packet, options);
  const classify = sourceClassifier(plan.node);
  return judge(hit.port, hit.address, from, canonicalIp(packet.from), (ip, text) => classify(ip, text, packet.interface));
}

interface Hit {
  readonly port: PortPlan;
  readonly address: VirtualAddress;
}

function find(plan: ProxyPlan, { to, port, protocol }: Packet): Hit | undefined {
  const wanted = canonicalIp(to);
  let nodePort: Hit | undefined;
  for (const service of plan.services) {
    if (service.kind !== "service") continue;
    for (const candidate of service.ports) {
      if (candidate.protocol !== protocol) continue;
      for (const address of candidate.addresses) {
        if (address.address !== wanted || address.port !== port) continue;
        // An address of a Service's own wins over a NodePort that happens to be open on it.
        if (address.kind !== "nodePort") return { port: candidate, address };
        nodePort ??= { port: candidate, address };
      }
    }
  }
  return nodePort;
}

/** The verdict of one virtual address for one client. */
export function judge(
  port: PortPlan,
  address: VirtualAddress,
  from: Ip,
  fromText: string,
  classify: ReturnType<typeof sourceClassifier>,
): Trace {
  const servicePort = servicePortText(port.servicePort);
  const verdict = address.verdicts[classify(from, fromText)];
  if (verdict.kind === "reject") return { ...verdict, servicePort };
  if (address.sourceRanges !== undefined && !address.sourceRanges.some((range) => inRange(range, fromText))) {
    return { kind: "drop", reason: "SourceNotAllowed", servicePort };
  }
  if (verdict.kind === "drop") return { ...verdict, servicePort };
  // A pod that reaches itself must be masqueraded, or it would answer itself past the proxy (hairpin).
  const endpoints = endpointsOf(port, address.family)[verdict.to].map((endpoint) => ({
    endpoint,
    masquerade: verdict.masquerade || endpoint.ip === fromText,
  }));
  return { kind: "dnat", servicePort, address: address.kind, endpoints };
}

function unclaimed(plan: ProxyPlan, to: Ip, packet: Packet, { serviceCIDRs = [] }: TraceOptions): Trace {
  const guarded = serviceCIDRs.some((text) => {
    const cidr = parseCidr(text);
    return cidr !== undefined && cidrContains(cidr, to);
  });
  const wanted = canonicalIp(packet.to);
  const used = plan.services.some(
    (service) =>
      service.kind === "service" &&
      service.ports.some(({ addresses }) => addresses.some(({ kind, address }) => kind === "clusterIP" && address === wanted)),
  );
  if (serviceCIDRs.length > 0 && used) return { kind: "reject", reason: "NoSuchPort" };
  return guarded ? { kind: "drop", reason: "UnallocatedAddress" } : { kind: "none" };
}
