/**
 * The gateway against nginx and HAProxy in one run: plain keep-alive requests, new connections, large bodies, HTTPS by HTTP/1.1 and
 * HTTP/2. The proxy has one core, load and backend another. Rounds are interleaved, so that whatever else the machine does meets
 * all of them; what counts is the ratio of medians. Needs wrk, nginx, taskset; HAProxy and h2load where they are.
 *
 *   sh bin/node bench/http/http.ts [seconds a round] [rounds] [part of the names of the loads]
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLocalAuthority } from "../../src/gateway/local-authority.ts";
import { accepts, freePort } from "../../test/support/ports.ts";
import { startNginx } from "../support/nginx.ts";
import { cpuSeconds, has, killAll, loadCore, median, memoryMiB, needs, proxyCore, startOn, startServed } from "../support/pinned.ts";

const [seconds = "4", rounds = "3", only = ""] = process.argv.slice(2);
const directory = mkdtempSync(join(tmpdir(), "fairlead-bench-"));
interface Proxy {
  readonly name: string;
  readonly http: number;
  readonly https: number;
  readonly pid: () => number;
}

async function startAll(): Promise<{ readonly backend: number; readonly proxies: readonly Proxy[] }> {
  const backend = await freePort();
  const answer = "x".repeat(192);
  writeFileSync(join(directory, "large"), Buffer.alloc(4 << 20, "y"));
  startNginx({
    core: loadCore,
    directory,
    name: "backend",
    http: `server { listen 127.0.0.1:${backend} backlog=4096; root ${directory}; location / { return 200 "${answer}"; } location /large { } }`,
  });
  await accepts(backend);
  const authority = await openLocalAuthority({ now: () => Date.now() });
  const { cert, key } = authority.certificateFor("bench.localhost");
  writeFileSync(join(directory, "cert.pem"), cert);
  writeFileSync(join(directory, "key.pem"), key, { mode: 0o600 });
  writeFileSync(join(directory, "both.pem"), cert + key, { mode: 0o600 });
  const proxies = [await fairlead(backend, "thread"), await fairlead(backend, "node"), await nginxProxy(backend)];
  if (has("haproxy")) proxies.push(await haproxy(backend));
  return { backend, proxies };
}

/** `thread`: on an event loop of ours, as it is served. `node`: on Node's sockets, where there is no FFI. */
async function fairlead(backend: number, way: "thread" | "node"): Promise<Proxy> {
  const { child, ports } = await startServed(proxyCore, join(import.meta.dirname, "served.ts"), String(backend), way);
  const [http = 0, https = 0] = ports;
  return { name: way === "thread" ? "fairlead" : "on node", http, https, pid: () => child.pid as number };
}

async function nginxProxy(backend: number): Promise<Proxy> {
  const [http, https] = [await freePort(), await freePort()];
  const tls = `ssl_certificate ${directory}/cert.pem; ssl_certificate_key ${directory}/key.pem;`;
  const location = `location / { proxy_pass http://b; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme; }`;
  const child = startNginx({
    core: proxyCore,
    directory,
    name: "proxy",
    http: `upstream b { server 127.0.0.1:${backend}; keepalive 64; } server { listen 127.0.0.1:${http} backlog=4096; listen 127.0.0.1:${https} ssl http2 backlog=4096; ${tls} ${location} }`,
  });
  await accepts(https);
  return { name: "nginx", http, https, pid: () => child.pid as number };
}

async function haproxy(backend: number): Promise<Proxy> {
  const [http, https] = [await freePort(), await freePort()];
  const file = join(directory, "haproxy.cfg");
  const binds = `bind 127.0.0.1:${http}\n bind 127.0.0.1:${https} ssl crt ${directory}/both.pem alpn h2,http/1.1`;
  writeFileSync(
    file,
    `global\n nbthread 1\n maxconn 4096\ndefaults\n mode http\n option forwardfor\n http-reuse always\n timeout client 60s\n timeout server 60s\n timeout connect 5s\nfrontend f\n ${binds}\n default_backend b\nbackend b\n server s 127.0.0.1:${backend}\n`,
  );
  const child = startOn(proxyCore as string, "haproxy", "-db", "-f", file);
  await accepts(https);
  return { name: "haproxy", http, https, pid: () => child.pid as number };
}

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

const loads: readonly Load[] = [
  { name: "keep-alive, 64 connections, 192 bytes", run: ({ http }) => wrk(64, `http://127.0.0.1:${http}/`) },
  { name: "a new connection each", run: ({ http }) => wrk(64, `http://127.0.0.1:${http}/`, "Connection: close") },
  { name: "4 MiB bodies", run: ({ http }) => wrk(8, `http://127.0.0.1:${http}/large`) },
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
    stdio: ["ignore", "pipe", "ignore"],
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

async function main(): Promise<void> {
  needs("wrk", "nginx", "taskset");
  const { proxies } = await startAll();
  for (const proxy of proxies) for (const load of loads.slice(0, 1)) measure(load, proxy);
  for (const load of loads.filter(({ name }) => name.includes(only))) {
    const results = new Map<string, Round[]>(proxies.map(({ name }) => [name, []]));
    for (let round = 0; round < Number(rounds); round++) for (const proxy of proxies) results.get(proxy.name)?.push(measure(load, proxy));
    const summary = (name: string, of: (round: Round) => number) => median((results.get(name) ?? []).map(of));
    const reference = summary("nginx", ({ perCpuSecond }) => perCpuSecond);
    const referenceRate = summary("nginx", ({ perSecond }) => perSecond);
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
  process.stdout.write(`\nmemory: ${proxies.map(({ name, pid }) => `${name} ${memoryMiB(pid()).toFixed(0)} MiB`).join(", ")}\n`);
}

try {
  await main();
} finally {
  killAll();
  rmSync(directory, { recursive: true, force: true });
}
