/** Random states of a cluster that an API server takes: Services of every kind, slices with every condition and hint. */
import fc from "fast-check";
import type { EndpointSlice, Service } from "../../../src/api/types.ts";
import type { Packet, Protocol } from "../../../src/decide/proxy/index.ts";

export const nodeName = "node-1";
export const zone = "zone-a";
export const nodeAddresses = { 4: "10.250.0.1", 6: "fd00:10:250::1" } as const;
/** One range is all that kube-proxy takes of a family. */
export const podCIDRs = ["10.244.0.0/16", "fd00:10:244::/56"] as const;
export const serviceRange = "10.96.0.0/12,fd00:10:96::/112";

export interface State {
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
}

const ports = [
  { name: "http", port: 80, protocol: "TCP", target: 8080 },
  { name: "dns", port: 53, protocol: "UDP", target: 5353 },
  { name: "sig", port: 9999, protocol: "SCTP", target: 9999 },
  { name: "alt", port: 8443, protocol: "TCP", target: 8443 },
] as const;

const endpoint = fc.record({
  host: fc.integer({ min: 1, max: 8 }),
  condition: fc.constantFrom("ready", "ready", "ready", "notReady", "terminating", "serving"),
  zone: fc.constantFrom("zone-a", "zone-b"),
  hint: fc.constantFrom("none", "none", "zone-a", "zone-b", "node-1", "node-2"),
});

const spec = fc.record({
  type: fc.constantFrom("ClusterIP", "ClusterIP", "NodePort", "LoadBalancer", "LoadBalancer"),
  families: fc.constantFrom("IPv4", "IPv6", "both", "both"),
  ports: fc.subarray([...ports], { minLength: 1 }),
  internalLocal: fc.boolean(),
  externalLocal: fc.boolean(),
  affinity: fc.constantFrom(0, 0, 0, 60, 10_800),
  externalIPs: fc.subarray([4, 6] as const),
  ingress: fc.constantFrom("none", "4", "6", "both", "proxy"),
  sourceRanges: fc.subarray(["203.0.113.0/24", "10.0.0.0/9", "2001:db8:1::/48", "10.250.0.1/32", "10.244.1.0/24"]),
  distribution: fc.constantFrom(undefined, "PreferClose", "PreferSameNode"),
  hints: fc.boolean(),
  endpoints: fc.uniqueArray(endpoint, { maxLength: 6, selector: ({ host }) => host }),
});

type Spec = typeof spec extends fc.Arbitrary<infer T> ? T : never;

/** Up to four Services; no two of one state want the same address. */
export const state: fc.Arbitrary<State> = fc.array(spec, { minLength: 1, maxLength: 4 }).map((specs) => ({
  services: specs.map(serviceOf),
  slices: specs.flatMap(slicesOf),
}));

const four = ({ families }: Spec) => families !== "IPv6";
const six = ({ families }: Spec) => families !== "IPv4";

function serviceOf(chosen: Spec, n: number): Service {
  const { type, affinity, distribution } = chosen;
  const external = type !== "ClusterIP";
  const clusterIPs = [...(four(chosen) ? [`10.96.0.${10 + n}`] : []), ...(six(chosen) ? [`fd00:10:96::${10 + n}`] : [])];
  const externalIPs = chosen.externalIPs.flatMap((family) =>
    family === 4 ? (four(chosen) ? [`192.0.2.${10 + n}`] : []) : six(chosen) ? [`2001:db8::${10 + n}`] : [],
  );
  const ingress = ingressOf(chosen, n);
  return {
    metadata: { namespace: "default", name: `service-${n}` },
    spec: {
      type,
      clusterIP: clusterIPs[0],
      clusterIPs,
      ipFamilies: [...(four(chosen) ? ["IPv4"] : []), ...(six(chosen) ? ["IPv6"] : [])],
      ipFamilyPolicy: chosen.families === "both" ? "RequireDualStack" : "SingleStack",
      ports: chosen.ports.map(({ name, port, protocol, target }, i) => ({
        name,
        port,
        protocol,
        targetPort: target,
        ...(external ? { nodePort: 30_000 + n * 10 + i } : {}),
      })),
      internalTrafficPolicy: chosen.internalLocal ? "Local" : "Cluster",
      ...(external || externalIPs.length > 0 ? { externalTrafficPolicy: chosen.externalLocal ? "Local" : "Cluster" } : {}),
      ...(affinity === 0 ? {} : { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds: affinity } } }),
      ...(externalIPs.length === 0 ? {} : { externalIPs }),
      ...(type === "LoadBalancer" && chosen.sourceRanges.length > 0 ? { loadBalancerSourceRanges: [...chosen.sourceRanges] } : {}),
      ...(distribution === undefined ? {} : { trafficDistribution: distribution }),
    },
    ...(ingress.length === 0 ? {} : { status: { loadBalancer: { ingress } } }),
  } as Service;
}

