import { expect, test } from "vitest";
import type { EndpointSlice, Service } from "../../../api/types.ts";
import { planService, type ServicePlan } from "../../../decide/proxy/index.ts";
import { node } from "../../../decide/proxy/render/arbitrary.cases.ts";
import { readListing } from "../../../decide/proxy/render/iptables/listing.ts";
import { fakeIptables, type FakeIptables } from "../../../host/iptables/fake.ts";
import { MetricsRegistry } from "../../../lib/metrics.ts";
import { iptablesMetrics } from "../../mode-metrics.ts";
import { healsPerFullSync, IptablesBackend } from "./apply.ts";
import { cleanup } from "./cleanup.ts";

function plan(name: string, n: number, endpoints: readonly number[]): ServicePlan {
  const service = { metadata: { namespace: "shop", name }, spec: { clusterIP: `10.96.0.${n}`, ports: [{ port: 80 }] } } as Service;
  const slice: EndpointSlice = {
    metadata: { namespace: "shop", name: `${name}-1`, labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv4",
    endpoints: endpoints.map((host) => ({ addresses: [`10.244.1.${host}`] })),
    ports: [{ port: 8080, protocol: "TCP" }],
  };
  return planService(service, [slice], node);
}

async function chains(iptables: FakeIptables, table: "filter" | "nat"): Promise<readonly string[]> {
  return readListing(await iptables.save(4)).chains[table];
}

function start() {
  const iptables = fakeIptables();
  return { iptables, backend: new IptablesBackend({ iptables, node, families: [4] }) };
}

test("a partial sync leaves what a fresh proxy would make", async () => {
  const { iptables, backend } = start();
  await backend.apply("shop/a", plan("a", 1, [1, 2]));
  await backend.apply("shop/b", plan("b", 2, [3]));
  await backend.apply("shop/a", plan("a", 1, [2]));
  await backend.apply("shop/c", plan("c", 3, []));
  await backend.apply("shop/b", undefined);
  const fresh = start();
  await fresh.backend.applyAll([
    { key: "shop/c", plan: plan("c", 3, []) },
    { key: "shop/a", plan: plan("a", 1, [2]) },
  ]);
  for (const table of ["filter", "nat"] as const) {
    expect(iptables.list(4, table)).toEqual(fresh.iptables.list(4, table));
    expect(await chains(iptables, table)).toHaveLength((await chains(fresh.iptables, table)).length);
  }
  expect(backend.served).toBe(2);
});

test("a change sends its own Service's chains and no other's", async () => {
  const { iptables, backend } = start();
  await backend.applyAll([1, 2, 3].map((n) => ({ key: `shop/s${n}`, plan: plan(`s${n}`, n, [n]) })));
  await backend.apply("shop/s2", plan("s2", 2, [9]));
  expect(iptables.restored).toHaveLength(2);
  expect(iptables.restored[1]?.match(/--to-destination \S+/g)).toEqual(["--to-destination 10.244.1.9:8080"]);
});

test("an earlier proxy's chains are taken over, and those of Services that are gone removed", async () => {
  const { iptables, backend } = start();
  await backend.applyAll([1, 2].map((n) => ({ key: `shop/s${n}`, plan: plan(`s${n}`, n, [n]) })));
  const next = new IptablesBackend({ iptables, node, families: [4] });
  await next.apply("shop/s2", plan("s2", 2, [2]));
  const fresh = start();
  await fresh.backend.apply("shop/s2", plan("s2", 2, [2]));
  expect(iptables.list(4, "nat")).toEqual(fresh.iptables.list(4, "nat"));
  expect(await chains(iptables, "nat")).toHaveLength((await chains(fresh.iptables, "nat")).length);
});

test("rules of others stand, below ours", async () => {
  const { iptables, backend } = start();
  await iptables.restore(4, "*nat\n:MINE - [0:0]\n-A PREROUTING -j ACCEPT\n-A MINE -j RETURN\nCOMMIT\n");
  await backend.apply("shop/a", plan("a", 1, [1]));
  const prerouting = iptables.list(4, "nat").filter((line) => line.startsWith("-A PREROUTING"));
  expect(prerouting.map((line) => line.split(" ").at(-1))).toEqual(["KUBE-SERVICES", "ACCEPT"]);
  await cleanup(iptables, [4]);
  expect(iptables.list(4, "nat")).toEqual(["-A MINE -j RETURN", "-A PREROUTING -j ACCEPT"]);
  expect((await chains(iptables, "filter")).filter((name) => name.startsWith("KUBE"))).toEqual([]);
});

test("what somebody flushed is set up again, once", async () => {
  const { iptables, backend } = start();
  expect(await backend.heal()).toBe(false);
  await backend.apply("shop/a", plan("a", 1, [1]));
  const rules = iptables.list(4, "nat");
  expect(await backend.heal()).toBe(false);
  iptables.flush();
  expect(await backend.heal()).toBe(true);
  expect(iptables.list(4, "nat")).toEqual(rules);
  await iptables.restore(4, '*nat\n-D PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES\nCOMMIT\n');
  expect(await backend.heal()).toBe(true);
  expect(iptables.list(4, "nat")).toEqual(rules);
});

test("a single rule that somebody took, or put in, is found by the next look; and without one everything is written anew", async () => {
  const { iptables, backend } = start();
  await backend.apply("shop/a", plan("a", 1, [1]));
  const rules = iptables.list(4, "nat");
  await iptables.restore(4, "*nat\n:KUBE-MARK-MASQ - [0:0]\nCOMMIT\n");
  expect(iptables.list(4, "nat")).not.toEqual(rules);
  expect(await backend.heal()).toBe(true);
  expect(iptables.list(4, "nat")).toEqual(rules);
  await iptables.restore(4, "*nat\n-A KUBE-SERVICES -j RETURN\nCOMMIT\n");
  expect(await backend.heal()).toBe(true);
  expect(iptables.list(4, "nat")).toEqual(rules);
  const restored = iptables.restored.length;
  for (let i = 3; i < healsPerFullSync; i++) expect(await backend.heal()).toBe(false);
  expect(iptables.restored).toHaveLength(restored);
  expect(await backend.heal()).toBe(false);
  expect(iptables.restored).toHaveLength(restored + 1);
});

test("after a refused restore the next one is full, and other Services are served", async () => {
  const { iptables, backend } = start();
  await backend.apply("shop/a", plan("a", 1, [1]));
  iptables.refuseNext("line 7 failed");
  const changes = [2, 3].map((n) => ({ key: `shop/s${n}`, plan: plan(`s${n}`, n, [n]) }));
  expect((await backend.applyAll(changes)).map(({ kind }) => kind)).toEqual(["applied", "applied"]);
  iptables.refuseNext("line 7 failed");
  expect(await backend.applyAll([{ key: "shop/b", plan: plan("b", 4, [4]) }])).toMatchObject([{ key: "shop/b", kind: "failed" }]);
  expect(backend.served).toBe(3);
  await backend.apply("shop/b", plan("b", 4, [4]));
  expect(iptables.restored.at(-1)?.match(/--to-destination/g)).toHaveLength(4);
});

test("dial tells what is not served, and what refuses", async () => {
  const { backend } = start();
  await backend.apply("shop/a", plan("a", 1, [1]));
  expect(await backend.dial({ ip: "10.96.0.1", port: 81, protocol: "TCP" })).toEqual({ kind: "unknown" });
  expect(await backend.dial({ ip: "10.96.0.1", port: 80, protocol: "TCP" })).toMatchObject({
    kind: "refused",
    reason: "AllEndpointsFailed",
  });
});

test("kube-proxy's metrics of rules", async () => {
  const registry = new MetricsRegistry();
  const iptables = fakeIptables();
  const backend = new IptablesBackend({ iptables, node, families: [4], metrics: iptablesMetrics(registry) });
  await backend.apply("shop/a", plan("a", 1, [1, 2]));
  const value = (name: string) => Number(new RegExp(`^${name.replace(/[{}]/g, "\\$&")} (\\S+)$`, "m").exec(registry.text())?.[1]);
  const total = value('kubeproxy_sync_proxy_rules_iptables_total{table="nat",ip_family="IPv4"}');
  expect(total).toBe(iptables.list(4, "nat").filter((line) => line.startsWith("-A KUBE-")).length);
  await backend.apply("shop/b", plan("b", 2, [3]));
  expect(value('kubeproxy_sync_proxy_rules_iptables_total{table="nat",ip_family="IPv4"}')).toBeGreaterThan(total);
  iptables.refuseNext("no");
  await backend.applyAll([{ key: "shop/c", plan: plan("c", 3, [4]) }]);
  expect(value('kubeproxy_sync_proxy_rules_iptables_partial_restore_failures_total{ip_family="IPv4"}')).toBe(1);
});
