/** The userspace backend alone, with one Service of TCP and UDP before endpoints on given ports. Prints its ports as JSON. */
import { planService, sourceClassifier, type PlanNode } from "../../../src/decide/proxy/index.ts";
import type { EndpointSlice, Service } from "../../../src/api/types.ts";
import { loadLibc } from "../../../src/host/syscalls/libc.ts";
import { realClock } from "../../../src/lib/clock.ts";
import { MetricsRegistry } from "../../../src/lib/metrics.ts";
import { EventLoop } from "../../../src/net/epoll/event-loop.ts";
import { UserspaceBackend } from "../../../src/proxy/backends/userspace/apply.ts";
import { proxyMetrics } from "../../../src/proxy/metrics.ts";
import { epollTransport, hostTransport } from "../../../src/proxy/transport.ts";

const [way = "epoll", tcp = "0", udp = "0", listenTcp = "0", listenUdp = "0"] = process.argv.slice(2);
const address = "127.0.0.1";
const ports = [
  { name: "stream", protocol: "TCP", port: Number(listenTcp), targetPort: Number(tcp) },
  { name: "datagrams", protocol: "UDP", port: Number(listenUdp), targetPort: Number(udp) },
];
const service = {
  metadata: { namespace: "bench", name: "web" },
  spec: { type: "ClusterIP", clusterIP: address, clusterIPs: [address], ipFamilies: ["IPv4"], ports },
} as unknown as Service;
const slice = {
  metadata: { namespace: "bench", name: "web-1", labels: { "kubernetes.io/service-name": "web" } },
  addressType: "IPv4",
  ports: ports.map(({ name, protocol, targetPort }) => ({ name, protocol, port: targetPort })),
  endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready: true }, nodeName: "node" }],
} as unknown as EndpointSlice;
const node: PlanNode = { name: "node", addresses: ["127.0.0.1"], nodePortAddresses: [] };

const libc = loadLibc();
if (way === "epoll" && libc === undefined) throw new Error("no FFI");
const loop = libc === undefined || way !== "epoll" ? undefined : new EventLoop(libc, realClock, 5);
loop?.start();
const backend = new UserspaceBackend({
  clock: realClock,
  metrics: proxyMetrics(new MetricsRegistry()),
  classify: sourceClassifier(node),
  hostAddresses: [],
  transport: loop === undefined ? hostTransport : epollTransport(loop),
});
const problems = await backend.apply("bench/web", planService(service, [slice], node));
for (const { message } of problems) process.stderr.write(`${message}\n`);
process.stdout.write(`${JSON.stringify([Number(listenTcp), Number(listenUdp)])}\n`);
