import { expect, test } from "vitest";
import type { KubeObject } from "../api/object.ts";
import type { EndpointSlice, Service } from "../api/types.ts";
import type { EventHandlers, InformerFactory } from "../client/informer.ts";
import { fakeNftables } from "../host/nftables/fake.ts";
import { FakeClock } from "../lib/clock.ts";
import { silentLogger } from "../lib/log.ts";
import { MetricsRegistry } from "../lib/metrics.ts";
import { createProxy, type Proxy } from "./proxy.ts";

const service: Service = {
  metadata: { namespace: "default", name: "web" },
  spec: { clusterIP: "10.96.0.1", clusterIPs: ["10.96.0.1"], ports: [{ port: 80, protocol: "TCP" }] },
};
const slice: EndpointSlice = {
  metadata: { namespace: "default", name: "web-1", labels: { "kubernetes.io/service-name": "web" } },
  addressType: "IPv4",
  endpoints: [{ addresses: ["10.244.1.1"], conditions: { ready: true } }],
  ports: [{ name: "", port: 8080, protocol: "TCP" }],
};

/** Informers that have one Service and its slice. */
const informers = {
  informer: ({ plural }: { plural: string }) => ({
    waitForSync: async () => {},
    addHandlers: (handlers: EventHandlers<KubeObject>) => {
      handlers.added?.(plural === "services" ? service : slice, true);
      return () => {};
    },
  }),
} as unknown as InformerFactory;

/** Lets the proxy do what is due, on a clock that only this moves. */
async function settle(proxy: Proxy, clock: FakeClock): Promise<void> {
  const turn = () => new Promise((next) => setImmediate(next, "turn"));
  const settled = proxy.settled();
  while ((await Promise.race([settled, turn()])) === "turn") clock.advance(0);
}

test("rules that somebody has flushed are back after ten seconds, without any change of a Service", async () => {
  const clock = new FakeClock();
  const kernel = fakeNftables();
  const metrics = new MetricsRegistry();
  const proxy = createProxy({
    informers,
    clock,
    log: silentLogger,
    metrics,
    mode: "nftables",
    node: { name: "node-1", addresses: ["10.250.0.1"], nodePortAddresses: ["10.250.0.1"], clusterCIDRs: ["10.244.0.0/16"] },
    kernel: { nftables: kernel, serviceCIDRs: ["10.96.0.0/12"] },
  });
  await proxy.start();
  await settle(proxy, clock);
  expect(proxy.status()).toMatchObject({ mode: "nftables", services: 1, served: 1, problems: [] });
  const installed = kernel.dump();
  expect(installed).toContain("10.96.0.1 . tcp . 80");
  for (const family of ["ip", "ip6"] as const) kernel.commit([{ kind: "deleteTable", table: { family, name: "fairlead" } }]);
  const before = kernel.commits;
  clock.advance(9_000);
  for (let turns = 0; turns < 10; turns++) await new Promise((next) => setImmediate(next));
  expect(kernel.commits).toBe(before);
  clock.advance(1_000);
  while (kernel.dump() !== installed) {
    clock.advance(0);
    await new Promise((next) => setImmediate(next));
  }
  await settle(proxy, clock);
  await proxy.stop();
});
