/**
 * The userspace proxy against HAProxy (mode tcp) and nginx (stream) in one run: new connections, small exchanges on kept ones,
 * bulk, idle connections. The proxy has one core, load and backend another; rounds are interleaved; what counts is the ratio of
 * medians per second of the proxy's own CPU time. Needs wrk, nginx with libnginx-mod-stream, haproxy, taskset.
 *
 *   sh bin/node bench/proxy/userspace/userspace.ts [seconds a round] [rounds]
 */
import { execFileSync, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { accepts, freePort } from "../../../test/support/ports.ts";
import { startNginx, streamModule } from "../../support/nginx.ts";
import { cpuSeconds, killAll, loadCore, median, memoryMiB, needs, proxyCore, startOn, startServed } from "../../support/pinned.ts";

const [seconds = "4", rounds = "3"] = process.argv.slice(2);
const directory = mkdtempSync(join(tmpdir(), "fairlead-bench-"));
const idleConnections = 5000;

interface Proxy {
  readonly name: string;
  readonly port: number;
  /** Absent: it carries none. */
  readonly udp?: number;
  readonly child: ChildProcess;
}

async function startBackend(): Promise<number> {
  const port = await freePort();
  writeFileSync(join(directory, "large"), Buffer.alloc(4 << 20, "y"));
  const answer = "x".repeat(192);
  startNginx({
    core: loadCore,
    directory,
    name: "backend",
    http: `keepalive_timeout 300s; server { listen 127.0.0.1:${port} backlog=4096; root ${directory}; location / { return 200 "${answer}"; } location /large { } }`,
  });
  await accepts(port);
  return port;
}

async function startFairlead(way: "epoll" | "node", backend: number, echo: number): Promise<Proxy> {
  const [listenTcp, listenUdp] = [await freePort(), await freePort()];
  const args = [way, backend, echo, listenTcp, listenUdp].map(String);
  const { child } = await startServed(proxyCore, join(import.meta.dirname, "served.ts"), ...args);
  return { name: way === "epoll" ? "fairlead" : "fairlead on node:net", port: listenTcp, udp: listenUdp, child };
}

async function startHaproxy(backend: number): Promise<Proxy> {
  const port = await freePort();
  const file = join(directory, "haproxy.cfg");
  const timeouts = "timeout client 300s\n timeout server 300s\n timeout connect 5s";
  writeFileSync(
    file,
    `global\n nbthread 1\n maxconn 8000\ndefaults\n mode tcp\n ${timeouts}\nlisten l\n bind 127.0.0.1:${port} backlog 4096\n server s 127.0.0.1:${backend}\n`,
  );
  const child = startOn(proxyCore, "haproxy", "-db", "-f", file);
  await accepts(port);
  return { name: "haproxy", port, child };
}

async function startStream(backend: number, echo: number): Promise<Proxy> {
  const [port, udp] = [await freePort(), await freePort()];
  const stream = `server { listen 127.0.0.1:${port} backlog=4096; proxy_pass 127.0.0.1:${backend}; } server { listen 127.0.0.1:${udp} udp; proxy_pass 127.0.0.1:${echo}; proxy_timeout 60s; }`;
  const child = startNginx({ core: proxyCore, directory, name: "stream", stream });
  await accepts(port);
  return { name: "nginx", port, udp, child };
}

const wrk = (connections: number, path: string, ...more: readonly string[]) => ["-t1", `-c${connections}`, `-d${seconds}s`, ...more, path];

const loads = [
  { name: "new connections, one exchange each", args: wrk(64, "/", "-H", "Connection: close") },
  { name: "small exchanges on 64 connections", args: wrk(64, "/") },
  { name: "bulk: 4 MiB at a time on 8 connections", args: wrk(8, "/large") },
];

function measure(args: readonly string[], { name, port, child }: Proxy): number {
  const pid = child.pid as number;
  const before = cpuSeconds(pid);
  const words = [...args.slice(0, -1), `http://127.0.0.1:${port}${args.at(-1)}`];
  const text = execFileSync("taskset", ["-c", loadCore, "wrk", ...words], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  const errors = /Socket errors:.*|Non-2xx.*/.exec(text)?.[0];
  if (errors !== undefined) process.stderr.write(`${name}: ${errors}\n`);
  return Number(/(\d+) requests in/.exec(text)?.[1] ?? 0) / (cpuSeconds(pid) - before);
}

/** Datagrams carried there and back per second of the proxy's CPU time. */
function datagrams({ child, udp = 0 }: Proxy): number {
  const before = cpuSeconds(child.pid as number);
  const file = join(import.meta.dirname, "datagrams.ts");
  const answered = execFileSync("taskset", ["-c", loadCore, process.execPath, file, "load", String(udp), seconds], { encoding: "utf8" });
  return Number(answered) / (cpuSeconds(child.pid as number) - before);
}

async function idle({ port, child }: Proxy): Promise<string> {
  const before = memoryMiB(child.pid as number);
  const sockets: Socket[] = [];
  for (let at = 0; at < idleConnections; at += 250) {
    await Promise.all(
      Array.from({ length: 250 }, () => {
        const socket = connect({ host: "127.0.0.1", port });
        sockets.push(socket);
        return new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
      }),
    );
  }
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const kibibytes = ((memoryMiB(child.pid as number) - before) * 1024) / idleConnections;
  for (const socket of sockets) socket.destroy();
  return `${kibibytes.toFixed(1)} KiB each`;
}

async function main(): Promise<void> {
  needs("wrk", "nginx", "haproxy", "taskset");
  if (!existsSync(streamModule)) throw new Error("needs libnginx-mod-stream");
  const backend = await startBackend();
  const { ports } = await startServed(loadCore, join(import.meta.dirname, "datagrams.ts"), "echo", "0");
  const [echo = 0] = ports;
  const proxies = [
    await startFairlead("epoll", backend, echo),
    await startFairlead("node", backend, echo),
    await startHaproxy(backend),
    await startStream(backend, echo),
  ];
  for (const proxy of proxies) measure(loads[1]?.args ?? [], proxy);
  for (const { name, args } of loads) {
    const results = new Map<Proxy, number[]>(proxies.map((proxy) => [proxy, []]));
    for (let round = 0; round < Number(rounds); round++) for (const proxy of proxies) results.get(proxy)?.push(measure(args, proxy));
    const haproxy = median(results.get(proxies[2] as Proxy) ?? []);
    process.stdout.write(`\n${name}\n`);
    for (const proxy of proxies) {
      const rate = median(results.get(proxy) ?? []);
      process.stdout.write(
        `  ${proxy.name.padEnd(20)} ${rate.toFixed(0).padStart(7)} per CPU second (${(rate / haproxy).toFixed(2)} × haproxy)\n`,
      );
    }
  }
  const carriers = proxies.filter(({ udp }) => udp !== undefined);
  const carried = new Map<Proxy, number[]>(carriers.map((proxy) => [proxy, []]));
  for (let round = 0; round < Number(rounds); round++) for (const proxy of carriers) carried.get(proxy)?.push(datagrams(proxy));
  const nginx = median(carried.get(proxies[3] as Proxy) ?? []);
  process.stdout.write("\ndatagrams of 64 bytes, 64 clients\n");
  for (const [proxy, rates] of carried) {
    const rate = median(rates);
    process.stdout.write(
      `  ${proxy.name.padEnd(20)} ${rate.toFixed(0).padStart(7)} per CPU second (${(rate / nginx).toFixed(2)} × nginx; HAProxy has no UDP)\n`,
    );
  }
  process.stdout.write(`\n${idleConnections} idle connections\n`);
  for (const proxy of proxies) process.stdout.write(`  ${proxy.name.padEnd(20)} ${await idle(proxy)}\n`);
}

try {
  await main();
} finally {
  killAll();
  rmSync(directory, { recursive: true, force: true });
}
