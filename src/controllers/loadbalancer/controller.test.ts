/** The controller over a client and informers: what the API shows in the end. */
import { afterEach, beforeEach, expect, test } from "vitest";
import * as resources from "../../api/resources.ts";
import { events, services } from "../../api/resources.ts";
import type { Service } from "../../api/types.ts";
import { isNotFound } from "../../api/status.ts";
import type { ApiServer } from "../../apiserver/server-options.ts";
import { createApiServer } from "../../apiserver/server.ts";
import type { Client } from "../../client/client.ts";
import { createEventRecorder } from "../../client/event-recorder-impl.ts";
import { inProcessTransport } from "../../client/in-process.ts";
import { createInformerFactory } from "../../client/informer-factory.ts";
import { createClient } from "../../client/rest.ts";
import { realClock } from "../../lib/clock.ts";
import { createLogger } from "../../lib/log.ts";
import { createMemoryBackend } from "../../storage/memory/memory-backend.ts";
import { createLoadBalancerController } from "./controller.ts";
import { createPoolProvider, sharingAnnotation } from "./pool.ts";
import type { LoadBalancerProvider } from "./provider.ts";
import { cleanupFinalizer } from "./reconcile.ts";

const namespace = "default";
let server: ApiServer;
let client: Client;
let complaints: string[];
let stop: () => Promise<void>;

beforeEach(async () => {
  complaints = [];
  server = createApiServer({ backend: createMemoryBackend(), serviceClusterIPRanges: ["10.96.0.0/16"] });
  await server.start();
  client = createClient(inProcessTransport(server, { name: "admin", groups: ["system:masters"] }), { fieldManager: "controllers" });
  stop = async () => {};
});

afterEach(async () => {
  await stop();
  await server.stop();
  expect(complaints).toEqual([]);
});

async function start(...providers: readonly LoadBalancerProvider[]): Promise<void> {
  const log = createLogger({ level: "warn", write: (line) => complaints.push(line) });
  const informers = createInformerFactory(client, { clock: realClock, log });
  const recorder = (component: string) => createEventRecorder(client, component, { clock: realClock });
  const controller = createLoadBalancerController(
    { client, informers, recorder, clock: realClock, log, random: Math.random, options: {} },
    providers,
  );
  await controller.start();
  informers.start();
  stop = async () => {
    await controller.stop();
    await informers.stop();
  };
}

const pool = (cidr = "127.97.128.0/29") => createPoolProvider({ cidrs: [cidr], ipMode: "Proxy" });
const create = (name: string, spec: Partial<NonNullable<Service["spec"]>> = {}, annotations: Record<string, string> = {}) =>
  client.create(services, { metadata: { name, namespace, annotations }, spec: { type: "LoadBalancer", ports: [{ port: 80 }], ...spec } });
const get = (name: string) => client.get(services, { namespace, name });
const ipOf = async (name: string) => (await get(name)).status?.loadBalancer?.ingress?.[0]?.ip;

