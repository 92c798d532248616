/** Connections through a ClusterIP while what is behind it changes. No client tries twice. */
import { execFileSync } from "node:child_process";
import { createConnection } from "node:net";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { join } from "node:path";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { deployments, pods, services } from "../../src/api/resources.ts";
import { startCluster, type TestCluster } from "../../src/testing/index.ts";

let cluster: TestCluster;
let address: string;

beforeAll(async () => {
  const directory = join(import.meta.dirname, "../../examples/webapp");
  const manifests = ["00-namespace", "10-configmap", "20-deployment", "30-services"]
    .map((name) => readFileSync(join(directory, `${name}.yaml`), "utf8"))
    .join("\n---\n");
  cluster = await startCluster({ runtime: "process", manifests });
  await cluster.untilReady("deployment/webapp", { namespace: "shop" });
  await cluster.untilReady("service/webapp", { namespace: "shop" });
  address = (await cluster.client.get(services, { namespace: "shop", name: "webapp" })).spec?.clusterIP ?? "";
});
afterAll(() => cluster.stop());

interface Outcome {
  readonly at: number;
  readonly error?: string;
}

/** One connection, one request, read to its end. */
function connectOnce(): Promise<Outcome> {
  const at = performance.now();
  return new Promise((resolve) => {
    let text = "";
    const socket = createConnection({ host: address, port: 8080 }, () =>
      socket.write("GET / HTTP/1.1\r\nHost: webapp\r\nConnection: close\r\n\r\n"),
    );
    socket.setTimeout(5000, () => socket.destroy(new Error("timeout")));
    socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
    socket.on("error", (error) => resolve({ at, error: error.message }));
    socket.on("close", () =>
      resolve(text.startsWith("HTTP/1.1 200") ? { at } : { at, error: text === "" ? "no answer" : text.slice(0, 40) }),
    );
  });
}

/** New connections at `rate` a second until `work` is done; gives what became of each. */
async function underLoad(rate: number, work: () => Promise<void>): Promise<readonly Outcome[]> {
  const outcomes: Promise<Outcome>[] = [];
  const began = performance.now();
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - began) / 1000) * rate);
    while (outcomes.length < due) outcomes.push(connectOnce());
  }, 5);
  await work();
  clearInterval(timer);
  return await Promise.all(outcomes);
}

async function scale(replicas: number): Promise<void> {
  await cluster.client.patch(deployments, { namespace: "shop", name: "webapp" }, "application/merge-patch+json", { spec: { replicas } });
  await cluster.untilReady("deployment/webapp", { namespace: "shop" });
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test("scaling 3 → 5 → 1 under 200 new connections a second: not one fails", { timeout: 60_000 }, async () => {
  const outcomes = await underLoad(200, async () => {
    await pause(500);
    await scale(5);
    await pause(500);
    await scale(1);
    await pause(1500);
    await scale(3);
    await pause(500);
  });
  expect(outcomes.length).toBeGreaterThan(500);
  expect(outcomes.flatMap(({ error }) => error ?? [])).toEqual([]);
});

/**
 * The 100 ms are the cluster's; time in which this process did not run at all (client, proxy and kubelet share one event loop, and the
 * machine is busy with other tests) is measured and added. The pid is looked up before the load: the look-up runs a command synchronously.
 */
test("a pod killed with -9: failures only within 100 ms of the kill", { timeout: 60_000 }, async () => {
  const victim = (await cluster.client.list(pods, { namespace: "shop" })).items[0];
  const pid = listenerOf(victim?.status?.podIP ?? "");
  const stalls = monitorEventLoopDelay({ resolution: 5 });
  let killed = 0;
  const outcomes = await underLoad(200, async () => {
    await pause(500);
    stalls.enable();
    killed = performance.now();
    process.kill(pid, "SIGKILL");
    await pause(1500);
    stalls.disable();
  });
  const bound = 100 + stalls.max / 1e6;
  const late = outcomes.filter(({ at, error }) => error !== undefined && (at > killed + bound || at < killed - bound));
  expect(late).toEqual([]);
  await cluster.untilReady("deployment/webapp", { namespace: "shop" });
});

/** The pid that listens on the pod's port 8080. */
function listenerOf(ip: string): number {
  const hex = ip
    .split(".")
    .reverse()
    .map((part) => Number(part).toString(16).padStart(2, "0").toUpperCase())
    .join("");
  const inode = readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .find((fields) => fields[1] === `${hex}:1F90` && fields[3] === "0A")?.[9];
  const pid = execFileSync(
    "sh",
    ["-c", `for p in /proc/[0-9]*; do ls -l $p/fd 2>/dev/null | grep -q 'socket:\\[${Number(inode)}\\]' && echo \${p#/proc/}; done; true`],
    { encoding: "utf8" },
  )
    .trim()
    .split("\n")[0];
  return Number(pid);
}
