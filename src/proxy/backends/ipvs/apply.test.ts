import { expect, test } from "vitest";
import type { EndpointSlice, Service } from "../../../api/types.ts";
import { planService, type ServicePlan } from "../../../decide/proxy/index.ts";
import { node } from "../../../decide/proxy/render/arbitrary.cases.ts";
import { ipvsadmLines } from "../../../decide/proxy/render/ipvs/text.ts";
import { fakeDummyLink } from "../../../host/ipvs/dummy-link.ts";
import { fakeIpset } from "../../../host/ipset/fake.ts";
import { readListing } from "../../../decide/proxy/render/iptables/listing.ts";
import { fakeIptables } from "../../../host/iptables/fake.ts";
import { fakeIpvs } from "../../../host/ipvs/fake.ts";
import { FakeClock } from "../../../lib/clock.ts";
import { IpvsBackend, healsPerComparison, type IpvsBackendKernelOptions } from "./apply.ts";
import { cleanup } from "./cleanup.ts";
import { KernelReader } from "./reader.ts";

type Options = Partial<Omit<IpvsBackendKernelOptions, "kernel">>;

function plan(
  name: string,
  n: number,
  endpoints: readonly number[],
  options: { readonly protocol?: "TCP" | "UDP"; readonly externalIP?: string } = {},
): ServicePlan {
  const { protocol = "TCP", externalIP } = options;
  const spec = { clusterIP: `10.96.0.${n}`, ports: [{ port: 80, protocol }], externalIPs: externalIP === undefined ? [] : [externalIP] };
  const service = { metadata: { namespace: "shop", name }, spec } as unknown as Service;
  const slice: EndpointSlice = {
    metadata: { namespace: "shop", name: `${name}-1`, labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv4",
    endpoints: endpoints.map((host) => ({ addresses: [`10.244.1.${host}`] })),
    ports: [{ port: 8080, protocol }],
  };
  return planService(service, [slice], node);
}

function kernelOf() {
  const settings = new Map<string, string>();
  const kernel = {
    ipvs: fakeIpvs(),
    ipset: fakeIpset(),
    link: fakeDummyLink(),
    iptables: fakeIptables(),
    setting: async (name: string, value: string) => void settings.set(name, value),
  };
  return { kernel, settings };
}

function start({ kernel, settings } = kernelOf(), options: Options = {}) {
  const clock = new FakeClock();
  const backend = new IpvsBackend({ kernel, node, clock, families: [4], ...options });
  const table = () => {
    const reader = new KernelReader(kernel, []);
    return ipvsadmLines(reader.servers().map((server) => ({ ...server, realServers: reader.realServers(server) }))).toSorted();
  };
  return { kernel, settings, clock, backend, table };
}

test("a change leaves what a fresh proxy would make", async () => {
  const { backend, kernel, table } = start();
  await backend.apply("shop/a", plan("a", 1, [1, 2]));
  await backend.apply("shop/b", plan("b", 2, [3]));
  await backend.apply("shop/a", plan("a", 1, [2], { externalIP: "192.0.2.7" }));
  await backend.apply("shop/b", undefined);
  const fresh = start();
  await fresh.backend.apply("shop/a", plan("a", 1, [2], { externalIP: "192.0.2.7" }));
  // 10.244.1.1 drains.
  expect(table()).toEqual([...fresh.table(), "-a -t 10.96.0.1:80 -r 10.244.1.1:8080 -m -w 0"].toSorted());
  expect([...kernel.link.bound].sort()).toEqual([...fresh.kernel.link.bound].sort());
  for (const [name, entries] of fresh.kernel.ipset.sets)
    expect([name, [...(kernel.ipset.sets.get(name) ?? [])].sort()]).toEqual([name, [...entries].sort()]);
  for (const name of ["filter", "nat"]) expect(kernel.iptables.list(4, name)).toEqual(fresh.kernel.iptables.list(4, name));
  expect(backend.served).toBe(2);
});

test("a change costs its own commands, and rules only where a set becomes empty or is filled", async () => {
  const { backend, kernel } = start();
  await backend.applyAll([1, 2, 3].map((n) => ({ key: `shop/s${n}`, plan: plan(`s${n}`, n, [n]) })));
  const [commands, restores] = [kernel.ipvs.commands.length, kernel.iptables.restored.length];
  await backend.apply("shop/s2", plan("s2", 2, [2, 9]));
  expect(kernel.ipvs.commands.slice(commands)).toMatchObject([{ kind: "addDestination", destination: { ip: "10.244.1.9" } }]);
  expect(kernel.iptables.restored).toHaveLength(restores);
  await backend.apply("shop/s2", plan("s2", 2, [2], { externalIP: "192.0.2.7" }));
  expect(kernel.iptables.restored).toHaveLength(restores + 1);
});

test("a real server goes when its last connection has ended, and a UDP one at once", async () => {
  const { backend, kernel, clock, table } = start();
  const server = { address: "10.96.0.1", port: 80, protocol: "TCP" } as const;
  await backend.applyAll([
    { key: "shop/a", plan: plan("a", 1, [1, 2]) },
    { key: "shop/d", plan: plan("d", 2, [1, 2], { protocol: "UDP" }) },
  ]);
  kernel.ipvs.connect(server, "10.244.1.1", 3);
  await backend.applyAll([
    { key: "shop/a", plan: plan("a", 1, [2]) },
    { key: "shop/d", plan: plan("d", 2, [2], { protocol: "UDP" }) },
  ]);
  const draining = "-a -t 10.96.0.1:80 -r 10.244.1.1:8080 -m -w 0";
  expect(table()).toContain(draining);
  expect(table().filter((line) => line.startsWith("-a -u"))).toEqual(["-a -u 10.96.0.2:80 -r 10.244.1.2:8080 -m -w 1"]);
  clock.advance(10_000);
  expect(table()).toContain(draining);
  kernel.ipvs.connect(server, "10.244.1.1", 0);
  clock.advance(10_000);
  expect(table()).not.toContain(draining);
  expect(backend.draining).toBe(0);
});

test("an endpoint that returns while it drains is used again, and stays", async () => {
  const { backend, kernel, clock, table } = start();
  await backend.apply("shop/a", plan("a", 1, [1, 2]));
  kernel.ipvs.connect({ address: "10.96.0.1", port: 80, protocol: "TCP" }, "10.244.1.1", 1);
  await backend.apply("shop/a", plan("a", 1, [2]));
  await backend.apply("shop/a", plan("a", 1, [1, 2]));
  kernel.ipvs.connect({ address: "10.96.0.1", port: 80, protocol: "TCP" }, "10.244.1.1", 0);
  clock.advance(20_000);
  expect(
    table()
      .filter((line) => line.startsWith("-a"))
      .map((line) => line.slice(-1)),
  ).toEqual(["1", "1"]);
});

test("an earlier proxy's table is taken over: what is right is not touched, what is not wanted goes when all Services are there", async () => {
  const first = start();
  await first.backend.applyAll([1, 2].map((n) => ({ key: `shop/s${n}`, plan: plan(`s${n}`, n, [n, 7]) })));
  const next = start({ kernel: first.kernel, settings: first.settings });
  const before = first.kernel.ipvs.commands.length;
  await next.backend.apply("shop/s2", plan("s2", 2, [2]));
  // Of its own Service at once, before any packet could go to an endpoint that has left.
  expect(first.kernel.ipvs.commands.slice(before)).toMatchObject([
    { kind: "setDestination", destination: { ip: "10.244.1.7", weight: 0 } },
  ]);
  expect(next.table()).toContain("-A -t 10.96.0.1:80 -s rr");
  await next.backend.completed();
  expect(next.table().filter((line) => line.startsWith("-A"))).toEqual(["-A -t 10.96.0.2:80 -s rr"]);
  expect([...first.kernel.link.bound]).toEqual(["10.96.0.2"]);
  expect([...(first.kernel.ipset.sets.get("KUBE-CLUSTER-IP") ?? [])]).toEqual(["10.96.0.2,tcp:80"]);
});

test("virtual servers of others stay where excludeCIDRs says so", async () => {
  const { backend, kernel, table } = start(undefined, { excludeCIDRs: ["192.168.0.0/16"] });
  for (const address of ["192.168.1.1", "172.16.0.1"])
    kernel.ipvs.run([{ kind: "addService", service: { address, port: 80, protocol: "TCP", scheduler: "wlc" } }]);
  await backend.apply("shop/a", plan("a", 1, []));
  await backend.completed();
  expect(table()).toEqual(["-A -t 10.96.0.1:80 -s rr", "-A -t 192.168.1.1:80 -s wlc"]);
});

test("what somebody took is set up again", async () => {
  const { backend, kernel, table } = start();
  await backend.apply("shop/a", plan("a", 1, [1]));
  await backend.completed();
  expect(await backend.heal()).toBe(false);
  const [rules, servers] = [kernel.iptables.list(4, "nat"), table()];
  kernel.iptables.flush();
  expect(await backend.heal()).toBe(true);
  expect(kernel.iptables.list(4, "nat")).toEqual(rules);
  kernel.link.remove();
  expect(await backend.heal()).toBe(true);
  expect([...kernel.link.bound]).toEqual(["10.96.0.1"]);
  kernel.ipvs.run([{ kind: "deleteService", service: { address: "10.96.0.1", port: 80, protocol: "TCP" } }]);
  let healed = false;
  for (let i = 0; i < healsPerComparison && !healed; i++) healed = await backend.heal();
  expect(healed).toBe(true);
  expect(table()).toEqual(servers);
});

test("what is refused is its own Service's failure, and is mended when all is compared", async () => {
  const { backend, kernel, table } = start();
  await backend.apply("shop/a", plan("a", 1, [1]));
  await backend.completed();
  kernel.ipvs.refuseNext("addService");
  const applied = await backend.applyAll([2, 3].map((n) => ({ key: `shop/s${n}`, plan: plan(`s${n}`, n, [n]) })));
  expect(applied.map(({ kind }) => kind)).toEqual(["failed", "applied"]);
  await backend.apply("shop/s2", plan("s2", 2, [2]));
  expect(table().filter((line) => line.startsWith("-a"))).toHaveLength(3);
});

test("the kernel is asked for what ipvs mode needs; strict ARP and time-outs where they are wanted", async () => {
  const { backend, kernel, settings } = start(undefined, { strictARP: true, timeouts: { tcp: 600, tcpFin: 0, udp: 30 } });
  await backend.apply("shop/a", plan("a", 1, [1]));
  expect(Object.fromEntries(settings)).toMatchObject({
    "net/ipv4/vs/conntrack": "1",
    "net/ipv4/vs/expire_nodest_conn": "1",
    "net/ipv4/conf/all/arp_ignore": "1",
    "net/ipv4/conf/all/arp_announce": "2",
  });
  expect(kernel.ipvs.timeouts()).toEqual({ tcp: 600, tcpFin: 120, udp: 30 });
});

test("an address that becomes the node's own is no longer bound, and the rules follow its ranges of pods", async () => {
  const { backend, kernel } = start();
  const external = () => plan("a", 1, [1], { externalIP: "192.0.2.7" });
  await backend.apply("shop/a", external());
  expect([...kernel.link.bound].sort()).toEqual(["10.96.0.1", "192.0.2.7"]);
  backend.setNode({ ...node, addresses: [...node.addresses, "192.0.2.7"], clusterCIDRs: ["10.9.0.0/16"] });
  await backend.apply("shop/a", external());
  expect([...kernel.link.bound]).toEqual(["10.96.0.1"]);
  expect(kernel.iptables.list(4, "nat").some((line) => line.includes("! -s 10.9.0.0/16 -j KUBE-MARK-MASQ"))).toBe(true);
});

test("cleanup leaves nothing of ours, and everything of others", async () => {
  const { backend, kernel, table } = start();
  await kernel.iptables.restore(4, "*nat\n:MINE - [0:0]\n-A PREROUTING -j ACCEPT\n-A MINE -j RETURN\nCOMMIT\n");
  await backend.apply("shop/a", plan("a", 1, [1]));
  await cleanup(kernel, [4]);
  expect([table(), [...kernel.ipset.sets], kernel.link.addresses()]).toEqual([[], [], undefined]);
  expect(kernel.iptables.list(4, "nat")).toEqual(["-A MINE -j RETURN", "-A PREROUTING -j ACCEPT"]);
  expect(readListing(await kernel.iptables.save(4)).chains.filter.filter((name) => name.startsWith("KUBE"))).toEqual([]);
});
