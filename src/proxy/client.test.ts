/** The proxy behind the real client: informers over an API, not handlers called by hand. */
import { connect, createServer } from "node:net";
import { afterEach, expect, test } from "vitest";
import { endpointSlices, services } from "../api/resources.ts";
import type { EndpointSlice } from "../api/types.ts";
import { createFakeApi } from "../client/fake-api.ts";
import { inProcessTransport } from "../client/in-process.ts";
import { createInformerFactory } from "../client/informer-factory.ts";
import { createClient } from "../client/rest.ts";
import { realClock } from "../lib/clock.ts";
import { silentLogger } from "../lib/log.ts";
import { MetricsRegistry } from "../lib/metrics.ts";
import { createProxy } from "./proxy.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Addresses of this process alone. */
const block = `127.${200 + ((process.pid >> 8) % 50)}.${process.pid & 255}`;
const [vip, pod, podPort, port] = [`${block}.4`, `${block}.5`, 28_080, 20_090] as const;

function code(): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, vip, () => {
      socket.destroy();
      resolve("connected");
    });
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code));
  });
}

async function until(what: () => Promise<boolean>): Promise<void> {
  while (!(await what())) await new Promise((resolve) => setImmediate(resolve));
}

test("what is in the API before the start and what is written later becomes live", async () => {
  const server = createServer((socket) => socket.end()).listen(podPort, pod);
  closing.push(() => server.close());
  const client = createClient(inProcessTransport(createFakeApi([services, endpointSlices]), { name: "proxy", groups: [] }), {
    fieldManager: "test",
  });
  const slice: EndpointSlice = {
    metadata: { namespace: "shop", name: "web-1", labels: { "kubernetes.io/service-name": "web" } },
    addressType: "IPv4",
    endpoints: [{ addresses: [pod], conditions: { ready: true } }],
    ports: [{ name: "", port: podPort, protocol: "TCP" }],
  };
  await client.create(services, {
    metadata: { namespace: "shop", name: "web" },
    spec: { clusterIP: vip, ports: [{ port, protocol: "TCP" }] },
  });
  let written = await client.create(endpointSlices, slice);

  const informers = createInformerFactory(client, { clock: realClock });
  closing.push(() => informers.stop());
  const node = { name: "node", addresses: [], nodePortAddresses: [] };
  const proxy = createProxy({ informers, node, clock: realClock, log: silentLogger, metrics: new MetricsRegistry() });
  closing.push(() => proxy.stop());
  await proxy.start();
  expect(proxy.ready()).toMatchObject({ ready: false });
  informers.start();
  await proxy.settled();
  expect(proxy.ready()).toEqual({ ready: true });
  expect(await code()).toBe("connected");

  written = await client.update(endpointSlices, { ...written, endpoints: [{ addresses: [pod], conditions: { ready: false } }] });
  await until(async () => (await code()) === "ECONNREFUSED");
  await client.update(endpointSlices, { ...written, endpoints: slice.endpoints });
  await until(async () => (await code()) === "connected");
  await client.delete(services, { namespace: "shop", name: "web" });
  await until(async () => (await code()) === "ECONNREFUSED");
  expect(proxy.plan().services).toEqual([]);
});
