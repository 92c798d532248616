/** Measures the ways into and out of the cluster's network against the host's loopback; see README.md beside this file. */
import { spawn } from "node:child_process";
import { Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { EndpointSlice, Service } from "../../src/api/types.ts";
import { endpointSlices, services } from "../../src/api/resources.ts";
import { createFakeApi } from "../../src/client/fake-api.ts";
import { inProcessTransport } from "../../src/client/in-process.ts";
import { createInformerFactory } from "../../src/client/informer-factory.ts";
import { createClient } from "../../src/client/rest.ts";
import { createLoadBalancerWayIn } from "../../src/cmd/way-in.ts";
import { createNamespaces } from "../../src/host/namespaces/create-namespaces.ts";
import type { PodNetwork } from "../../src/host/namespaces/namespaces.ts";
import { loadLibc } from "../../src/host/syscalls/libc.ts";
import { realClock } from "../../src/lib/clock.ts";
import { silentLogger } from "../../src/lib/log.ts";
import { MetricsRegistry } from "../../src/lib/metrics.ts";
import { createEgress } from "../../src/net/egress/egress.ts";
import { createKernelNat } from "../../src/net/egress/kernel-nat.ts";

const peer = join(import.meta.dirname, "peer.ts");
const [podIp, balancer, port] = ["10.244.1.2", "127.209.128.1", 18_080];

interface Figures {
  readonly p50: number;
  readonly p99: number;
  readonly perSecond: number;
  readonly mibPerSecond: number;
}

/** The first line of what a peer prints; the process is killed by `stop`. */
async function onHost(...args: string[]): Promise<{ readonly line: string; stop(): void }> {
  const child = spawn(process.execPath, [peer, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface({ input: child.stdout })) return { line, stop: () => void child.kill("SIGKILL") };
  throw new Error(`${args.join(" ")} said nothing`);
}

async function inPod(pod: PodNetwork, ...args: string[]): Promise<{ readonly line: string; stop(): void }> {
  const libc = loadLibc() as NonNullable<ReturnType<typeof loadLibc>>;
  const [reading, writing] = libc.pipe2(0);
  const process_ = await pod.spawn({
    program: process.execPath,
    args: [peer, ...args],
    env: {},
    directory: "/",
    user: { kind: "root" },
    stdio: [null, writing, null],
  });
  libc.close(writing);
  for await (const line of createInterface({ input: new Socket({ fd: reading }) })) return { line, stop: () => process_.signal("SIGKILL") };
  throw new Error(`${args.join(" ")} said nothing in the pod`);
}

const namespaces = await createNamespaces();
const node = await namespaces.createNode({ name: "node-1", index: 1, podCIDRs: ["10.244.1.0/24"] });
const pod = await node.addPod({ id: "pod", addresses: [podIp] });
const common = { clock: realClock, log: silentLogger, metrics: new MetricsRegistry() };
const clusterCIDRs = ["10.244.0.0/16", "10.250.0.0/24"];
const { fabric } = namespaces;
const egress = createEgress({ fabric, nat: await createKernelNat(fabric), clusterCIDRs, ...common });
await egress.start();

const service: Service = {
  metadata: { namespace: "default", name: "web" },
  spec: { type: "LoadBalancer", clusterIP: "10.96.0.7", clusterIPs: ["10.96.0.7"], ports: [{ port, targetPort: port }] },
  status: { loadBalancer: { ingress: [{ ip: balancer, ipMode: "Proxy" }] } },
};
const slice: EndpointSlice = {
  metadata: { namespace: "default", name: "web-1", labels: { "kubernetes.io/service-name": "web" } },
  addressType: "IPv4",
  endpoints: [{ addresses: [podIp], nodeName: "node-1", conditions: { ready: true } }],
  ports: [{ name: "", port, protocol: "TCP" }],
};
const client = createClient(inProcessTransport(createFakeApi([services, endpointSlices]), { name: "bench", groups: [] }), {
  fieldManager: "bench",
});
await client.create(services, service);
await client.create(endpointSlices, slice);
const informers = createInformerFactory(client, { clock: realClock });
const wayIn = createLoadBalancerWayIn(
  { cidr: "127.209.128.0/18", nodes: () => [{ network: node, cidrs: ["10.244.1.0/24"] }] },
  { informers, clusterCIDRs, fabric, ...common },
);
await wayIn.start();
informers.start();
await wayIn.settled();

const hostServer = await onHost("serve", "127.0.0.1", String(port));
const podServer = await inPod(pod, "serve", podIp, String(port));
const runs: readonly (readonly [string, () => Promise<{ readonly line: string }>])[] = [
  ["host → host (loopback)", () => onHost("load", "127.0.0.1", String(port))],
  ["host → load balancer → pod", () => onHost("load", balancer, String(port))],
  ["pod → host.fairlead.internal", () => inPod(pod, "load", fabric.addresses[0] ?? "", String(port))],
];
let base: Figures | undefined;
console.log("| path | connect, ask, close p50 | p99 | connections/s, 32 at once | MiB/s, one connection |");
console.log("|---|---|---|---|---|");
for (const [name, run] of runs) {
  const figures = JSON.parse((await run()).line) as Figures;
  base ??= figures;
  const ratio = (value: number, of: number) => `(${(value / of).toFixed(2)}×)`;
  console.log(
    `| ${name} | ${figures.p50.toFixed(3)} ms ${ratio(figures.p50, base.p50)} | ${figures.p99.toFixed(3)} ms | ` +
      `${figures.perSecond.toFixed(0)} ${ratio(figures.perSecond, base.perSecond)} | ${figures.mibPerSecond.toFixed(0)} ${ratio(figures.mibPerSecond, base.mibPerSecond)} |`,
  );
}
hostServer.stop();
podServer.stop();
await wayIn.stop();
await egress.stop();
await informers.stop();
await namespaces.stop();
process.exit(0);
