import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { deepFreeze } from "../../lib/freeze.ts";
import { parseCidr, type Cidr } from "../../lib/ip.ts";
import { fieldErrorText } from "../field-error.ts";
import { serviceKind } from "../kinds/services.ts";
import { draft, type Draft, type KubeObject } from "../object.ts";
import { prepare, type Prepared } from "../prepare.ts";
import type { Service, ServiceSpec } from "../types.ts";
import { ServiceAllocator } from "./service.ts";

const context = { allowLoopbackEndpoints: false, now: 0 };
const http = { name: "http", port: 80 };

function cluster(...ranges: string[]): ServiceAllocator {
  const clusterIpRanges = (ranges.length === 0 ? ["10.96.0.0/24"] : ranges).map((range) => parseCidr(range) as Cidr);
  return new ServiceAllocator({ clusterIpRanges, nodePortRange: { first: 30000, last: 30009 }, random: () => 0 });
}

function write(allocator: ServiceAllocator, spec: Draft<ServiceSpec>, old?: Service): Prepared<Service> {
  const object = { metadata: { name: "web", namespace: "default" }, spec: structuredClone(spec) } as Draft<KubeObject>;
  const allocate = (next: Draft<KubeObject>, previous: KubeObject | undefined) =>
    allocator.allocate(next as Draft<Service>, previous as Service | undefined);
  return prepare(serviceKind, object, old, { ...context, allocate }) as Prepared<Service>;
}

/** Writes and commits; the stored Service, frozen as the store has it. */
function store(allocator: ServiceAllocator, spec: Draft<ServiceSpec>, old?: Service): Service {
  const prepared = write(allocator, spec, old);
  expect(prepared.errors.map(fieldErrorText)).toEqual([]);
  prepared.allocation?.commit();
  return deepFreeze(prepared.object) as Service;
}

const faults = (prepared: Prepared<Service>) => prepared.errors.map(fieldErrorText);

