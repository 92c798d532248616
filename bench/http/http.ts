/**
 * The gateway against nginx and HAProxy in one run: plain keep-alive requests, new connections, large bodies, TLS by HTTP/1.1 and HTTP/2 and
 * by handshake, WebSockets, and how long requests take at 70 % of what nginx can do. The proxy has one core, load and backend another. Rounds
 * are interleaved, so that whatever else the machine does meets all of them; what counts is the ratio of medians of operations for each second
 * of the proxy's own processor time. Needs wrk, nginx, taskset; HAProxy and h2load where they are.
 *
 *   sh bin/node bench/http/http.ts [seconds a round] [rounds] [part of the names of the loads]
 */
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cpuSeconds, has, killAll, loadCore, median, memoryMiB, needs } from "../support/pinned.ts";
import { directory, startAll, type Proxy } from "./proxies.ts";

const [seconds = "4", rounds = "3", only = ""] = process.argv.slice(2);

/** What one round gives: operations per second of the proxy's own CPU time, which other programs on the machine do not change. */
interface Round {
  readonly perSecond: number;
  readonly perCpuSecond: number;
  readonly p99Ms: number;
}

interface Load {
  readonly name: string;
  readonly run: (proxy: Proxy) => readonly string[];
}

const wrk = (connections: number, url: string, ...headers: readonly string[]) => [
  "wrk",
  "-t1",
  `-c${connections}`,
  `-d${seconds}s`,
  "--latency",
  "-H",
  "Host: bench.localhost",
  ...headers.flatMap((each) => ["-H", each]),
  url,
];
const h2load = (url: string, ...args: readonly string[]) => ["h2load", "-t1", `-D${seconds}`, "--warm-up-time=0", ...args, url];

const webSockets = join(import.meta.dirname, "websocket-load.ts");

const loads: readonly Load[] = [
  { name: "keep-alive, 64 connections, 192 bytes", run: ({ http }) => wrk(64, `http://127.0.0.1:${http}/`) },
  { name: "a new connection each", run: ({ http }) => wrk(64, `http://127.0.0.1:${http}/`, "Connection: close") },
  { name: "4 MiB bodies", run: ({ http }) => wrk(8, `http://127.0.0.1:${http}/large`) },
  { name: "WebSockets, 64 with a message under way each", run: ({ http }) => [process.execPath, webSockets, String(http), "64", seconds] },
  { name: "TLS, a handshake each", run: ({ https }) => wrk(64, `https://127.0.0.1:${https}/`, "Connection: close") },
  { name: "HTTPS, HTTP/1.1 keep-alive", run: ({ https }) => wrk(64, `https://127.0.0.1:${https}/`) },
  ...(has("h2load")
    ? [
        {
          name: "HTTPS, HTTP/2, 8 connections × 16 streams",
          run: ({ https }: Proxy) => h2load(`https://127.0.0.1:${https}/`, "-c8", "-m16"),
        },
      ]
    : []),
];

function measure(load: Load, proxy: Proxy): Round {
  const [program = "", ...args] = load.run(proxy);
  const before = cpuSeconds(proxy.pid());
  const text = execFileSync("taskset", ["-c", loadCore, program, ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  const cpu = cpuSeconds(proxy.pid()) - before;
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1] ?? /finished in [\d.]+m?s, ([\d.]+) req\/s/.exec(text)?.[1] ?? "0");
  const [, p99 = "0", unit = "ms"] = /99%\s+([\d.]+)(us|ms|s)/.exec(text) ?? [];
  const failed = /Non-2xx or 3xx responses: (\d+)|Socket errors:.*|, [1-9]\d* failed/.exec(text)?.[0];
  if (failed !== undefined) process.stderr.write(`${proxy.name}, ${load.name}: ${failed}\n`);
  return {
    perSecond,
    perCpuSecond: (perSecond * Number(seconds)) / cpu,
    p99Ms: Number(p99) * (unit === "us" ? 0.001 : unit === "s" ? 1000 : 1),
  };
}

