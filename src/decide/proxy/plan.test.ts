import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Endpoint, EndpointSlice, Service, ServiceSpec } from "../../api/types.ts";
import { selectNodePortAddresses } from "./node.ts";
import type { PlannedService, PlanNode, PlanOptions } from "./plan.ts";
import { planService } from "./service.ts";
import { planServices, serviceKeyOfSlice } from "./services.ts";
import { trace } from "./trace.ts";

const node: PlanNode = {
  name: "here",
  labels: { "topology.kubernetes.io/zone": "a" },
  addresses: ["192.168.0.2", "127.0.0.1"],
  nodePortAddresses: ["192.168.0.2"],
  clusterCIDRs: ["10.244.0.0/16"],
};

function service(spec: ServiceSpec = {}, metadata: Service["metadata"] = {}): Service {
  return {
    metadata: { namespace: "shop", name: "web", ...metadata },
    spec: { type: "ClusterIP", clusterIP: "10.96.0.7", ports: [{ name: "http", port: 80, protocol: "TCP" }], ...spec },
  };
}

function slice(endpoints: readonly Endpoint[], name = "web-1", more: Partial<EndpointSlice> = {}): EndpointSlice {
  return {
    metadata: { namespace: "shop", name, labels: { "kubernetes.io/service-name": "web" } },
    addressType: "IPv4",
    endpoints,
    ports: [{ name: "http", port: 8080, protocol: "TCP" }],
    ...more,
  };
}

const endpoint = (ip: string, more: Partial<Endpoint> = {}): Endpoint => ({ addresses: [ip], nodeName: "here", ...more });

function planned(one: Service, slices: readonly EndpointSlice[], options: PlanOptions = {}): PlannedService {
  const plan = planService(one, slices, node, options);
  if (plan.kind !== "service") throw new Error(plan.reason);
  return plan;
}

describe("Services that the proxy leaves alone", () => {
  test.for([
    ["Headless", service({ clusterIP: "None" })],
    ["ExternalName", service({ type: "ExternalName", clusterIP: "10.96.0.7" })],
    ["NoClusterIP", service({ clusterIP: "" })],
    ["OtherProxy", service({}, { labels: { "service.kubernetes.io/service-proxy-name": "other" } })],
  ] as const)("%s", ([reason, one]) => {
    expect(planService(one, [], node)).toEqual({ kind: "skipped", namespace: "shop", name: "web", reason });
  });

  test("with its own name a proxy plans the others' leavings", () => {
    const labelled = service({}, { labels: { "service.kubernetes.io/service-proxy-name": "other" } });
    expect(planService(labelled, [], node, { serviceProxyName: "other" }).kind).toBe("service");
    expect(planService(service(), [], node, { serviceProxyName: "other" })).toMatchObject({ reason: "OtherProxy" });
  });

  test("slices of headless Services and of none", () => {
    expect(serviceKeyOfSlice(slice([]))).toBe("shop/web");
    expect(
      serviceKeyOfSlice({
        ...slice([]),
        metadata: { namespace: "shop", name: "x", labels: { "kubernetes.io/service-name": "web", "service.kubernetes.io/headless": "" } },
      }),
    ).toBeUndefined();
    expect(serviceKeyOfSlice({ ...slice([]), metadata: { namespace: "shop", name: "x" } })).toBeUndefined();
  });
});