describe("a new Service", () => {
  test("gets an address of the default family, and says so in every field", () => {
    const { spec } = store(cluster(), { ports: [http] });
    expect(spec).toMatchObject({
      type: "ClusterIP",
      clusterIPs: [spec?.clusterIP],
      ipFamilies: ["IPv4"],
      ipFamilyPolicy: "SingleStack",
      internalTrafficPolicy: "Cluster",
      sessionAffinity: "None",
      ports: [{ name: "http", port: 80, protocol: "TCP", targetPort: 80 }],
    });
    expect(spec).not.toHaveProperty("externalTrafficPolicy");
  });

  test("gets the address that it names, once", () => {
    const allocator = cluster();
    expect(store(allocator, { ports: [http], clusterIP: "10.96.0.10" }).spec?.clusterIPs).toEqual(["10.96.0.10"]);
    expect(faults(write(allocator, { ports: [http], clusterIP: "10.96.0.10" }))).toEqual([
      'spec.clusterIPs: Invalid value: ["10.96.0.10"]: failed to allocate IP 10.96.0.10: provided IP is already allocated',
    ]);
    expect(faults(write(allocator, { ports: [http], clusterIP: "10.97.0.10" }))).toEqual([
      'spec.clusterIPs: Invalid value: ["10.97.0.10"]: failed to allocate IP 10.97.0.10: the provided network does not match the current range',
    ]);
  });

  test("without an address: headless and ExternalName", () => {
    const allocator = cluster();
    expect(store(allocator, { clusterIP: "None", selector: { app: "db" } }).spec).toMatchObject({
      clusterIPs: ["None"],
      ipFamilies: ["IPv4"],
      ipFamilyPolicy: "SingleStack",
    });
    expect(store(allocator, { clusterIP: "None" }).spec).toMatchObject({
      ipFamilies: ["IPv4", "IPv6"],
      ipFamilyPolicy: "RequireDualStack",
    });
    expect(store(allocator, { type: "ExternalName", externalName: "example.com" }).spec).toEqual({
      type: "ExternalName",
      externalName: "example.com",
      sessionAffinity: "None",
    });
  });

  test("gets node ports, one for two protocols of a port", () => {
    const dns = [
      { name: "udp", port: 53, protocol: "UDP" },
      { name: "tcp", port: 53, protocol: "TCP" },
    ];
    const ports = store(cluster(), { type: "NodePort", ports: dns }).spec?.ports ?? [];
    expect(ports[0]?.nodePort).toBe(ports[1]?.nodePort);
    expect(ports[0]?.nodePort).toBeGreaterThanOrEqual(30000);
  });

  test.each<[number, string]>([
    [30001, "provided port is already allocated"],
    [8081, "provided port is not in the valid range. The range of valid ports is 30000-30009"],
  ])("is refused node port %i: %s", (nodePort, reason) => {
    const allocator = cluster();
    store(allocator, { type: "NodePort", ports: [{ ...http, nodePort: 30001 }] });
    expect(faults(write(allocator, { type: "NodePort", ports: [{ ...http, nodePort }] }))).toEqual([
      `spec.ports[0].nodePort: Invalid value: ${nodePort}: ${reason}`,
    ]);
  });

  test("behind a load balancer that keeps the client's address has a health check port", () => {
    const { spec } = store(cluster(), { type: "LoadBalancer", externalTrafficPolicy: "Local", ports: [http] });
    expect(spec?.healthCheckNodePort).toBeGreaterThanOrEqual(30000);
    expect(spec?.healthCheckNodePort).not.toBe(spec?.ports?.[0]?.nodePort);
    expect(spec?.allocateLoadBalancerNodePorts).toBe(true);
  });

  test("may have no node ports behind a load balancer", () => {
    const { spec } = store(cluster(), { type: "LoadBalancer", allocateLoadBalancerNodePorts: false, ports: [http] });
    expect(spec?.ports?.[0]).not.toHaveProperty("nodePort");
  });

  test("that is refused takes nothing", () => {
    const allocator = cluster();
    const twice = [http, { name: "http", port: 81 }];
    expect(
      faults(
        write(allocator, { clusterIP: "10.96.0.9", type: "NodePort", ports: [{ ...http, nodePort: 30003 }, twice[1] as typeof http] }),
      ),
    ).toEqual(['spec.ports[1].name: Duplicate value: "http"']);
    store(allocator, { clusterIP: "10.96.0.9", type: "NodePort", ports: [{ ...http, nodePort: 30003 }] });
  });

  test("whose write fails gives back what it took", () => {
    const allocator = cluster();
    write(allocator, { clusterIP: "10.96.0.9", ports: [http] }).allocation?.revert();
    store(allocator, { clusterIP: "10.96.0.9", ports: [http] });
  });

  test("finds a full range", () => {
    const allocator = cluster("10.96.0.0/30");
    expect(store(allocator, { ports: [http] }).spec?.clusterIP).toBe("10.96.0.2");
    expect(() => write(allocator, { ports: [http] })).toThrow("Internal error occurred: failed to allocate a serviceIP: range is full");
  });
});

