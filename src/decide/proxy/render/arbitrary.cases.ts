/** Random clusters for the renderers' property tests: few names and addresses, so that Services meet and endpoints move. */
import fc from "fast-check";
import type { EndpointSlice, Service } from "../../../api/types.ts";
import type { PlanNode } from "../plan.ts";

export const node: PlanNode = {
  name: "node-1",
  addresses: ["10.250.0.1", "fd00:10:250::1"],
  nodePortAddresses: ["10.250.0.1", "fd00:10:250::1"],
  clusterCIDRs: ["10.244.0.0/16", "fd00:10:244::/56"],
};
export const serviceCIDRs = ["10.96.0.0/12", "fd00:10:96::/112"];

export interface ServiceState {
  readonly service: Service;
  readonly slices: readonly EndpointSlice[];
}

const ports = [
  { name: "http", port: 80, protocol: "TCP", nodePort: 30_080 },
  { name: "dns", port: 53, protocol: "UDP", nodePort: 30_053 },
  { name: "sig", port: 9999, protocol: "SCTP", nodePort: 30_099 },
] as const;

const spec = fc.record({
  ports: fc.subarray([...ports], { minLength: 1 }),
  families: fc.constantFrom(["4"], ["6"], ["4", "6"]),
  nodePort: fc.boolean(),
  internalTrafficPolicy: fc.constantFrom("Cluster", "Local"),
  externalTrafficPolicy: fc.constantFrom("Cluster", "Local"),
  affinity: fc.constantFrom(0, 0, 60, 10_800),
  externalIPs: fc.subarray(["192.0.2.7", "192.0.2.8", "2001:db8::7"]),
  loadBalancer: fc.constantFrom(undefined, "198.51.100.1", "2001:db8::1"),
  sourceRanges: fc.subarray(["203.0.113.0/24", "10.0.0.0/9", "2001:db8:1::/48", "10.250.0.1/32"]),
});

const endpoint = fc.record({ host: fc.integer({ min: 1, max: 6 }), local: fc.boolean(), ready: fc.constantFrom(true, true, true, false) });

/** State of the n-th Service. */
export function serviceState(n: number): fc.Arbitrary<ServiceState> {
  return fc.tuple(spec, fc.uniqueArray(endpoint, { maxLength: 6, selector: ({ host }) => host })).map(([chosen, endpoints]) => {
    const ips = chosen.families.map((family) => (family === "4" ? `10.96.0.${n}` : `fd00:10:96::${n}`));
    const service = {
      metadata: { namespace: "default", name: `service-${n}` },
      spec: {
        type: chosen.loadBalancer === undefined ? (chosen.nodePort ? "NodePort" : "ClusterIP") : "LoadBalancer",
        clusterIP: ips[0],
        clusterIPs: ips,
        // Two Services never have the same NodePort in a cluster; here they do now and then.
        ports: chosen.ports.map(({ nodePort, ...port }) => (chosen.nodePort ? { ...port, nodePort: nodePort + (n % 2) } : port)),
        internalTrafficPolicy: chosen.internalTrafficPolicy,
        externalTrafficPolicy: chosen.externalTrafficPolicy,
        externalIPs: chosen.externalIPs,
        ...(chosen.affinity === 0
          ? {}
          : { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds: chosen.affinity } } }),
        ...(chosen.sourceRanges.length === 0 ? {} : { loadBalancerSourceRanges: chosen.sourceRanges }),
      },
      ...(chosen.loadBalancer === undefined ? {} : { status: { loadBalancer: { ingress: [{ ip: chosen.loadBalancer }] } } }),
    } as Service;
    const slices = (["IPv4", "IPv6"] as const).map((addressType): EndpointSlice => ({
      metadata: { namespace: "default", name: `service-${n}-${addressType}`, labels: { "kubernetes.io/service-name": `service-${n}` } },
      addressType,
      endpoints: endpoints.map(({ host, local, ready }) => ({
        addresses: [addressType === "IPv4" ? `10.244.1.${host}` : `fd00:10:244:1::${host}`],
        nodeName: local ? "node-1" : "node-2",
        conditions: { ready },
      })),
      ports: ports.map(({ name, protocol }) => ({ name, protocol, port: 8080 })),
    }));
    return { service, slices };
  });
}

/** Clients of every kind, of both families. */
export const clients = [
  "10.244.1.1",
  "10.244.9.9",
  "10.250.0.1",
  "203.0.113.9",
  "192.0.2.99",
  "fd00:10:244:1::2",
  "fd00:10:250::1",
  "2001:db8:1::1",
  "2001:db8:2::1",
];
