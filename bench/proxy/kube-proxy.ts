/**
 * Fairlead's proxy against the real kube-proxy, each as a process of its own on the same API server, in one run; see README.md.
 * `bin/node bench/proxy/kube-proxy.ts --kube-proxy FILE --services 1000,10000 --mode nftables`. As root. Exits 0 whatever the figures are.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { createHistogram } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { endpointSlices, services } from "../../src/api/resources.ts";
import type { EndpointSlice } from "../../src/api/types.ts";
import { startBareApi, type BareApi } from "../../test/support/bare-api.ts";
import { inOwnNetwork } from "../../test/support/own-network.ts";
import { nodeIP, startProxy, type ProxyProcess } from "../../test/support/proxy-world/world.ts";

const { values: flags } = parseArgs({
  options: {
    "kube-proxy": { type: "string", default: process.env["KUBE_PROXY"] ?? "" },
    services: { type: "string", default: "1000,10000,50000" },
    mode: { type: "string", default: "nftables" },
    /** A proxy that has not done its first sync after so long is left at that: kube-proxy's mode nftables grows with the square. */
    minutes: { type: "string", default: "5" },
    changes: { type: "string", default: "300" },
    /** No phase of changes takes longer. */
    seconds: { type: "string", default: "30" },
  },
});
inOwnNetwork();

const endpointsEach = 5;
const clusterIP = (i: number) => `10.${96 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`;
const podIP = (n: number) => `10.${128 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`;
const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

function slice(i: number, last?: string): EndpointSlice {
  const addresses = Array.from({ length: endpointsEach }, (_, k) => podIP(i * endpointsEach + k));
  if (last !== undefined) addresses[endpointsEach - 1] = last;
  return {
    metadata: { namespace: "default", name: `service-${i}-1`, labels: { "kubernetes.io/service-name": `service-${i}` } },
    addressType: "IPv4",
    endpoints: addresses.map((address) => ({ addresses: [address], nodeName: "node-2", conditions: { ready: true } })),
    ports: [{ name: "", port: 8080, protocol: "TCP" }],
  };
}

/** From the second address on: the first is the API's own Service. */
async function load({ client }: BareApi, count: number): Promise<void> {
  const one = async (i: number) => {
    const ip = clusterIP(i + 2);
    await client.create(services, {
      metadata: { namespace: "default", name: `service-${i}` },
      spec: { clusterIP: ip, clusterIPs: [ip], ports: [{ port: 80, protocol: "TCP", targetPort: 8080 }] },
    });
    await client.create(endpointSlices, slice(i));
  };
  for (let from = 0; from < count; from += 64) {
    await Promise.all(Array.from({ length: Math.min(64, count - from) }, (_, k) => one(from + k)));
  }
}

class RuleWatch {
  readonly #worker = new Worker(new URL("./watch-rules.ts", import.meta.url));
  readonly #waiting = new Map<string, (at: bigint) => void>();
  #bytes: (bytes: number) => void = () => {};
  readonly ready: Promise<void>;

  constructor() {
    this.ready = new Promise((resolve) => {
      this.#worker.on("message", (message: { ready?: unknown; address?: string; at?: bigint; bytes?: number }) => {
        if (message.address !== undefined) this.#waiting.get(message.address)?.(message.at as bigint);
        else if (message.bytes !== undefined) this.#bytes(message.bytes);
        else resolve();
      });
    });
  }

  seen(address: string): Promise<bigint> {
    const found = new Promise<bigint>((resolve) => this.#waiting.set(address, resolve));
    this.#worker.postMessage({ address });
    return found;
  }

  bytes(): Promise<number> {
    const answer = new Promise<number>((resolve) => (this.#bytes = resolve));
    this.#worker.postMessage({ bytes: true });
    return answer;
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }
}

interface Metrics {
  readonly synced: boolean;
  readonly syncSeconds: number;
}

async function metricsOf(): Promise<Metrics | undefined> {
  const text = await fetch("http://127.0.0.1:10249/metrics").then(
    (answer) => answer.text(),
    () => undefined,
  );
  if (text === undefined) return undefined;
  const value = (name: string) => Number(new RegExp(`^kubeproxy_${name}{ip_family="IPv4"} (\\S+)`, "m").exec(text)?.[1] ?? 0);
  return { synced: value("sync_proxy_rules_last_timestamp_seconds") > 0, syncSeconds: value("sync_proxy_rules_duration_seconds_sum") };
}

let unique = 0;
const nextAddress = () => `172.${16 + ((unique >> 16) & 15)}.${(unique >> 8) & 255}.${unique++ & 255}`;

/** From before the write to the API until the kernel says that the rule is there. */
async function changes(api: BareApi, watch: RuleWatch, count: number, writers: number) {
  const took = createHistogram();
  const deadline = performance.now() + Number(flags.seconds) * 1000;
  const total = Number(flags.changes);
  let begun = 0;
  const before = await watch.bytes();
  await Promise.all(
    Array.from({ length: writers }, async (_, writer) => {
      while (begun < total && performance.now() < deadline) {
        const i = Math.floor((((begun++ * 7919) % count) * writers) / writers + writer) % count;
        const address = nextAddress();
        const seen = watch.seen(address);
        const started = process.hrtime.bigint();
        await api.client.patch(endpointSlices, { namespace: "default", name: `service-${i}-1` }, "application/merge-patch+json", {
          endpoints: slice(i, address).endpoints,
        });
        const at = await Promise.race([seen, pause(120_000).then(() => undefined)]);
        if (at !== undefined) took.record(at - started > 0n ? at - started : 1n);
      }
    }),
  );
  const ms = (ns: number) => Math.round(ns / 1e4) / 100;
  return {
    changes: took.count,
    p50Ms: ms(took.percentile(50)),
    p99Ms: ms(took.percentile(99)),
    kernelBytes: Math.round(((await watch.bytes()) - before) / Math.max(1, took.count)),
  };
}

async function connectUs(addresses: readonly string[]): Promise<number[]> {
  const server = createServer((socket) => socket.destroy()).listen(8080, "0.0.0.0");
  const took = addresses.map(() => createHistogram());
  for (let round = 0; round < 500; round++) {
    for (const [i, host] of addresses.entries()) {
      const started = process.hrtime.bigint();
      await new Promise<void>((done, fail) => {
        const socket = connect({ host, port: 80 }, () => {
          took[i]?.record(process.hrtime.bigint() - started);
          socket.destroy();
          done();
        });
        socket.once("error", fail);
      });
    }
  }
  server.close();
  return took.map((one) => Math.round(one.percentile(50) / 100) / 10);
}

function memoryMB({ child }: ProxyProcess): { readonly rss: number; readonly peak: number } {
  const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
  const of = (name: string) => Math.round(Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0) / 1024);
  return { rss: of("VmRSS"), peak: of("VmHWM") };
}

/** What the process and its children that have ended have used so far, in seconds. */
function cpuSeconds({ child }: ProxyProcess): { readonly user: number; readonly system: number } {
  const stat = readFileSync(`/proc/${child.pid}/stat`, "utf8");
  const fields = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number);
  const seconds = (own: number) => ((fields[own] as number) + (fields[own + 2] as number)) / 100;
  return { user: seconds(11), system: seconds(12) };
}

