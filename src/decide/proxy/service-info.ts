/** Reads a Service as the proxy sees it: who plans it, its policies, affinity and addresses. */
import type { Service, ServicePort, ServiceSpec } from "../../api/types.ts";
import { canonicalIp, cidrContains, formatCidr, formatIp, parseCidr, parseIpSloppy, type IpFamily } from "../../lib/ip.ts";
import type { Affinity, PlanOptions, VirtualAddress } from "./plan.ts";
import type { SkipReason } from "./reasons.ts";

const proxyNameLabel = "service.kubernetes.io/service-proxy-name";
const topologyAnnotations = ["service.kubernetes.io/topology-mode", "service.kubernetes.io/topology-aware-hints"];
/** `sessionAffinityConfig.clientIP.timeoutSeconds` where it is absent: three hours (core/v1 DefaultClientIPServiceAffinitySeconds). */
const defaultAffinitySeconds = 10_800;

/** Why the proxy leaves a Service alone; undefined: it does not. */
export function skipReason(service: Service, options: PlanOptions): SkipReason | undefined {
  const { spec, metadata } = service;
  if ((metadata.labels?.[proxyNameLabel] ?? "") !== (options.serviceProxyName ?? "")) return "OtherProxy";
  if (spec?.type === "ExternalName") return "ExternalName";
  if (spec?.clusterIP === "None") return "Headless";
  return clusterIPs(spec).length === 0 ? "NoClusterIP" : undefined;
}

export function affinityOf(spec: ServiceSpec): Affinity {
  if (spec.sessionAffinity !== "ClientIP") return { kind: "none" };
  return { kind: "clientIP", timeoutSeconds: spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? defaultAffinitySeconds };
}

/**
 * Whether hints in the slices count. The annotation switches the older way of making hints; a Service that says anything but
 * `Auto` there and asks for no trafficDistribution wants none, even while hints of an earlier setting are still in its slices.
 */
export function hintsCount(service: Service): boolean {
  const annotations = service.metadata.annotations ?? {};
  const mode = topologyAnnotations.map((name) => annotations[name]).find((value) => value !== undefined && value !== "");
  return mode === undefined || mode === "Auto" || mode === "auto" || (service.spec?.trafficDistribution ?? "") !== "";
}

export interface RawAddress extends Pick<VirtualAddress, "kind" | "address" | "port" | "family"> {
  readonly sourceRanges?: readonly string[];
}

/**
 * Every virtual address of a Service port, cluster IPs first, of the families that the Service has: where it has no cluster IP of a
 * family, its NodePort of that family is nobody's (upstream has a proxier per family, which sees such a Service not at all). Texts that
 * are no addresses are left out.
 */
export function addressesOf(
  service: Service,
  port: ServicePort,
  nodePortAddresses: readonly string[],
  nodeAddresses: readonly string[],
  options: PlanOptions,
): readonly RawAddress[] {
  const { spec, status } = service;
  const nodePort = port.nodePort ?? 0;
  const ingress = (status?.loadBalancer?.ingress ?? []).filter(
    ({ ipMode }) => options.loadBalancerIPMode === false || (ipMode ?? "VIP") === "VIP",
  );
  const own = clusterIPs(spec).flatMap((text) => rawAddress("clusterIP", text, port.port));
  const families = new Set(own.map(({ family }) => family));
  const others = [
    ...(options.externalIPs === false ? [] : (spec?.externalIPs ?? [])).flatMap((text) => rawAddress("externalIP", text, port.port)),
    ...ingress.flatMap(({ ip = "" }) => rawAddress("loadBalancer", ip, port.port)).map((raw) => restrict(raw, spec, nodeAddresses)),
    ...(nodePort === 0 ? [] : nodePortAddresses.flatMap((text) => rawAddress("nodePort", text, nodePort))),
  ];
  return [...own, ...others.filter(({ family }) => families.has(family))];
}

function clusterIPs(spec: ServiceSpec | undefined): readonly string[] {
  const all = spec?.clusterIPs !== undefined && spec.clusterIPs.length > 0 ? spec.clusterIPs : [spec?.clusterIP ?? ""];
  return all.filter((text) => text !== "" && text !== "None");
}

function rawAddress(kind: VirtualAddress["kind"], text: string, port: number): RawAddress[] {
  const ip = parseIpSloppy(text);
  return ip === undefined ? [] : [{ kind, address: formatIp(ip), port, family: ip.family }];
}

/**
 * `loadBalancerSourceRanges`, of the address's family. Where a range holds one of the node's own addresses, the load
 * balancer's address itself may come too: that is how the node's own packets to it look after the kernel has chosen a source.
 */
function restrict(raw: RawAddress, spec: ServiceSpec | undefined, nodeAddresses: readonly string[]): RawAddress {
  const texts = spec?.loadBalancerSourceRanges ?? [];
  if (texts.length === 0) return raw;
  const ranges = texts.flatMap((text) => sloppyCidr(text, raw.family));
  const node = nodeAddresses.some((address) => ranges.some((range) => inRange(range, address)));
  return { ...raw, sourceRanges: node ? [...ranges, `${raw.address}/${raw.family === 4 ? 32 : 128}`] : ranges };
}

function sloppyCidr(text: string, family: IpFamily): string[] {
  const [host = "", bits = ""] = text.trim().split("/");
  const cidr = parseCidr(`${canonicalIp(host)}/${bits.replace(/^0+(?=\d)/, "")}`);
  return cidr === undefined || cidr.family !== family ? [] : [formatCidr(cidr)];
}

/** Whether a CIDR holds an address, both as text; false where either cannot be read. */
export function inRange(range: string, address: string): boolean {
  const [cidr, ip] = [parseCidr(range), parseIpSloppy(address)];
  return cidr !== undefined && ip !== undefined && cidrContains(cidr, ip);
}
