/**
 * Renders a plan as the policies of kube-proxy's kernelspace mode on Windows (upstream pkg/proxy/winkernel/proxier.go
 * `syncProxyRules`, hns.go `getLoadBalancer`). Pure. What HNS cannot do is in `notes`, by code: nothing is left out in silence.
 */
import type { IpFamily } from "../../../../lib/ip.ts";
import { endpointsOf, servicePortText, type PlanEndpoint, type PortPlan, type ServicePlan, type VirtualAddress } from "../../plan.ts";
import {
  distribution,
  endpointFlags,
  hcnSchema,
  loadBalancerFlags,
  portMappingFlags,
  protocolNumbers,
  type HcnEndpoint,
  type HcnLoadBalancer,
} from "./hcn.ts";

export interface KernelspaceOptions {
  /** `--source-vip`: needed on overlay networks. */
  readonly sourceVip?: string;
  /** `--enable-dsr`; default false, as upstream. */
  readonly directServerReturn?: boolean;
}

export const kernelspaceNotes = {
  SourceRangesNotEnforced: "loadBalancerSourceRanges are not enforced by HNS: everybody may come",
  OnePortOnly: "the endpoints have several ports; a policy has one, so only those of the first are used",
  NoEndpoints: "there is no usable endpoint: no policy is made, and connections get no answer instead of a refusal",
  AffinityTimeoutIgnored: "HNS keeps a client's endpoint as long as the policy stands, whatever the time-out",
  SourceClassesNotKept: "policy Local holds for pods and the node itself too",
} as const satisfies Readonly<Record<string, string>>;

export type KernelspaceNote = keyof typeof kernelspaceNotes;

export interface KernelspacePolicy {
  readonly servicePort: string;
  readonly address: VirtualAddress["kind"];
  readonly loadBalancer: HcnLoadBalancer;
}

export interface KernelspaceState {
  readonly kind: "kernelspace";
  readonly endpoints: readonly HcnEndpoint[];
  readonly policies: readonly KernelspacePolicy[];
  readonly notes: readonly { readonly servicePort: string; readonly code: KernelspaceNote }[];
}

interface Context {
  readonly port: PortPlan;
  readonly options: KernelspaceOptions;
  readonly note: (code: KernelspaceNote) => void;
}

export function renderKernelspace(services: readonly ServicePlan[], options: KernelspaceOptions = {}): KernelspaceState {
  const notes = new Map<string, { readonly servicePort: string; readonly code: KernelspaceNote }>();
  const remote = new Map<string, HcnEndpoint>();
  const policies: KernelspacePolicy[] = [];
  for (const port of services.flatMap((service) => (service.kind === "service" ? service.ports : []))) {
    const servicePort = servicePortText(port.servicePort);
    const note = (code: KernelspaceNote) => void notes.set(`${servicePort} ${port.protocol} ${code}`, { servicePort, code });
    for (const address of onePerNodePort(port.addresses)) {
      const made = policy({ port, options, note }, address);
      if (made === undefined) continue;
      policies.push({ servicePort, address: address.kind, loadBalancer: made.loadBalancer });
      for (const endpoint of made.endpoints) if (!endpoint.local) remote.set(endpoint.ip, remoteEndpoint(endpoint));
    }
  }
  return { kind: "kernelspace", endpoints: [...remote.values()], policies, notes: [...notes.values()] };
}

/** A NodePort's policy is for every address of the node. */
function onePerNodePort(addresses: readonly VirtualAddress[]): readonly VirtualAddress[] {
  const first = (family: IpFamily) => addresses.find((one) => one.kind === "nodePort" && one.family === family);
  return addresses.filter((address) => address.kind !== "nodePort" || address === first(address.family));
}

function policy(
  { port, options, note }: Context,
  address: VirtualAddress,
): { readonly loadBalancer: HcnLoadBalancer; readonly endpoints: readonly PlanEndpoint[] } | undefined {
  const internal = address.kind === "clusterIP";
  const isLocal = (internal ? port.internalTrafficPolicy : port.externalTrafficPolicy) === "Local";
  const all = endpointsOf(port, address.family)[isLocal ? "local" : "cluster"];
  const endpoints = all.filter((endpoint) => endpoint.port === all[0]?.port);
  const [first] = endpoints;
  if (first === undefined) {
    note("NoEndpoints");
    return undefined;
  }
  if (endpoints.length < all.length) note("OnePortOnly");
  if (address.sourceRanges !== undefined) note("SourceRangesNotEnforced");
  if (port.affinity.kind === "clientIP") note("AffinityTimeoutIgnored");
  if (isLocal && !internal) note("SourceClassesNotKept");
  // Policy Local keeps the client's address by answering it directly.
  const direct = internal ? options.directServerReturn === true : isLocal;
  const flags = (direct ? loadBalancerFlags.directServerReturn : 0) | (address.family === 6 ? loadBalancerFlags.ipv6 : 0);
  const loadBalancer: HcnLoadBalancer = {
    HostComputeEndpoints: endpoints.map(({ ip }) => ip),
    ...(options.sourceVip === undefined ? {} : { SourceVIP: options.sourceVip }),
    ...(address.kind === "nodePort" ? {} : { FrontendVIPs: [address.address] }),
    PortMappings: [
      {
        Protocol: protocolNumbers[port.protocol],
        InternalPort: first.port,
        ExternalPort: address.port,
        ...(port.affinity.kind === "clientIP" ? { DistributionType: distribution.sourceIp } : {}),
        ...optionalFlags(mappingFlags(address.kind)),
      },
    ],
    SchemaVersion: hcnSchema,
    ...optionalFlags(flags),
  };
  return { loadBalancer, endpoints };
}

function mappingFlags(kind: VirtualAddress["kind"]): number {
  switch (kind) {
    case "clusterIP":
      return 0;
    case "nodePort":
      return portMappingFlags.vipExternalIp | portMappingFlags.localRoutedVip;
    case "externalIP":
    case "loadBalancer":
      return portMappingFlags.vipExternalIp;
    default:
      return kind satisfies never;
  }
}

/** That API leaves out what is zero. */
const optionalFlags = (flags: number): { readonly Flags?: number } => (flags === 0 ? {} : { Flags: flags });

function remoteEndpoint({ ip }: PlanEndpoint): HcnEndpoint {
  return {
    Name: `fairlead_${ip}`,
    IpConfigurations: [{ IpAddress: ip, PrefixLength: ip.includes(":") ? 128 : 32 }],
    Flags: endpointFlags.remote,
    SchemaVersion: hcnSchema,
  };
}