async function firstSync(proxy: ProxyProcess): Promise<Metrics | undefined> {
  const until = performance.now() + Number(flags.minutes) * 60_000;
  for (;;) {
    const metrics = await metricsOf();
    if (metrics?.synced === true) return metrics;
    if (proxy.child.exitCode !== null) throw new Error(`the proxy has ended (${proxy.child.exitCode})`);
    if (performance.now() > until) return undefined;
    await pause(20);
  }
}

async function measure(api: BareApi, watch: RuleWatch, count: number, peer: string | undefined) {
  const started = performance.now();
  const before = await watch.bytes();
  const proxy = startProxy(api.kubeconfig, flags.mode, peer);
  try {
    const metrics = await firstSync(proxy);
    if (metrics === undefined) return { unfinished: `no first sync after ${flags.minutes} min`, cpuSeconds: cpuSeconds(proxy) };
    const startMs = Math.round(performance.now() - started);
    const coldSyncMs = Math.round(metrics.syncSeconds * 1000);
    const [memory, coldCpuSeconds] = [memoryMB(proxy), cpuSeconds(proxy)];
    const coldKernelMB = Math.round(((await watch.bytes()) - before) / 1e5) / 10;
    const [first, last] = await connectUs([clusterIP(2), clusterIP(count + 1)]);
    const one = await changes(api, watch, count, 1);
    const sixteen = await changes(api, watch, count, 16);
    return {
      startMs,
      coldSyncMs,
      coldCpuSeconds,
      coldKernelMB,
      memory,
      connectUs: { first, last },
      oneWriter: one,
      sixteenWriters: sixteen,
      memoryAfter: memoryMB(proxy),
    };
  } finally {
    await proxy.end("SIGKILL");
    for (const program of [
      ["nft", "flush", "ruleset"],
      ["iptables-legacy", "-t", "nat", "-F"],
    ])
      spawnSync(program[0] as string, program.slice(1));
  }
}

for (const command of [
  "link set lo up",
  `address add ${nodeIP}/32 dev lo`,
  "route add local 10.128.0.0/9 dev lo",
  "route add local 172.16.0.0/12 dev lo",
  `route add 10.96.0.0/12 dev lo src ${nodeIP}`,
])
  spawnSync("ip", command.split(" "));

for (const text of flags.services.split(",")) {
  const count = Number(text);
  const api = await startBareApi({
    serviceRange: "10.96.0.0/12",
    node: { name: "node-1", addresses: [nodeIP], podCIDRs: ["10.244.1.0/24"] },
  });
  const watch = new RuleWatch();
  await watch.ready;
  await load(api, count);
  const report = (proxy: string, figures: object) => console.log(JSON.stringify({ services: count, mode: flags.mode, proxy, ...figures }));
  report("fairlead", await measure(api, watch, count, undefined));
  if (flags["kube-proxy"] === "") report("kube-proxy", { skipped: "its path is to be in --kube-proxy or $KUBE_PROXY" });
  else report("kube-proxy", await measure(api, watch, count, flags["kube-proxy"]));
  await watch.stop();
  await api.stop();
}
process.exit(0);