describe("every endpoint left out has its reason", () => {
  const left = (one: Service, endpoints: readonly Endpoint[]) =>
    planned(one, [slice(endpoints)]).ports[0]?.leftOut.map(({ ip, reason, policy }) => [
      ip,
      reason,
      ...(policy === undefined ? [] : [policy]),
    ]);

  test("by its own state", () => {
    const endpoints = [
      endpoint("10.244.0.1"),
      endpoint("10.244.0.2", { conditions: { ready: false } }),
      endpoint("10.244.0.3", { conditions: { ready: false, serving: true, terminating: true } }),
      endpoint("10.244.0.4", { conditions: { ready: false, serving: false, terminating: true } }),
      endpoint("fd00::5"),
    ];
    expect(left(service(), endpoints)).toEqual([
      ["fd00::5", "InvalidAddress"],
      ["10.244.0.2", "NotReady"],
      ["10.244.0.3", "TerminatingWhileOthersReady"],
      ["10.244.0.4", "Terminating"],
    ]);
  });

  test("by hints, where they count", () => {
    const zone = (ip: string, name: string) => endpoint(ip, { hints: { forZones: [{ name }] } });
    expect(left(service(), [zone("10.244.0.1", "a"), zone("10.244.0.2", "b")])).toEqual([["10.244.0.2", "HintedForOtherZone"]]);
    expect(left(service(), [zone("10.244.0.1", "c"), zone("10.244.0.2", "b")])).toEqual([]);
    expect(left(service(), [zone("10.244.0.1", "a"), endpoint("10.244.0.2")])).toEqual([]);
    const forNode = (ip: string, name: string) => endpoint(ip, { hints: { forNodes: [{ name }], forZones: [{ name: "a" }] } });
    expect(left(service(), [forNode("10.244.0.1", "here"), forNode("10.244.0.2", "there")])).toEqual([
      ["10.244.0.2", "HintedForOtherNode"],
    ]);
    const off = service({}, { annotations: { "service.kubernetes.io/topology-mode": "Disabled" } });
    expect(left(off, [zone("10.244.0.1", "a"), zone("10.244.0.2", "b")])).toEqual([]);
    expect(
      left({ ...off, spec: { ...off.spec, trafficDistribution: "PreferClose" } }, [zone("10.244.0.1", "a"), zone("10.244.0.2", "b")]),
    ).toEqual([["10.244.0.2", "HintedForOtherZone"]]);
  });

  test("by policy Local, of one kind of traffic or of all", () => {
    const endpoints = [endpoint("10.244.0.1"), endpoint("10.244.1.1", { nodeName: "there" })];
    expect(left(service({ internalTrafficPolicy: "Local" }), endpoints)).toEqual([["10.244.1.1", "NotLocal"]]);
    const both = service({ type: "NodePort", internalTrafficPolicy: "Local", ports: [{ name: "http", port: 80, nodePort: 30_080 }] });
    expect(left(both, endpoints)).toEqual([["10.244.1.1", "NotLocal", "internal"]]);
    const outside = service({ type: "NodePort", externalTrafficPolicy: "Local", ports: [{ name: "http", port: 80, nodePort: 30_080 }] });
    expect(left(outside, endpoints)).toEqual([["10.244.1.1", "NotLocal", "external"]]);
  });
});

describe("a port", () => {
  test("addresses as people write them are read as Kubernetes reads them", () => {
    const sloppy = service({
      clusterIP: "172.30.0.041",
      externalIPs: ["192.168.099.022"],
      loadBalancerSourceRanges: [" 203.0.113.000/025", "fd00::/8"],
      type: "LoadBalancer",
    });
    const { ports } = planned({ ...sloppy, status: { loadBalancer: { ingress: [{ ip: "1.2.3.004" }, { hostname: "lb.example" }] } } }, [
      slice([endpoint("10.180.00.001")]),
    ]);
    expect(ports[0]?.addresses.map(({ kind, address, sourceRanges }) => [kind, address, sourceRanges])).toEqual([
      ["clusterIP", "172.30.0.41", undefined],
      ["externalIP", "192.168.99.22", undefined],
      ["loadBalancer", "1.2.3.4", ["203.0.113.0/25"]],
    ]);
    expect(ports[0]?.endpoints[0]?.cluster[0]?.ip).toBe("10.180.0.1");
  });

  test("takes only the slice ports with its name and protocol, and each endpoint once", () => {
    const moved = slice([endpoint("10.244.0.1", { nodeName: "there" })], "web-0");
    const dns = slice([endpoint("10.244.0.9")], "web-2", { ports: [{ name: "http", port: 8080, protocol: "UDP" }] });
    const other = slice([endpoint("10.244.0.8")], "web-3", { ports: [{ name: "admin", port: 8080 }, { name: "http" }] });
    const [port] = planned(service(), [slice([endpoint("10.244.0.1")]), moved, dns, other]).ports;
    expect(port?.endpoints[0]?.cluster.map(({ ip, local }) => [ip, local])).toEqual([["10.244.0.1", true]]);
  });

  test("two families, each with its own endpoints", () => {
    const dual = service({ clusterIPs: ["10.96.0.7", "fd00:10:96::7"] });
    const six = slice([endpoint("fd00:10:244::1")], "web-6", { addressType: "IPv6" });
    const [port] = planned(dual, [slice([endpoint("10.244.0.1")]), six]).ports;
    expect(port?.endpoints.map(({ family, cluster }) => [family, cluster.map(({ ip }) => ip)])).toEqual([
      [4, ["10.244.0.1"]],
      [6, ["fd00:10:244::1"]],
    ]);
  });

  test("affinity, and the health check of a load balancer", () => {
    const one = service({
      type: "LoadBalancer",
      externalTrafficPolicy: "Local",
      healthCheckNodePort: 32_000,
      sessionAffinity: "ClientIP",
      externalIPs: ["192.0.2.1"],
    });
    const plan = planned(one, [slice([endpoint("10.244.0.1"), endpoint("10.244.0.2", { nodeName: "there" })])]);
    expect(plan.healthCheck).toEqual({ port: 32_000, localEndpoints: 1 });
    expect(plan.ports[0]?.affinity).toEqual({ kind: "clientIP", timeoutSeconds: 10_800 });
    expect(
      planned({ ...one, spec: { ...one.spec, sessionAffinityConfig: { clientIP: { timeoutSeconds: 5 } } } }, []).ports[0]?.affinity,
    ).toEqual({ kind: "clientIP", timeoutSeconds: 5 });
  });
});