function ingressOf(chosen: Spec, n: number) {
  const { type, ingress } = chosen;
  if (type !== "LoadBalancer" || ingress === "none") return [];
  const ipMode = ingress === "proxy" ? "Proxy" : "VIP";
  return [
    ...(four(chosen) && ingress !== "6" ? [{ ip: `198.51.100.${10 + n}`, ipMode }] : []),
    ...(six(chosen) && ingress !== "4" && ingress !== "proxy" ? [{ ip: `2001:db8:5::${10 + n}`, ipMode }] : []),
  ];
}

/** Hosts 1 to 4 are this node's. */
export const podAddress = (family: 4 | 6, n: number, host: number) => {
  const node = host <= 4 ? 1 : 2;
  return family === 4 ? `10.244.${node}.${n * 10 + host}` : `fd00:10:244:${node}::${n * 10 + host}`;
};

function slicesOf(chosen: Spec, n: number): readonly EndpointSlice[] {
  const families = [...(four(chosen) ? [4 as const] : []), ...(six(chosen) ? [6 as const] : [])];
  return families.map((family) => ({
    metadata: { namespace: "default", name: `service-${n}-${family}`, labels: { "kubernetes.io/service-name": `service-${n}` } },
    addressType: `IPv${family}`,
    endpoints: chosen.endpoints.map(({ host, condition, zone: where, hint }) => ({
      addresses: [podAddress(family, n, host)],
      nodeName: host <= 4 ? "node-1" : "node-2",
      zone: where,
      conditions: {
        ready: condition === "ready",
        serving: condition === "ready" || condition === "serving",
        terminating: condition === "terminating" || condition === "serving",
      },
      ...(chosen.hints && hint !== "none"
        ? { hints: hint.startsWith("zone") ? { forZones: [{ name: hint }] } : { forZones: [{ name: where }], forNodes: [{ name: hint }] } }
        : {}),
    })),
    ports: chosen.ports.map(({ name, protocol, target }) => ({ name, protocol, port: target })),
  }));
}

/** Clients of every kind, to every address and to ports that none has; those of this node only, since others do not come by here. */
export function packetsFor({ services }: State): readonly Packet[] {
  const clients = {
    4: [podAddress(4, 0, 1), podAddress(4, 1, 2), "10.244.1.200", "10.244.1.201", nodeAddresses[4], "203.0.113.9", "192.0.2.200"],
    6: [
      podAddress(6, 0, 1),
      podAddress(6, 1, 2),
      "fd00:10:244:1::200",
      "fd00:10:244:1::201",
      nodeAddresses[6],
      "2001:db8:1::9",
      "2001:db8:9::9",
    ],
  };
  const packets: Packet[] = [];
  const to = (address: string, port: number, protocol: Protocol) => {
    for (const from of clients[address.includes(":") ? 6 : 4]) packets.push({ from, to: address, port, protocol });
  };
  for (const { spec: { clusterIPs = [], externalIPs = [], ports: list = [] } = {}, status } of services) {
    const ingress = (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []);
    for (const { port, protocol, nodePort } of list) {
      for (const address of [...clusterIPs, ...externalIPs, ...ingress]) to(address, port, protocol as Protocol);
      if (nodePort !== undefined) for (const address of Object.values(nodeAddresses)) to(address, nodePort, protocol as Protocol);
    }
    // A port that the Service has not, and one that it has by another protocol.
    const [address] = clusterIPs;
    if (address !== undefined) for (const protocol of ["TCP", "UDP"] as const) to(address, 4321, protocol);
  }
  for (const port of [80, 443]) to("10.96.7.7", port, "TCP");
  to("fd00:10:96::77", 80, "TCP");
  return packets;
}

/** The node to its own NodePorts by loopback addresses. */
export function localhostPackets({ services }: State): readonly Packet[] {
  const ports = services.flatMap(({ spec }) => spec?.ports ?? []).filter(({ nodePort }) => nodePort !== undefined);
  return ports.flatMap(({ nodePort = 0, protocol }) =>
    ["127.0.0.1", "::1"].map((address) => ({ from: address, to: address, port: nodePort, protocol: protocol as Protocol })),
  );
}
