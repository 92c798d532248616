/**
 * One measurement in a process of its own (heap and kernel start clean): N Services with five endpoints each, cold, then changes of
 * one endpoint. Prints JSON. Must run inside a network namespace of its own; `nftables.ts` beside this file sees to that.
 */
import { spawnSync } from "node:child_process";
import { connect, createServer } from "node:net";
import { createHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import { writeFileSync } from "node:fs";
import type { EndpointSlice, Service } from "../../src/api/types.ts";
import { planService, type PlanNode, type ServicePlan } from "../../src/decide/proxy/index.ts";
import { renderNftables } from "../../src/decide/proxy/render/nftables-trace.ts";
import { openNetlink } from "../../src/host/netlink/socket.ts";
import { openNftables } from "../../src/host/nftables/nftables.ts";
import { loadLibc } from "../../src/host/syscalls/libc.ts";
import { rulesetText } from "../../src/lib/nftables/text.ts";
import { NftablesBackend } from "../../src/proxy/backends/nftables/apply.ts";

const [way = "netlink", countText = "1000", file = ""] = process.argv.slice(2);
const count = Number(countText);
const endpointsEach = 5;
const node: PlanNode = { name: "node-1", addresses: ["10.250.0.1"], nodePortAddresses: ["10.250.0.1"], clusterCIDRs: ["10.128.0.0/9"] };
const serviceCIDRs = ["10.96.0.0/12"];

const service = (i: number): Service => {
  const ip = `10.${96 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`;
  return {
    metadata: { namespace: "default", name: `service-${i}` },
    spec: { type: "ClusterIP", clusterIP: ip, clusterIPs: [ip], ports: [{ port: 80, protocol: "TCP" }] },
  };
};
const slice = (i: number, size = endpointsEach): EndpointSlice => ({
  metadata: { namespace: "default", name: `service-${i}-1`, labels: { "kubernetes.io/service-name": `service-${i}` } },
  addressType: "IPv4",
  endpoints: Array.from({ length: size }, (_, k) => {
    const n = i * endpointsEach + k;
    return { addresses: [`10.${128 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`], nodeName: "node-2", conditions: { ready: true } };
  }),
  ports: [{ name: "", port: 8080, protocol: "TCP" }],
});
const planOf = (i: number, size?: number): ServicePlan => planService(service(i), [slice(i, size)], node);

const plans = Array.from({ length: count }, (_, i) => ({ key: `default/service-${i}`, plan: planOf(i) }));

if (way === "text") {
  // For `nft -f`: the same rules. Loading is timed by who runs this.
  writeFileSync(
    file,
    rulesetText(
      renderNftables(
        plans.map(({ plan }) => plan),
        { node, serviceCIDRs, families: [4] },
      ),
    ),
  );
  process.exit(0);
}

const libc = loadLibc();
if (libc === undefined) throw new Error("no FFI: the koffi package is missing");
const nftables = openNftables(openNetlink(libc, 12));
const backend = new NftablesBackend({ nftables, serviceCIDRs, node });

const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const memory = process.memoryUsage().rss;
const cpu = process.cpuUsage();
const began = performance.now();
const results = await backend.applyAll(plans);
const coldMs = performance.now() - began;
const { user, system } = process.cpuUsage(cpu);
delay.disable();
const failed = results.find((result) => result.kind === "failed");
if (failed !== undefined) throw failed.error;

// One endpoint leaves, one comes, alternately, each time at another Service.
const changes = createHistogram();
const whole = createHistogram();
for (let round = 0; round < 4000; round++) {
  const i = (round * 7919) % count;
  const key = `default/service-${i}`;
  const start = process.hrtime.bigint();
  const plan = planOf(i, round % 2 === 0 ? endpointsEach - 1 : endpointsEach + 1);
  const planned = process.hrtime.bigint();
  await backend.apply(key, plan);
  const end = process.hrtime.bigint();
  if (round < 500) continue; // Until the code is compiled.
  changes.record(end - planned);
  whole.record(end - start);
}
/** Connects through the rules, to a server in this process: every endpoint's address is this namespace's. */
async function connects(addresses: readonly string[], times: number): Promise<number[]> {
  for (const command of [
    "link set lo up",
    "address add 10.250.0.1/32 dev lo",
    "route add local 10.128.0.0/9 dev lo",
    "route add 10.96.0.0/12 dev lo src 10.250.0.1",
  ])
    spawnSync("ip", command.split(" "));
  const server = createServer((socket) => socket.destroy()).listen(8080, "0.0.0.0");
  const took = addresses.map(() => createHistogram());
  for (let round = 0; round < times; round++) {
    for (const [i, host] of addresses.entries()) {
      const start = process.hrtime.bigint();
      await new Promise<void>((done, fail) => {
        const socket = connect({ host, port: host.startsWith("10.128.") ? 8080 : 80 }, () => {
          took[i]?.record(process.hrtime.bigint() - start);
          socket.destroy();
          done();
        });
        socket.once("error", fail);
      });
    }
  }
  server.close();
  return took.map((one) => us(one.percentile(50)));
}

const clusterIP = (i: number) => service(i).spec?.clusterIP as string;
const [direct, first, last] = await connects(["10.128.0.1", clusterIP(0), clusterIP(count - 1)], 1000);

function us(ns: number): number {
  return Math.round(ns / 100) / 10;
}

console.log(
  JSON.stringify({
    coldMs: Math.round(coldMs),
    coldCpuMs: { user: Math.round(user / 1000), system: Math.round(system / 1000) },
    longestSliceMs: Math.round(delay.max / 1e5) / 10,
    memoryMB: Math.round((process.memoryUsage().rss - memory) / 1e5) / 10,
    changeUs: { p50: us(changes.percentile(50)), p99: us(changes.percentile(99)) },
    connectUs: { direct, first, last },
    withPlanUs: { p50: us(whole.percentile(50)), p99: us(whole.percentile(99)) },
  }),
);