test("NodePort addresses: CIDRs, primary, and all of them without loopback unless asked", () => {
  const addresses = ["127.0.0.1", "192.168.0.2", "10.0.0.5", "::1", "2001:db8::1"];
  const primary = ["192.168.0.2"];
  const select = (cidrs: readonly string[], whenEmpty: "primary" | "all" = "primary", localhost = false) =>
    selectNodePortAddresses({ cidrs, addresses, primary, whenEmpty, localhost });
  expect(select([])).toEqual(primary);
  expect(select([], "all")).toEqual(["192.168.0.2", "10.0.0.5", "2001:db8::1"]);
  expect(select([], "all", true)).toEqual(["127.0.0.1", "192.168.0.2", "10.0.0.5", "2001:db8::1"]);
  expect(select(["10.0.0.0/8", "nonsense"])).toEqual(["10.0.0.5"]);
  expect(select(["primary", "192.168.0.0/16"])).toEqual(["192.168.0.2"]);
});

describe("for any Service and endpoints", () => {
  const condition = fc.record({ ready: fc.boolean(), serving: fc.boolean(), terminating: fc.boolean() });
  const anyEndpoint = fc
    .tuple(fc.integer({ min: 1, max: 9 }), condition, fc.constantFrom("here", "there"), fc.constantFrom("a", "b", ""))
    .map(([n, conditions, nodeName, zone]) =>
      endpoint(`10.244.0.${n}`, { conditions, nodeName, ...(zone === "" ? {} : { hints: { forZones: [{ name: zone }] } }) }),
    );
  const policy = fc.constantFrom("Cluster", "Local");
  const anyCase = fc
    .tuple(fc.array(anyEndpoint, { maxLength: 9 }), policy, policy)
    .map(([endpoints, internalTrafficPolicy, externalTrafficPolicy]) => ({
      slices: [slice(endpoints)],
      one: service({
        type: "LoadBalancer",
        internalTrafficPolicy,
        externalTrafficPolicy,
        ports: [{ name: "http", port: 80, nodePort: 30_080 }],
        externalIPs: ["192.0.2.7"],
      }),
    }));

  test("every verdict dnat has an endpoint, every endpoint is used or left out with a reason, and the order of endpoints does not matter", () => {
    fc.assert(
      fc.property(anyCase, ({ slices, one }) => {
        const plan = planned(one, slices);
        for (const { addresses, endpoints, leftOut } of plan.ports) {
          const sets = endpoints[0] ?? { cluster: [], local: [] };
          for (const verdict of addresses.flatMap(({ verdicts }) => Object.values(verdicts))) {
            if (verdict.kind === "dnat") expect(sets[verdict.to].length).toBeGreaterThan(0);
          }
          const used = new Set([...sets.cluster, ...sets.local].map(({ ip }) => ip));
          const named = new Set([...used, ...leftOut.map(({ ip }) => ip)]);
          for (const {
            addresses: [ip],
          } of slices[0]?.endpoints ?? [])
            expect(named).toContain(ip);
        }
        const unique = new Map((slices[0]?.endpoints ?? []).map((each) => [each.addresses[0], each]));
        const [forth, back] = [[...unique.values()], [...unique.values()].reverse()];
        expect(planService(one, [slice(back)], node)).toEqual(planService(one, [slice(forth)], node));
      }),
    );
  });

  test("a packet to a Service's address is sent to a usable endpoint, refused or dropped, never ignored", () => {
    const from = fc.constantFrom("10.244.0.1", "192.168.0.2", "203.0.113.9");
    const to = fc.constantFrom(["10.96.0.7", 80], ["192.168.0.2", 30_080], ["192.0.2.7", 80]);
    fc.assert(
      fc.property(anyCase, from, to, ({ slices, one }, source, [ip, port]) => {
        const traced = trace(planServices([one], slices, node), { from: source, to: ip as string, port: port as number, protocol: "TCP" });
        expect(traced.kind).not.toBe("none");
        if (traced.kind === "dnat")
          for (const { endpoint: used } of traced.endpoints) expect(used.ready || (used.serving && used.terminating)).toBe(true);
      }),
    );
  });
});
