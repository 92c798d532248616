/** The kubernetes plugin on a large cluster, beside the real CoreDNS on the same API server. See README.md. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { endpointSlices } from "../../src/api/resources.ts";
import type { Client } from "../../src/client/client.ts";
import { httpsTransport } from "../../src/client/https-transport.ts";
import { loadKubeconfig } from "../../src/client/kubeconfig.ts";
import { createClient } from "../../src/client/rest.ts";
import { build } from "../../scripts/build.ts";
import { freePort } from "../../test/support/ports.ts";
import { firstAnswer, untilAnswered } from "./ask.ts";
import { fill, nameOf, sliceOf, type Size } from "./large-cluster.ts";
import { cpuMicros, has, latencies, load, memoryMb, warm, type Load } from "./load.ts";

const root = join(import.meta.dirname, "../..");
const token = "bench-administrator";
const goneNames = 300_000;
/** What ships: below the root, where its one dependency is found. */
const built = join(root, "node_modules/.fairlead-bench-dns");
const columns = ["start", "queries/s", "µs CPU", "µs CPU gone", "p50 ms", "p99 ms", "event ms", "MB idle", "MB after"] as const;

interface Contender {
  readonly name: string;
  readonly command: (corefile: string) => readonly string[];
}

const contenders: readonly Contender[] = [
  {
    name: "fairlead",
    command: (corefile) => ["sh", join(root, "bin/node"), join(built, "fairlead.js"), "dns", "-conf", corefile, "-quiet"],
  },
  { name: "CoreDNS", command: (corefile) => [process.env["COREDNS"] ?? "coredns", "-conf", corefile] },
];

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { services: { type: "string" }, endpoints: { type: "string" }, seconds: { type: "string" }, only: { type: "string" } },
  });
  await build({ out: built });
  const size: Size = { services: Number(values.services ?? 10_000), endpoints: Number(values.endpoints ?? 10) };
  const seconds = Number(values.seconds ?? 5);
  const folder = mkdtempSync(join(tmpdir(), "fairlead-bench-dns-"));
  const apiPort = await freePort();
  const api = spawn("sh", [join(root, "bin/node"), join(root, "test/support/api-server-program.ts"), folder, String(apiPort), token], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  try {
    const kubeconfig = await Promise.race([kubeconfigOf(folder, apiPort), endOf(api, "the API server")]);
    const transport = httpsTransport(await loadKubeconfig({ path: kubeconfig }));
    const client = createClient(transport, { fieldManager: "bench" });
    await fill(client, size);
    const { known, gone } = writeQueries(folder, size);
    console.log(`${size.services} Services, ${size.services * size.endpoints} endpoints; each server pinned to core 0, dnsperf to core 1`);
    console.log(["server".padEnd(10), ...columns.map((name) => name.padStart(15))].join(""));
    for (const contender of contenders) {
      if (values.only !== undefined && values.only !== contender.name) continue;
      if (!has(...contender.command(""), "-version")) console.log(`${contender.name}: not here`);
      else await measure(contender, { folder, kubeconfig, client, size, seconds, known, gone });
    }
    await transport.close();
  } finally {
    api.kill("SIGTERM");
    await new Promise((resolve) => api.once("exit", resolve));
    for (const path of [folder, built]) rmSync(path, { recursive: true, force: true });
  }
}

