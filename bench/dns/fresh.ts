/** How soon a change of the cluster is in the answer, and what an index of a large cluster weighs. See README.md. */
import { createSocket, type Socket } from "node:dgram";
import { parseArgs } from "node:util";
import { endpointSlices, namespaces, pods, services, type Resource } from "../../src/api/resources.ts";
import type { EndpointSlice } from "../../src/api/types.ts";
import type { InformerFactory } from "../../src/client/informer.ts";
import { FakeInformer } from "../../src/controllers/fake-informer.ts";
import { recordTypes } from "../../src/decide/dns/records.ts";
import { createDnsServer } from "../../src/dns/server/server.ts";
import { decode } from "../../src/dns/wire/decode.ts";
import { encode } from "../../src/dns/wire/encode.ts";
import { createQuery } from "../../src/dns/wire/message.ts";
import { realClock } from "../../src/lib/clock.ts";
import { silentLogger } from "../../src/lib/log.ts";
import { MetricsRegistry } from "../../src/lib/metrics.ts";

const { values } = parseArgs({ options: { services: { type: "string" }, endpoints: { type: "string" }, changes: { type: "string" } } });
const [count, each, changes] = [Number(values.services ?? 10_000), Number(values.endpoints ?? 10), Number(values.changes ?? 500)];

const cluster = {
  namespaces: new FakeInformer(namespaces),
  services: new FakeInformer(services),
  endpointSlices: new FakeInformer(endpointSlices),
  pods: new FakeInformer(pods),
};
const informers = {
  informer: (resource: Resource) => Object.values(cluster).find((one) => (one.resource as Resource) === resource),
} as unknown as InformerFactory;

const address = (service: number, endpoint: number, round = 0) => `10.${(service >> 8) & 255}.${service & 255}.${(endpoint + round) % 256}`;

function slice(service: number, round = 0): EndpointSlice {
  return {
    metadata: { name: `svc-${service}-a`, namespace: "shop", labels: { "kubernetes.io/service-name": `svc-${service}` } },
    addressType: "IPv4",
    endpoints: Array.from({ length: each }, (_, i) => ({ addresses: [address(service, i, round)], conditions: { ready: true } })),
    ports: [{ name: "http", port: 80, protocol: "TCP" }],
  };
}

function ask(socket: Socket, port: number, name: string): Promise<readonly string[]> {
  const bytes = encode(createQuery(name, recordTypes.A, { id: 1 }));
  return new Promise((resolve) => {
    socket.once("message", (packet) => {
      const decoded = decode(packet);
      resolve(decoded.kind === "ok" ? decoded.message.answers.map(({ data }) => (data.kind === "address" ? data.address : "")) : []);
    });
    socket.send(bytes, port, "127.0.0.1");
  });
}

/** From the watch event to the first answer that shows it, in ms. */
async function delays(batch: boolean): Promise<readonly number[]> {
  const server = createDnsServer({
    corefile: ". {\nkubernetes cluster.local\n}\n",
    file: "Corefile",
    plugins: { kubernetes: { informers, localAddresses: [] } },
    listen: () => [{ host: "127.0.0.1", port: 0 }],
    httpPort: () => undefined,
    batch,
    clock: realClock,
    log: silentLogger,
    metrics: new MetricsRegistry(),
  });
  await server.start();
  const port = [...server.addresses().values()][0]?.port ?? 0;
  const socket = createSocket("udp4");
  const took: number[] = [];
  for (let i = 0; i < changes; i++) {
    const service = Math.floor((i * count) / changes);
    const name = `svc-${service}.shop.svc.cluster.local.`;
    await ask(socket, port, name); // it is known, and kept
    const wanted = address(service, 0, 100 + (i % 100));
    const began = performance.now();
    cluster.endpointSlices.show(slice(service, 100 + (i % 100)));
    while (!(await ask(socket, port, name)).includes(wanted));
    took.push(performance.now() - began);
  }
  socket.close();
  await server.stop();
  return took.toSorted((a, b) => a - b);
}

const before = process.memoryUsage().rss;
cluster.namespaces.show({ metadata: { name: "shop" } });
for (let i = 0; i < count; i++) {
  cluster.services.show({
    metadata: { name: `svc-${i}`, namespace: "shop" },
    spec: { clusterIP: "None", clusterIPs: ["None"], ports: [{ name: "http", port: 80 }] },
  });
  cluster.endpointSlices.show(slice(i));
}
console.log(`${count} Services, ${count * each} endpoints`);
for (const batch of [false, true]) {
  const took = await delays(batch);
  const at = (part: number) => (took[Math.floor(took.length * part)] ?? 0).toFixed(2);
  console.log(
    `${batch ? "batch thread" : "dgram       "}: from the event to the answer p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, at most ${at(0.9999)} ms (one question's way included)`,
  );
}
console.log(
  `memory: ${Math.round(process.memoryUsage().rss / 2 ** 20)} MB in all, ${Math.round(before / 2 ** 20)} before the objects; objects of the informers and the index`,
);
