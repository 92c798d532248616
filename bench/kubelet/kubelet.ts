/** Measures pods on one node; see README.md beside this file. Prints one table; exits 0 whatever the figures are. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { pods } from "../../src/api/resources.ts";
import { quickMode } from "../../src/host/capabilities/quick.ts";
import { enterNamespaces } from "../../src/host/launch/enter.ts";
import { settleInside } from "../../src/host/launch/inside.ts";
import { createNamespaces } from "../../src/host/namespaces/create-namespaces.ts";
import { FakeCluster } from "../../src/kubelet/fake-cluster.ts";
import { createKubelet } from "../../src/kubelet/kubelet.ts";
import { createNamespacedRuntime } from "../../src/kubelet/runtime/process/namespaced-runtime.ts";
import { createProcessRuntime } from "../../src/kubelet/runtime/process/process-runtime.ts";
import type { Runtime } from "../../src/kubelet/runtime/runtime.ts";

const { values } = parseArgs({ options: { pods: { type: "string", default: "200" } } });
const count = Number(values.pods);
const oneByOne = 30;
const images = [{ repositories: ["busybox"], entrypoint: ["sleep", "1000000"], cmd: [], env: {}, path: [] }];

interface Figures {
  readonly mode: string;
  readonly "one pod p50 ms": string;
  readonly "p95 ms": string;
  readonly "pods/s": string;
  readonly "agent CPU ms/pod": string;
  readonly "agent KB/pod": string;
  readonly "pod KB": string;
  readonly "gone/s": string;
}

const make = (cluster: FakeCluster, name: string) =>
  cluster.create(pods, {
    metadata: { name, namespace: "default" },
    spec: { nodeName: "n1", terminationGracePeriodSeconds: 1, containers: [{ name: "main", image: "busybox" }] },
  });

/** Resolves when `count` pods meet the condition; asked at each change, for there is nothing to poll. */
function watch(cluster: FakeCluster) {
  const running = new Set<string>();
  let changed: () => void = () => undefined;
  cluster.informers.informer(pods).addHandlers({
    updated: ({ metadata, status }) => {
      if (status?.containerStatuses?.[0]?.state?.running !== undefined) running.add(metadata.name ?? "");
      changed();
    },
    deleted: ({ metadata }) => {
      running.delete(metadata.name ?? "");
      changed();
    },
  });
  return (wanted: number) =>
    new Promise<void>((resolve) => {
      changed = () => running.size === wanted && resolve();
      changed();
    });
}

async function measure(mode: string, runtime: Runtime, directory: string, podCIDRs: readonly string[]): Promise<Figures> {
  const cluster = new FakeCluster();
  const settled = watch(cluster);
  const { client, informers, recorder } = cluster;
  const nodeAddresses = [{ type: "InternalIP", address: "127.0.0.1" }];
  const kubelet = createKubelet({
    ...{ nodeName: "n1", nodeAddresses, podCIDRs, client, informers, recorder, runtime },
    ...{ dataDir: directory, version: "v0", terminationDelayMs: 0, maxPods: count + oneByOne },
  });
  await kubelet.start();
  const each: number[] = [];
  for (let i = 0; i < oneByOne; i++) {
    const start = performance.now();
    make(cluster, `one-${i}`);
    await settled(i + 1);
    each.push(performance.now() - start);
  }
  const [before, start, cpu] = [resident(), performance.now(), process.cpuUsage()];
  for (let i = 0; i < count; i++) make(cluster, `all-${i}`);
  await settled(oneByOne + count);
  const startSeconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const [after, pod] = [resident(), sleepMemory()];
  const end = performance.now();
  for (const { metadata } of cluster.informers.informer(pods).lister.list())
    cluster.remove(pods, { namespace: "default", name: metadata.name ?? "" });
  await settled(0);
  const endSeconds = (performance.now() - end) / 1000;
  await kubelet.stop();
  each.sort((a, b) => a - b);
  return {
    mode,
    "one pod p50 ms": (each[each.length >> 1] as number).toFixed(1),
    "p95 ms": (each[Math.floor(each.length * 0.95)] as number).toFixed(1),
    "pods/s": (count / startSeconds).toFixed(0),
    "agent CPU ms/pod": ((user + system) / 1000 / count).toFixed(1),
    "agent KB/pod": ((after - before) / count).toFixed(0),
    "pod KB": pod.toFixed(0),
    "gone/s": ((count + oneByOne) / endSeconds).toFixed(0),
  };
}

/** In KB. */
function resident(): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
}

/** The mean proportional set size of the pods' processes, in KB. */
function sleepMemory(): number {
  const sizes = readdirSync("/proc").flatMap((pid) => {
    try {
      if (readFileSync(`/proc/${pid}/comm`, "utf8") !== "sleep\n") return [];
      return [Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1])];
    } catch {
      return []; // not a process, or one that ended meanwhile
    }
  });
  return sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
}

async function inNamespaces(directory: string): Promise<Figures> {
  const namespaces = await createNamespaces();
  const podCIDRs = ["10.244.0.0/16", "fd00:10:244::/64"].slice(0, namespaces.families.length);
  const network = await namespaces.createNode({ name: "n1", index: 1, podCIDRs });
  const dns = { servers: ["10.96.0.10"], clusterDomain: "cluster.local", hostResolvConf: "/etc/resolv.conf" };
  const runtime = createNamespacedRuntime({ directory: join(directory, "pods"), images, version: "0", network, nodeName: "n1", dns });
  const figures = await measure("namespaces", runtime, directory, podCIDRs);
  await namespaces.stop();
  return figures;
}

async function run(): Promise<void> {
  const base = mkdtempSync(join(tmpdir(), "fairlead-bench-"));
  const loopback = createProcessRuntime({ directory: join(base, "loopback/pods"), images, version: "0" });
  const rows = [await measure("loopback", loopback, join(base, "loopback"), ["127.190.0.0/16"]), await inNamespaces(join(base, "ns"))];
  console.table(rows);
  console.log(`${count} pods at once, ${oneByOne} one by one before; one container and two address families each`);
  rmSync(base, { recursive: true, force: true });
}

if (settleInside() === undefined) {
  const mode = quickMode();
  if (mode.mode === "loopback") console.log(`skipped: ${mode.why}`);
  else {
    const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
    process.exitCode = await enterNamespaces({ command, env: process.env, userNamespace: mode.userNamespace });
  }
} else await run();