async function kubeconfigOf(folder: string, port: number): Promise<string> {
  const path = join(folder, "kubeconfig");
  for (;;) {
    try {
      const ca = readFileSync(join(folder, "ca.crt"));
      writeFileSync(
        path,
        `apiVersion: v1
kind: Config
clusters: [{name: bench, cluster: {server: "https://127.0.0.1:${port}", certificate-authority-data: ${ca.toString("base64")}}}]
users: [{name: bench, user: {token: ${token}}}]
contexts: [{name: bench, context: {cluster: bench, user: bench}}]
current-context: bench
`,
        { mode: 0o600 },
      );
      return path;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

function writeQueries(folder: string, { services }: Size): { readonly known: string; readonly gone: string } {
  const order = Array.from({ length: services }, (_, i) => ({ i, at: Math.imul(i + 1, 2_654_435_761) >>> 0 })).sort((a, b) => a.at - b.at);
  const [known, gone] = [join(folder, "known"), join(folder, "gone")];
  writeFileSync(known, order.map(({ i }) => `${nameOf(i)} A\n`).join(""));
  // More than anybody keeps: each is looked for.
  const absent = Array.from({ length: goneNames }, (_, i) => `gone-${i}.${nameOf(i % services)} A\n`);
  writeFileSync(gone, absent.join(""));
  return { known, gone };
}

interface Setting {
  readonly folder: string;
  readonly kubeconfig: string;
  readonly client: Client;
  readonly size: Size;
  readonly seconds: number;
  readonly known: string;
  readonly gone: string;
}

async function measure({ name, command }: Contender, setting: Setting): Promise<void> {
  const { folder, kubeconfig, client, size, seconds, known, gone } = setting;
  const port = await freePort();
  const corefile = join(folder, `Corefile-${port}`);
  writeFileSync(
    corefile,
    `cluster.local:${port} {\n    bind 127.0.0.1\n    errors\n    kubernetes cluster.local {\n        kubeconfig ${kubeconfig}\n        ttl 30\n    }\n    cache 30\n    loadbalance\n}\n`,
  );
  const began = performance.now();
  const child = spawn("taskset", ["-c", "0", ...command(corefile)], {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, GOMAXPROCS: "1" },
  });
  try {
    await Promise.race([untilAnswered(port, nameOf(size.services - 1)), endOf(child, name)]);
    const started = performance.now() - began;
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const idle = memoryMb(child.pid ?? 0);
    warm(port, known);
    const answered = costOf(child, () => load(port, known, seconds));
    const denied = costOf(child, () => load(port, gone, seconds));
    const half = latencies(port, known, seconds, answered.perSecond / 2);
    const fresh = await delays(client, port, size);
    const figures = [
      `${(started / 1000).toFixed(1)} s`,
      Math.round(answered.perSecond).toLocaleString("en"),
      answered.micros.toFixed(2),
      denied.micros.toFixed(2),
      half.p50.toFixed(3),
      half.p99.toFixed(3),
      `${fresh.p50.toFixed(1)}/${fresh.p99.toFixed(1)}`,
      String(idle),
      String(memoryMb(child.pid ?? 0)),
    ];
    console.log([name.padEnd(10), ...figures.map((text) => text.padStart(15))].join(""));
  } finally {
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("exit", resolve));
  }
}

function costOf(child: ChildProcess, run: () => Load): { readonly perSecond: number; readonly micros: number } {
  const before = cpuMicros(child.pid ?? 0);
  const { perSecond, completed } = run();
  return { perSecond, micros: (cpuMicros(child.pid ?? 0) - before) / completed };
}

async function endOf(child: ChildProcess, name: string): Promise<never> {
  const code = await new Promise((resolve) => child.once("exit", resolve));
  throw new Error(`${name} ended with code ${String(code)} before it answered`);
}

/** Addresses that no slice has had: a server that kept the old answer would not be found out by the same one. */
let round = 20;

/**
 * From the write of an endpoint, acknowledged by the API server, to the first answer that shows it, in ms. Several at a time: a
 * server that keeps answers may take half a minute for each.
 */
async function delays(client: Client, port: number, size: Size): Promise<{ readonly p50: number; readonly p99: number }> {
  const took: number[] = [];
  const one = async (i: number, now: number) => {
    // Headless ones are those whose endpoints are answered.
    const service = Math.floor((i * size.services) / 500) * 5;
    const slice = sliceOf(service, size, now);
    await firstAnswer(port, nameOf(service)); // it is known, and kept
    await client.update(endpointSlices, slice);
    const began = performance.now();
    await untilAnswered(port, nameOf(service), slice.endpoints?.[0]?.addresses[0] ?? "");
    took.push(performance.now() - began);
  };
  round++;
  for (let i = 0; i < 100; i += underWay) await Promise.all(Array.from({ length: underWay }, (_, k) => one(i + k, round)));
  took.sort((a, b) => a - b);
  return { p50: took[50] ?? 0, p99: took[98] ?? 0 };
}

const underWay = 50;

await main();
