import { describe, expect, test } from "vitest";
import type { EndpointSlice, Service } from "../../api/types.ts";
import type { ServicePlan } from "./plan.ts";
import { planLoadBalancer, planNodePorts } from "./way-in.ts";

const clusterCIDRs = ["10.244.0.0/16", "fd00:10:244::/56"];
const node = { name: "node-1", labels: {}, hostAddress: "127.97.254.1", clusterCIDRs };
const loadBalancers = { cidr: "127.97.128.0/18", clusterCIDRs };

function service(spec: Partial<NonNullable<Service["spec"]>> = {}, ...ips: readonly string[]): Service {
  return {
    metadata: { namespace: "shop", name: "web" },
    spec: { type: "LoadBalancer", clusterIPs: ["10.96.0.7"], ipFamilies: ["IPv4"], ports: [{ port: 80, nodePort: 30080 }], ...spec },
    status: { loadBalancer: { ingress: ips.map((ip) => ({ ip, ipMode: "Proxy" })) } },
  };
}

const slice = (addressType: string, ...endpoints: readonly (readonly [string, string | undefined])[]): EndpointSlice => ({
  metadata: { namespace: "shop", name: "web-1", labels: { "kubernetes.io/service-name": "web" } },
  addressType,
  endpoints: endpoints.map(([ip, nodeName]) => ({
    addresses: [ip],
    conditions: { ready: true },
    ...(nodeName === undefined ? {} : { nodeName }),
  })),
  ports: [{ name: "", port: 8080, protocol: "TCP" }],
});
const two = [slice("IPv4", ["10.244.1.2", "node-1"], ["10.244.2.2", "node-2"])];

/** address:port, what a client gets there, and the endpoints behind it. */
function shown(plan: ServicePlan): readonly unknown[] {
  if (plan.kind === "skipped") return [plan.reason];
  return plan.ports.flatMap(({ addresses, endpoints }) =>
    addresses.map(({ address, port, family, verdicts: { external }, sourceRanges }) => {
      const sets = endpoints.find((set) => set.family === family);
      const to = external.kind === "dnat" ? sets?.[external.to].map(({ ip }) => ip) : external.reason;
      const from = external.kind === "dnat" && external.masquerade ? "node" : "host";
      return sourceRanges === undefined ? [`${address}:${port}`, to, from] : [`${address}:${port}`, to, from, sourceRanges];
    }),
  );
}

describe("NodePorts of a node", () => {
  const plan = (given: Service, slices: readonly EndpointSlice[] = two, entrance = node) => shown(planNodePorts(given, slices, entrance));

  test("are at its address on the host, and nothing else is", () => {
    expect(plan(service({}, "127.97.128.1"))).toEqual([["127.97.254.1:30080", ["10.244.1.2", "10.244.2.2"], "node"]]);
    expect(plan(service({ type: "ClusterIP", ports: [{ port: 80 }] }))).toEqual([]);
    expect(plan(service({ clusterIPs: ["None"], clusterIP: "None" }))).toEqual(["Headless"]);
  });

  test("by policy Local lead to its own pods, who see the host", () => {
    const local = service({ externalTrafficPolicy: "Local" });
    expect(plan(local)).toEqual([["127.97.254.1:30080", ["10.244.1.2"], "host"]]);
    expect(plan(local, two, { ...node, name: "node-3" })).toEqual([["127.97.254.1:30080", "NoLocalEndpoints", "host"]]);
  });

  test("lead to IPv6 endpoints where the Service has no others", () => {
    const v6 = service({ clusterIPs: ["fd00:10:96::7"], ipFamilies: ["IPv6"] });
    expect(plan(v6, [slice("IPv6", ["fd00:10:244:1::2", "node-1"])])).toEqual([["127.97.254.1:30080", ["fd00:10:244:1::2"], "node"]]);
  });
});

describe("a load balancer", () => {
  const plan = (given: Service, slices: readonly EndpointSlice[] = two) => shown(planLoadBalancer(given, slices, loadBalancers));

  test("is at its address, in the range of this machine only", () => {
    expect(plan(service({}, "127.97.128.1", "203.0.113.9"))).toEqual([["127.97.128.1:80", ["10.244.1.2", "10.244.2.2"], "node"]]);
    expect(plan(service({}))).toEqual([]);
    expect(plan(service({ allocateLoadBalancerNodePorts: false, ports: [{ port: 80 }] }, "127.97.128.1"))).toHaveLength(1);
  });

  test("has each port at each of several addresses", () => {
    const ports = [
      { name: "a", port: 80 },
      { name: "b", port: 443 },
    ];
    expect(plan(service({ ports }, "127.97.128.1", "127.97.128.2"), []).map((row) => (row as string[])[0])).toEqual([
      "127.97.128.1:80",
      "127.97.128.2:80",
      "127.97.128.1:443",
      "127.97.128.2:443",
    ]);
  });

  test("by policy Local reaches the endpoints of all nodes, who see the host; not those on no node", () => {
    const slices = [slice("IPv4", ["10.244.1.2", "node-1"], ["10.244.2.2", "node-2"], ["192.0.2.7", undefined])];
    expect(plan(service({ externalTrafficPolicy: "Local" }, "127.97.128.1"), slices)).toEqual([
      ["127.97.128.1:80", ["10.244.1.2", "10.244.2.2"], "host"],
    ]);
    expect(plan(service({ externalTrafficPolicy: "Local" }, "127.97.128.1"), [slice("IPv4", ["192.0.2.7", undefined])])).toEqual([
      ["127.97.128.1:80", "NoLocalEndpoints", "host"],
    ]);
  });

  test("without endpoints refuses; source ranges hold", () => {
    expect(plan(service({}, "127.97.128.1"), [])).toEqual([["127.97.128.1:80", "NoEndpoints", "host"]]);
    expect(plan(service({ loadBalancerSourceRanges: ["127.0.0.0/8"] }, "127.97.128.1"))).toEqual([
      ["127.97.128.1:80", ["10.244.1.2", "10.244.2.2"], "node", ["127.0.0.0/8"]],
    ]);
  });

  test("is in no zone and on no node: hints for those leave no endpoint out", () => {
    const hinted = two.map((one) => ({
      ...one,
      endpoints: one.endpoints?.map((endpoint) => ({
        ...endpoint,
        zone: "a",
        hints: { forZones: [{ name: "a" }], forNodes: [{ name: endpoint.nodeName ?? "" }] },
      })),
    })) as readonly EndpointSlice[];
    for (const trafficDistribution of ["PreferSameZone", "PreferSameNode"])
      expect(plan(service({ trafficDistribution }, "127.97.128.1"), hinted)).toEqual([
        ["127.97.128.1:80", ["10.244.1.2", "10.244.2.2"], "node"],
      ]);
  });

  test("leads to IPv6 endpoints where the Service has no others", () => {
    const v6 = service({ clusterIPs: ["fd00:10:96::7"], ipFamilies: ["IPv6"] }, "127.97.128.1");
    expect(plan(v6, [slice("IPv6", ["fd00:10:244:1::2", "node-1"])])).toEqual([["127.97.128.1:80", ["fd00:10:244:1::2"], "node"]]);
  });
});
