/** Ranges that come and go, with the API server's allocator and the controllers together. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { events, ipAddresses, serviceCidrs, services } from "../../api/resources.ts";
import { StatusError } from "../../api/status.ts";
import type { Service } from "../../api/types.ts";
import { realClock, type Clock } from "../../lib/clock.ts";
import { startPretendCluster, until, type PretendCluster } from "../pretend-cluster.cases.ts";

let cluster: PretendCluster;
/** Ten seconds pass in a tenth of one. */
const hasty: Clock = { ...bound(realClock), now: () => realClock.now(), after: (ms, act) => realClock.after(Math.min(ms, 100), act) };
let skew = 0;

function bound(clock: Clock): Clock {
  return { now: () => clock.now(), monotonic: () => clock.monotonic(), after: (ms, act) => clock.after(ms, act) } as Clock;
}

beforeEach(async () => {
  skew = 0;
  cluster = await startPretendCluster([], { serviceClusterIPRanges: ["127.96.0.0/16"] }, { ...hasty, now: () => realClock.now() + skew });
});
afterEach(() => cluster.stop());

const service = (name: string, clusterIP?: string): Service => ({
  metadata: { name, namespace: "default" },
  spec: { ports: [{ port: 80 }], ...(clusterIP === undefined ? {} : { clusterIP }) },
});
const isReady = async (name: string) => (await cluster.get(serviceCidrs, name)).status?.conditions?.[0]?.status === "True";

test("a range gives addresses from its creation on, and is held while they are in use", { timeout: 60_000 }, async () => {
  await expect(cluster.client.create(services, service("web", "127.111.0.9"))).rejects.toThrow(StatusError);
  await cluster.client.create(serviceCidrs, { metadata: { name: "extra" }, spec: { cidrs: ["127.111.0.0/28"] } });
  await cluster.client.create(services, service("web", "127.111.0.9"));
  await until(() => isReady("extra"));
  await until(async () => (await cluster.list(ipAddresses)).some(({ metadata }) => metadata.name === "127.111.0.9"));

  await cluster.client.delete(serviceCidrs, { name: "extra" });
  await until(async () => (await cluster.get(serviceCidrs, "extra")).status?.conditions?.[0]?.reason === "Terminating");
  await expect(cluster.client.create(services, service("late", "127.111.0.10"))).rejects.toThrow("does not match the current range");
  skew = 60_000;
  expect((await cluster.get(services, "web")).spec?.clusterIP).toBe("127.111.0.9");
  await cluster.client.delete(services, { namespace: "default", name: "web" });
  await until(() => cluster.isGone(serviceCidrs, "extra"));
});

test("an IPAddress that somebody made keeps its address; one that somebody removed comes back", { timeout: 60_000 }, async () => {
  const parentRef = { resource: "gateways", group: "gateway.networking.k8s.io", namespace: "default", name: "mine" };
  await cluster.client.create(ipAddresses, { metadata: { name: "127.96.0.20" }, spec: { parentRef } });
  await expect(cluster.client.create(services, service("web", "127.96.0.20"))).rejects.toThrow("provided IP is already allocated");

  await cluster.client.create(services, service("web", "127.96.0.21"));
  const isThere = async () => (await cluster.list(ipAddresses)).some(({ metadata }) => metadata.name === "127.96.0.21");
  await until(isThere);
  await cluster.client.delete(ipAddresses, { name: "127.96.0.21" });
  await until(async () => (await cluster.list(events, "default")).some(({ reason }) => reason === "ClusterIPNotAllocated"));
  await until(isThere);
});