/** Until what runs is compiled: a fixed time would end before that where other programs have the processor. */
function warmUp(load: Load, proxy: Proxy): void {
  for (let done = 0, rounds = 0; done < 60_000 && rounds < 4; rounds++) done += measure(load, proxy).perSecond * Number(seconds);
}

/** Requests at a fixed rate, whatever the answers take: how long 99 of 100 take at most. */
function at(rate: number, { http }: Proxy): number {
  const log = join(directory, "requests");
  const connections = 64;
  const args = ["--h1", "-t1", `-c${connections}`, `--rps=${Math.ceil(rate / connections)}`, `--log-file=${log}`];
  rmSync(log, { force: true });
  const [program = "", ...rest] = h2load(`http://127.0.0.1:${http}/`, ...args);
  execFileSync("taskset", ["-c", loadCore, program, ...rest], { stdio: "ignore" });
  // Start, status and microseconds of each.
  const took = readFileSync(log, "utf8")
    .split("\n")
    .flatMap((line) => (line === "" ? [] : [Number(line.split("\t")[2])]));
  return (took.toSorted((a, b) => a - b)[Math.floor(took.length * 0.99)] ?? 0) / 1000;
}

function latencies(proxies: readonly Proxy[], rate: number): void {
  const results = new Map<string, number[]>(proxies.map(({ name }) => [name, []]));
  for (let round = 0; round < Number(rounds); round++) for (const proxy of proxies) results.get(proxy.name)?.push(at(rate, proxy));
  const reference = median(results.get("nginx") ?? [0]);
  process.stdout.write(`\np99 at ${rate.toFixed(0)} requests/s, 70 % of nginx's\n`);
  for (const [name, all] of results)
    process.stdout.write(`  ${name.padEnd(9)} ${median(all).toFixed(2)} ms (${(median(all) / reference).toFixed(2)} × nginx)\n`);
}

async function main(): Promise<void> {
  needs("wrk", "nginx", "taskset");
  const proxies = await startAll();
  let plainRate = 0;
  for (const load of loads.filter(({ name }) => name.includes(only))) {
    for (const proxy of proxies) warmUp(load, proxy);
    const results = new Map<string, Round[]>(proxies.map(({ name }) => [name, []]));
    for (let round = 0; round < Number(rounds); round++) for (const proxy of proxies) results.get(proxy.name)?.push(measure(load, proxy));
    const summary = (name: string, of: (round: Round) => number) => median((results.get(name) ?? []).map(of));
    const reference = summary("nginx", ({ perCpuSecond }) => perCpuSecond);
    const referenceRate = summary("nginx", ({ perSecond }) => perSecond);
    if (load === loads[0]) plainRate = referenceRate;
    process.stdout.write(`\n${load.name}\n`);
    for (const { name } of proxies) {
      const [rate, cpu, p99] = [
        summary(name, (each) => each.perSecond),
        summary(name, (each) => each.perCpuSecond),
        summary(name, (each) => each.p99Ms),
      ];
      process.stdout.write(
        `  ${name.padEnd(9)} ${rate.toFixed(0).padStart(7)}/s (${(rate / referenceRate).toFixed(2)} × nginx), per CPU second ${cpu.toFixed(0).padStart(7)} (${(cpu / reference).toFixed(2)} × nginx), p99 ${p99.toFixed(2)} ms\n`,
      );
    }
  }
  if (plainRate > 0 && has("h2load")) latencies(proxies, plainRate * 0.7);
  process.stdout.write(`\nmemory: ${proxies.map(({ name, pid }) => `${name} ${memoryMiB(pid()).toFixed(0)} MiB`).join(", ")}\n`);
}

try {
  await main();
} finally {
  killAll();
  rmSync(directory, { recursive: true, force: true });
}