/** Looks again until it holds; the test's own time limit ends it. */
async function until<T>(look: () => Promise<T | undefined | false>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
const eventOf = (name: string, reason: string) =>
  until(async () =>
    (await client.list(events, { namespace })).items.find((event) => event.involvedObject.name === name && event.reason === reason),
  );

test("each Service gets an address of its own, and the next takes what one gave back", { timeout: 60_000 }, async () => {
  await start(pool("127.97.128.0/30"));
  await create("a");
  await create("b");
  await create("c");
  await until(async () => (await ipOf("a")) !== undefined && (await ipOf("b")) !== undefined);
  expect((await get("a")).status?.loadBalancer).toEqual({ ingress: [{ ip: "127.97.128.1", ipMode: "Proxy" }] });
  expect((await get("a")).metadata.finalizers).toEqual([cleanupFinalizer]);
  expect((await eventOf("c", "SyncLoadBalancerFailed")).message).toContain("no free IPv4 address");
  await client.delete(services, { namespace, name: "a" });
  await until(async () => (await ipOf("c")) === "127.97.128.1");
  await expect(get("a")).rejects.toSatisfy(isNotFound);
  await eventOf("c", "EnsuredLoadBalancer");
});

test("a restart keeps addresses, those of Services that come late in the list too", { timeout: 60_000 }, async () => {
  await start(pool());
  for (const name of ["z", "y"]) {
    await create(name);
    await until(() => ipOf(name));
  }
  await stop();
  await create("a");
  await start(pool());
  await until(() => ipOf("a"));
  expect([await ipOf("z"), await ipOf("y"), await ipOf("a")]).toEqual(["127.97.128.1", "127.97.128.2", "127.97.128.3"]);
});

test("a change of type gives everything back; coming back gets it anew", { timeout: 60_000 }, async () => {
  await start(pool());
  await create("a");
  await until(() => ipOf("a"));
  const type = (value: string) =>
    client.patch(services, { namespace, name: "a" }, "application/merge-patch+json", { spec: { type: value } });
  await type("ClusterIP");
  await until(async () => (await get("a")).metadata.finalizers === undefined || (await get("a")).metadata.finalizers?.length === 0);
  expect((await get("a")).status?.loadBalancer ?? {}).toEqual({});
  await create("b");
  expect(await until(() => ipOf("b"))).toBe("127.97.128.1");
  await type("LoadBalancer");
  expect(await until(() => ipOf("a"))).toBe("127.97.128.2");
});

test("a certain address, sharing, and another implementation's class", { timeout: 60_000 }, async () => {
  await start(pool());
  await create("other", { loadBalancerClass: "example.com/cloud" });
  await create("asked", { loadBalancerIP: "127.97.128.5" }, { [sharingAnnotation]: "x" });
  expect(await until(() => ipOf("asked"))).toBe("127.97.128.5");
  await create("refused", { loadBalancerIP: "127.97.128.5" });
  expect((await eventOf("refused", "SyncLoadBalancerFailed")).message).toContain("belongs to Service default/asked");
  await create("shares", { ports: [{ port: 443 }] }, { [sharingAnnotation]: "x" });
  expect(await until(() => ipOf("shares"))).toBe("127.97.128.5");
  expect((await get("other")).metadata.finalizers ?? []).toEqual([]);
  expect(await ipOf("other")).toBeUndefined();
  // What `asked` gives up, the one that waited gets.
  await client.delete(services, { namespace, name: "asked" });
  await client.delete(services, { namespace, name: "shares" });
  expect(await until(() => ipOf("refused"))).toBe("127.97.128.5");
});

test("a provider that fails is asked again; one that cares hears of nodes", { timeout: 60_000 }, async () => {
  const calls: string[] = [];
  let failures = 1;
  const cloud: LoadBalancerProvider = {
    name: "cloud",
    classes: [""],
    adopt: () => {},
    ensure: async (service, nodes) => {
      calls.push(`ensure ${service.metadata.name} ${nodes.join()}`);
      if (failures-- > 0) throw new Error("quota");
      return { kind: "ready", ingress: [{ hostname: "lb.example.com" }] };
    },
    update: async (service, nodes) => void calls.push(`update ${service.metadata.name} ${nodes.join()}`),
    delete: async (key) => void calls.push(`delete ${key}`),
    takeReleased: () => [],
  };
  await start(cloud);
  await client.create(services, { metadata: { name: "plain", namespace }, spec: { ports: [{ port: 80 }] } });
  await create("a");
  await until(async () => (await get("a")).status?.loadBalancer?.ingress?.[0]?.hostname === "lb.example.com");
  expect((await eventOf("a", "SyncLoadBalancerFailed")).message).toContain("quota");
  await client.create(resources.nodes, { metadata: { name: "node-1" } });
  await until(async () => calls.includes("update a node-1"));
  await client.delete(services, { namespace, name: "a" });
  await until(async () => calls.includes("delete default/a"));
  expect(calls.filter((call) => call.includes("plain"))).toEqual([]);
  complaints = complaints.filter((line) => !line.includes("error=quota"));
});
