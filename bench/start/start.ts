/** Measures start-up and memory; see README.md beside this file. Prints one table; exits 0 whatever the figures are. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const root = join(import.meta.dirname, "../..");
const { values } = parseArgs({
  options: { runs: { type: "string", default: "10" }, idle: { type: "string", default: "60" }, only: { type: "string" } },
});
const runs = Number(values.runs);

interface Run {
  readonly api: number;
  readonly first: number;
}

function median(list: readonly number[]): number {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Polls as fast as it answers; a refused connection costs a tenth of a millisecond. */
async function until(look: () => Promise<boolean>, limit = 30_000): Promise<number> {
  const end = performance.now() + limit;
  while (performance.now() < end) {
    if (await look()) return performance.now();
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error("not within 30 s");
}

function answers(send: (done: (ok: boolean) => void) => void): Promise<boolean> {
  return new Promise((resolve) => send(resolve));
}

const getReadyz = (port: number) =>
  answers((done) => {
    const outgoing = httpsRequest({ host: "127.0.0.1", port, path: "/readyz", rejectUnauthorized: false, agent: false }, (response) => {
      response.resume();
      done(response.statusCode === 200);
    });
    outgoing.on("error", () => done(false));
    outgoing.end();
  });

const getService = (address: string) =>
  answers((done) => {
    const outgoing = httpRequest(`http://${address}/`, { agent: false }, (response) => {
      response.resume();
      done(response.statusCode === 200);
    });
    outgoing.on("error", () => done(false));
    outgoing.end();
  });

interface Way {
  readonly mode: "namespaces" | "loopback";
  /** Of the Service: chosen on purpose, so that it can be asked from outside before any report is printed. */
  readonly spec: string;
  readonly address: string;
}

/** The addresses are those of the first cluster on a machine: no other may run. */
const ways: readonly Way[] = [
  { mode: "namespaces", spec: "type: NodePort\n  ports: [{ port: 8080, nodePort: 30777 }]", address: "127.97.254.1:30777" },
  { mode: "loopback", spec: "clusterIP: 127.96.77.7\n  ports: [{ port: 8080 }]", address: "127.96.77.7:8080" },
];

const manifests = (spec: string) => `
apiVersion: v1
kind: Service
metadata: { name: bench, namespace: default }
spec:
  ${spec}
  selector: { app: bench }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: bench, namespace: default }
spec:
  replicas: 3
  selector: { matchLabels: { app: bench } }
  template:
    metadata: { labels: { app: bench } }
    spec:
      containers:
        - name: web
          image: node:26
          command: [node, -e, "require('http').createServer((q,s)=>s.end('ok')).listen(8080,process.env.HOST)"]
          ports: [{ containerPort: 8080 }]
          readinessProbe: { httpGet: { port: 8080 } }
`;

async function measure(
  command: readonly string[],
  file: string,
  port: number,
  { mode, address }: Way,
  idle: number,
): Promise<Run & { pss?: number }> {
  const data = mkdtempSync(join(tmpdir(), "fairlead-bench-"));
  const began = performance.now();
  const args = [
    ...command.slice(1),
    "-f",
    file,
    "--ephemeral",
    "--no-check",
    "--name",
    "bench",
    "--mode",
    mode,
    "--api-port",
    String(port),
  ];
  const child = spawn(command[0] as string, args, {
    cwd: root,
    stdio: "ignore",
    env: { ...process.env, XDG_DATA_HOME: data },
    detached: true,
  });
  try {
    const [api, first] = await Promise.all([until(() => getReadyz(port)), until(() => getService(address))]);
    if (idle === 0) return { api: api - began, first: first - began };
    await new Promise((resolve) => setTimeout(resolve, idle * 1000));
    return { api: api - began, first: first - began, pss: pssOf(child.pid ?? 0) };
  } finally {
    await stop(child);
    // npm may be gone before what it started is: the next run must not meet this one's server.
    await until(async () => !(await getReadyz(port)));
    rmSync(data, { recursive: true, force: true });
  }
}

async function stop(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once("exit", resolve));
  process.kill(-(child.pid ?? 0), "SIGTERM");
  await gone;
}

/** Fairlead itself: the process and what runs the same program below it; pods run other programs in groups of their own. */
function pssOf(pid: number): number {
  const group = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && statField(name, 2) === String(pid));
  return group.reduce((sum, name) => sum + Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${name}/smaps_rollup`, "utf8"))?.[1] ?? 0), 0);
}

function statField(pid: string, field: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[field];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

async function main(): Promise<void> {
  const { writeFileSync } = await import("node:fs");
  const scratch = mkdtempSync(join(tmpdir(), "fairlead-bench-manifests-"));
  const rows = {
    push: ([what, figure, goal]: readonly [string, string, string]) =>
      console.log(`${what.padEnd(66)} ${figure.padStart(9)}   ${goal === "" ? "" : `goal ${goal}`}`),
  };
  const empty: number[] = [];
  for (let i = 0; i < runs; i++) empty.push(await emptyNode());
  rows.push(["node -e 0 (for scale)", `${median(empty).toFixed(0)} ms`, ""]);
  for (const way of ways) {
    const file = join(scratch, `${way.mode}.yaml`);
    writeFileSync(file, manifests(way.spec));
    const row = (what: string, figure: string, goal: string) => rows.push([`${way.mode}: ${what}`, figure, goal]);
    for (const [name, command, goals] of [
      ["process start", ["sh", "bin/fairlead", "up"], ["300 ms", "800 ms"]],
      ["npm start", ["npm", "start", "--silent", "--"], ["800 ms", "1300 ms"]],
    ] as const) {
      const all: Run[] = [];
      for (let i = 0; i < runs; i++) all.push(await measure(command, file, 26443, way, 0));
      row(`${name} to API answering`, `${median(all.map(({ api }) => api)).toFixed(0)} ms`, goals[0]);
      row(`${name} to first request through a Service`, `${median(all.map(({ first }) => first)).toFixed(0)} ms`, goals[1]);
    }
    const idle = Number(values.idle);
    if (idle === 0) continue;
    const { pss = 0 } = await measure(["sh", "bin/fairlead", "up"], file, 26443, way, idle);
    row(`PSS of Fairlead's processes after ${idle} idle seconds`, `${(pss / 1024).toFixed(0)} MiB`, "124 MiB (130 MB)");
  }
  const library: number[] = [];
  for (let i = 0; i < runs; i++) library.push(await libraryStart());
  rows.push(["startCluster(), function runtime, to the first answer", `${median(library).toFixed(0)} ms`, "200 ms"]);
  rmSync(scratch, { recursive: true, force: true });
}

function timed(command: string, args: readonly string[]): Promise<{ readonly took: number; readonly output: string }> {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    let output = "";
    const child = spawn(command, [...args], { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.once("exit", (code) =>
      code === 0 ? resolve({ took: performance.now() - began, output }) : reject(new Error(`${command} ended with ${code}`)),
    );
  });
}

async function emptyNode(): Promise<number> {
  return (await timed(process.execPath, ["-e", "0"])).took;
}

/** In a process of its own, its imports done: what one more cluster costs in a test file. */
async function libraryStart(): Promise<number> {
  return Number((await timed(process.execPath, [join(import.meta.dirname, "library.ts")])).output);
}

await main();
