/**
 * The API server beside kube-apiserver and etcd: same machine, same run, same load, both durable before they answer. See README.md.
 *
 *   side-by-side.ts [--peers DIR] [--rounds 3] [--seconds 5] [--services 10000] [--only create,list] [--directory DIR] [--json FILE]
 */
import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { fairlead, kubernetes, token, type ApiServerUnderTest as Contestant, type Starter } from "../../test/support/api-servers.ts";
import { bundledApiServer } from "../../test/support/bundled-api-server.ts";
import { table, type Measured, type Row } from "./ratios.ts";

const { values } = parseArgs({
  options: {
    peers: { type: "string" },
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "5" },
    services: { type: "string", default: "10000" },
    watchers: { type: "string", default: "1000" },
    only: { type: "string" },
    directory: { type: "string" },
    json: { type: "string" },
  },
});
const rounds = Number(values.rounds);

function peer(name: string, variable: string): string | undefined {
  const file = process.env[variable] ?? (values.peers === undefined ? undefined : join(values.peers, name));
  return file !== undefined && existsSync(file) ? file : undefined;
}

function buildLoad(directory: string): string {
  const load = join(directory, "load");
  execFileSync("go", ["build", "-o", load, join(import.meta.dirname, "load.go")], { stdio: "inherit" });
  return load;
}

const work = mkdtempSync(join(values.directory ?? tmpdir(), "fairlead-side-by-side-"));
const run = promisify(execFile);
let runs = 0;

async function load(program: string, { url, ca }: Contestant, command: string, ...flags: readonly string[]): Promise<Measured> {
  // Names of their own in each run: nothing that is there is in the way.
  const own = ["-prefix", `r${++runs}`, "-duration", `${values.seconds}s`];
  const { stdout } = await run(program, ["-server", url, "-ca", ca, "-token", token, ...own, ...flags, command], { maxBuffer: 1 << 20 });
  return JSON.parse(stdout) as Measured;
}

interface Step {
  readonly name: string;
  readonly flags: readonly string[];
  readonly command: string;
}

const services = ["-count", values.services];
const steps: readonly Step[] = [
  { name: "create, 1 client", command: "create", flags: ["-clients", "1"] },
  { name: "create, 64 clients", command: "create", flags: [] },
  { name: "create, 64 clients at 1000/s", command: "create", flags: ["-pace", "1000"] },
  { name: "update, 64 clients", command: "update", flags: [] },
  { name: "get, 64 clients", command: "get", flags: [] },
  { name: `list ${values.services} Services, 4 clients`, command: "list", flags: ["-clients", "4"] },
  {
    name: `watch, ${values.watchers} watchers on 100 connections`,
    command: "watch",
    flags: ["-watchers", values.watchers, "-connections", "100", "-count", "200", "-clients", "4"],
  },
];

/** Once before it counts: the first start ever reads programs from the disk and compiles. */
async function startup(starter: Starter, directory: string): Promise<readonly number[]> {
  const times: number[] = [];
  for (let i = 0; i <= rounds; i++) {
    const own = join(directory, `start-${i}`);
    mkdirSync(own);
    const one = await starter.start(own);
    if (i > 0) times.push(one.startup);
    await one.stop();
  }
  return times;
}

const wanted = values.only?.split(",");
const isWanted = (name: string): boolean => wanted === undefined || wanted.some((one) => name.startsWith(one));

async function compare(starters: readonly Starter[], program: string): Promise<readonly Row[]> {
  const rows: Row[] = [];
  const directories = starters.map(({ name }) => join(work, name.replaceAll(/\W+/g, "-")));
  for (const directory of directories) mkdirSync(directory);
  if (isWanted("start")) {
    const times: (readonly number[])[] = [];
    for (const [i, starter] of starters.entries()) times.push(await startup(starter, directories[i] as string));
    rows.push({ name: "start until ready", unit: "ms", better: "less", values: times });
  }
  const running: Contestant[] = [];
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => void Promise.all(running.map((one) => one.stop())).then(() => process.exit(1)));
  try {
    for (const [i, starter] of starters.entries()) running.push(await starter.start(directories[i] as string));
    if (isWanted("memory")) rows.push(memory("memory, empty", running));
    const filled: Measured[] = [];
    for (const one of running) filled.push(await load(program, one, "fill", ...services));
    rows.push({ name: "create Service (and its slice)", unit: "/s", better: "more", values: filled.map((one) => [one.perSecond]) });
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    if (isWanted("memory")) rows.push(memory(`memory, ${values.services} Services with slices`, running));
    for (const { name, command, flags } of steps.filter((step) => isWanted(step.name))) {
      const measured: Measured[][] = running.map(() => []);
      for (let round = 0; round < rounds; round++)
        for (const [i, one] of running.entries()) measured[i]?.push(await load(program, one, command, ...flags));
      rows.push({ name, unit: "/s", better: "more", values: measured.map((list) => list.map((one) => one.perSecond)) });
      rows.push({ name: "    p99", unit: "ms", better: "less", values: measured.map((list) => list.map((one) => one.p99)) });
      process.stderr.write(
        `${table(
          rows.slice(-2),
          starters.map((one) => one.name),
        )
          .split("\n")
          .slice(1)
          .join("\n")}\n`,
      );
    }
    if (isWanted("memory")) rows.push(memory("memory, after all of it", running));
  } finally {
    for (const one of running) await one.stop();
  }
  return rows;
}

function memory(name: string, running: readonly Contestant[]): Row {
  return { name, unit: "MB", better: "less", values: running.map((one) => [one.memory() / 1e6]) };
}

const [apiserver, etcd] = [peer("kube-apiserver", "KUBE_APISERVER"), peer("etcd", "ETCD")];
try {
  if (apiserver === undefined || etcd === undefined)
    console.log("kube-apiserver or etcd is missing (name them with --peers DIR, or KUBE_APISERVER and ETCD): Fairlead alone");
  const program = buildLoad(work);
  const peers = apiserver === undefined || etcd === undefined ? [] : [kubernetes({ apiserver, etcd })];
  const starters = [fairlead(await bundledApiServer(work)), ...peers];
  const rows = await compare(starters, program);
  console.log(
    table(
      rows,
      starters.map((one) => one.name),
    ),
  );
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(rows, null, 2));
} finally {
  rmSync(work, { recursive: true, force: true });
}