describe("families", () => {
  const both = () => cluster("10.96.0.0/24", "fd00:10:96::/112");

  test.each<[Draft<ServiceSpec>, readonly string[]]>([
    [{}, ["IPv4"]],
    [{ ipFamilies: ["IPv6"] }, ["IPv6"]],
    [{ ipFamilyPolicy: "PreferDualStack" }, ["IPv4", "IPv6"]],
    [{ ipFamilyPolicy: "RequireDualStack", ipFamilies: ["IPv6"] }, ["IPv6", "IPv4"]],
    [{ clusterIP: "fd00:10:96::10" }, ["IPv6"]],
  ])("%j in a cluster of both", (spec, families) => {
    const stored = store(both(), { ports: [http], ...spec }).spec;
    expect(stored?.ipFamilies).toEqual(families);
    expect(stored?.clusterIPs).toHaveLength(families.length);
    expect(stored?.clusterIP).toBe(stored?.clusterIPs?.[0]);
  });

  test.each<[Draft<ServiceSpec>, readonly string[]]>([
    [
      { ipFamilyPolicy: "RequireDualStack" },
      ['spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services'],
    ],
    [{ ipFamilies: ["IPv6"] }, ['spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster']],
    [{ clusterIP: "fd00::1" }, ['spec.clusterIPs[0]: Invalid value: ["fd00::1"]: IPv6 is not configured on this cluster']],
  ])("%j in a cluster of one", (spec, errors) => expect(faults(write(cluster(), { ports: [http], ...spec }))).toEqual(errors));

  test("a second family comes and goes", () => {
    const allocator = both();
    const single = store(allocator, { ports: [http] });
    const dual = store(allocator, { ports: [http], ipFamilyPolicy: "PreferDualStack" }, single);
    expect(dual.spec?.clusterIPs?.[0]).toBe(single.spec?.clusterIP);
    expect(dual.spec?.ipFamilies).toEqual(["IPv4", "IPv6"]);
    const again = store(allocator, { ...draft(dual.spec ?? {}), ipFamilyPolicy: "SingleStack" }, dual);
    expect(again.spec?.clusterIPs).toEqual([single.spec?.clusterIP]);
    const freed = dual.spec?.clusterIPs?.[1] as string;
    store(allocator, { ports: [http], ipFamilies: ["IPv6"], clusterIP: freed });
  });
});

describe("a change", () => {
  test("may leave out what was allocated", () => {
    const allocator = cluster();
    const first = store(allocator, { type: "NodePort", ports: [http] });
    const second = store(
      allocator,
      {
        type: "NodePort",
        ports: [
          { ...http, targetPort: 8080 },
          { name: "admin", port: 81 },
        ],
      },
      first,
    );
    expect(second.spec?.clusterIPs).toEqual(first.spec?.clusterIPs);
    expect(second.spec?.ports?.[0]?.nodePort).toBe(first.spec?.ports?.[0]?.nodePort);
    expect(second.spec?.ports?.[1]?.nodePort).toBeGreaterThanOrEqual(30000);
  });

  test("to ExternalName gives the address and the ports back, and back again takes new ones", () => {
    const allocator = cluster();
    const first = store(allocator, { type: "NodePort", clusterIP: "10.96.0.9", ports: [{ ...http, nodePort: 30005 }] });
    const named = store(allocator, { ...draft(first.spec ?? {}), type: "ExternalName", externalName: "example.com" }, first);
    expect(named.spec).not.toHaveProperty("clusterIP");
    expect(named.spec).not.toHaveProperty("ipFamilies");
    expect(named.spec?.ports?.[0]).not.toHaveProperty("nodePort");
    store(allocator, { type: "NodePort", clusterIP: "10.96.0.9", ports: [{ ...http, nodePort: 30005 }] });
    const back = store(allocator, { type: "ClusterIP", ports: [http] }, named);
    expect(back.spec?.clusterIPs?.[0]).toMatch(/^10\.96\.0\./);
  });

  test("from NodePort to ClusterIP frees the node port", () => {
    const allocator = cluster();
    const first = store(allocator, { type: "NodePort", ports: [{ ...http, nodePort: 30005 }] });
    expect(store(allocator, { ...draft(first.spec ?? {}), type: "ClusterIP" }, first).spec?.ports?.[0]).not.toHaveProperty("nodePort");
    store(allocator, { type: "NodePort", ports: [{ ...http, nodePort: 30005 }] });
  });

  test("that fails leaves the old allocation as it was", () => {
    const allocator = cluster();
    const first = store(allocator, { type: "NodePort", ports: [{ ...http, nodePort: 30005 }] });
    write(allocator, { ...draft(first.spec ?? {}), type: "ClusterIP" }, first).allocation?.revert();
    expect(faults(write(allocator, { type: "NodePort", ports: [{ ...http, nodePort: 30005 }] }))).toHaveLength(1);
  });

  test("of the address is refused", () => {
    const allocator = cluster();
    const first = store(allocator, { ports: [http], clusterIP: "10.96.0.9" });
    expect(faults(write(allocator, { ports: [http], clusterIP: "10.96.0.10" }, first))).toEqual([
      'spec.clusterIPs[0]: Invalid value: ["10.96.0.10"]: may not change once set',
    ]);
  });
});

