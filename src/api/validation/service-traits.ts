/** What a Service's type and fields mean; used by its defaults, validation and allocation alike. */
import { parseIpSloppy } from "../../lib/ip.ts";
import type { ServiceSpec } from "../types.ts";

export type IpFamilyName = "IPv4" | "IPv6";

/** The part of a spec that these questions look at; a draft fits as well. */
type Spec = Pick<ServiceSpec, "type" | "clusterIPs" | "externalIPs" | "externalTrafficPolicy" | "allocateLoadBalancerNodePorts">;

export const clusterIpNone = "None";

export const needsClusterIp = (spec: Spec): boolean => spec.type !== "ExternalName";

export const needsNodePort = (spec: Spec): boolean => spec.type === "NodePort" || spec.type === "LoadBalancer";

/** Whether node ports are given to ports that ask for none. */
export const wantsNodePorts = (spec: Spec): boolean =>
  spec.type === "NodePort" || (spec.type === "LoadBalancer" && spec.allocateLoadBalancerNodePorts !== false);

/** A load balancer that must know which nodes have an endpoint asks this port. */
export const needsHealthCheckNodePort = (spec: Spec): boolean => spec.type === "LoadBalancer" && spec.externalTrafficPolicy === "Local";

export const isHeadless = (spec: Spec): boolean => spec.clusterIPs?.length === 1 && spec.clusterIPs[0] === clusterIpNone;

/** Reachable from outside the cluster (`pkg/api/service` ExternallyAccessible). */
export const externallyAccessible = (spec: Spec): boolean =>
  needsNodePort(spec) || (spec.type === "ClusterIP" && (spec.externalIPs?.length ?? 0) > 0);

export function familyOf(address: string): IpFamilyName | undefined {
  const ip = parseIpSloppy(address);
  return ip === undefined ? undefined : ip.family === 4 ? "IPv4" : "IPv6";
}

export const sameTexts = (a: readonly string[] = [], b: readonly string[] = []): boolean =>
  a.length === b.length && a.every((text, index) => text === b[index]);