test("a restart takes what is stored, and a delete gives it back", () => {
  const stored = store(cluster(), { type: "NodePort", clusterIP: "10.96.0.9", ports: [{ ...http, nodePort: 30005 }] });
  const allocator = cluster();
  expect(allocator.adopt(stored)).toEqual([]);
  expect(allocator.adopt(stored)).toEqual([
    "service default/web: clusterIP 10.96.0.9 is also held by another service",
    "service default/web: nodePort 30005: provided port is already allocated",
  ]);
  expect(faults(write(allocator, { ports: [http], clusterIP: "10.96.0.9" }))).toHaveLength(1);
  allocator.release(stored);
  store(allocator, { type: "NodePort", clusterIP: "10.96.0.9", ports: [{ ...http, nodePort: 30005 }] });
  expect(allocator.kubernetesClusterIp).toBe("10.96.0.1");
});

describe("over any history", () => {
  const port = fc.record({
    name: fc.constantFrom("a", "b", "c"),
    port: fc.constantFrom(53, 80, 81),
    protocol: fc.constantFrom("TCP", "UDP"),
    nodePort: fc.constantFrom(0, 0, 30001, 30002, 8080),
  });
  const spec: fc.Arbitrary<Draft<ServiceSpec>> = fc.record(
    {
      type: fc.constantFrom("ClusterIP", "NodePort", "LoadBalancer", "ExternalName"),
      externalName: fc.constant("example.com"),
      clusterIP: fc.constantFrom("", "None", "10.96.0.2", "10.96.0.3", "fd00::2", "10.97.0.1"),
      ipFamilies: fc.subarray(["IPv4", "IPv6"]),
      ipFamilyPolicy: fc.constantFrom("SingleStack", "PreferDualStack", "RequireDualStack"),
      externalTrafficPolicy: fc.constantFrom("Cluster", "Local"),
      healthCheckNodePort: fc.constantFrom(0, 30003),
      allocateLoadBalancerNodePorts: fc.boolean(),
      ports: fc.uniqueArray(port, { maxLength: 3, selector: ({ name }) => name }),
    },
    { requiredKeys: ["ports"] },
  );
  const step = fc.record({
    name: fc.constantFrom("a", "b", "c", "d"),
    do: fc.constantFrom("write", "write", "write", "merge", "delete", "dry"),
    spec,
  });

  test("what is taken is what the stored Services hold, no more, no less", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), fc.boolean(), (steps, dual) => {
        const ranges = dual ? ["10.96.0.0/28", "fd00::/124"] : ["10.96.0.0/28"];
        const allocator = cluster(...ranges);
        const services = new Map<string, Service>();
        for (const each of steps) {
          const old = services.get(each.name);
          if (each.do === "delete") {
            if (old !== undefined) allocator.release(old);
            services.delete(each.name);
            continue;
          }
          const given = each.do === "merge" ? ({ ...draft(old?.spec ?? {}), ...each.spec } as Draft<ServiceSpec>) : each.spec;
          try {
            const prepared = write(allocator, given, old);
            if (prepared.errors.length > 0) expect(prepared.allocation).toBeUndefined();
            else if (each.do === "dry") prepared.allocation?.revert();
            else {
              prepared.allocation?.commit();
              services.set(each.name, deepFreeze(prepared.object) as Service);
            }
          } catch (error) {
            expect(String(error)).toMatch(/range is full|failed to allocate requested HealthCheck NodePort/);
          }
        }
        const restarted = cluster(...ranges);
        expect([...services.values()].flatMap((service) => restarted.adopt(service))).toEqual([]);
        expect(allocator.free).toEqual(restarted.free);
      }),
      { numRuns: 300 },
    );
  });
});
