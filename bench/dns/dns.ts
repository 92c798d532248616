/** DNS servers side by side on the same names: queries per second, CPU per query, delay at half of the load, memory. See README.md. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { build } from "../../scripts/build.ts";
import { untilAnswered } from "./ask.ts";
import { cpuMicros, has, latencies, load, memoryMb, warm } from "./load.ts";

interface Contender {
  readonly name: string;
  readonly port: number;
  /** Undefined: the program is not here. */
  readonly command: readonly string[] | undefined;
  readonly env?: Readonly<Record<string, string>>;
}

interface Figures {
  readonly perSecond: number;
  readonly micros: number;
  readonly p50: number;
  readonly p99: number;
  readonly lost: number;
  readonly memory: number;
}

const zone = "shop.svc.cluster.local";
/** What others forward to. */
const upstreamPort = 5410;
const goneNames = 300_000;

interface Setting {
  readonly seconds: number;
  readonly rounds: number;
  readonly names: number;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { seconds: { type: "string" }, rounds: { type: "string" }, names: { type: "string" } } });
  const setting = { seconds: Number(values.seconds ?? 5), rounds: Number(values.rounds ?? 3), names: Number(values.names ?? 10_000) };
  if (!has("dnsperf", "-h")) return console.log("skipped: dnsperf is missing (apt-get install dnsperf)");
  const folder = mkdtempSync(join(tmpdir(), "fairlead-bench-dns-"));
  const built = join(import.meta.dirname, "../../node_modules/.fairlead-bench-dns");
  await build({ out: built });
  try {
    const files = writeFiles(folder, setting.names);
    await compare(authoritative(folder, built), { "names of a zone": files.known, "names made up": files.gone }, setting);
    const upstream = start(fairleadOn(folder, built, upstreamPort, zoneBlock(folder)));
    try {
      await untilAnswered(upstreamPort, files.first);
      await compare(forwarders(folder, built), { "forwarded, then from the cache": files.known }, setting);
    } finally {
      upstream.kill("SIGKILL");
    }
  } finally {
    for (const path of [folder, built]) rmSync(path, { recursive: true, force: true });
  }
}

interface Files {
  readonly known: string;
  readonly gone: string;
  readonly first: string;
}

/** The same names for every server. */
function writeFiles(folder: string, names: number): Files {
  const all = Array.from({ length: names }, (_, i) => ({ label: `svc-${i}`, address: addressOf(i) }));
  const head = `$ORIGIN ${zone}.\n$TTL 300\n@ IN SOA ns hostmaster 1 7200 1800 86400 300\n@ IN NS ns\nns IN A 127.0.0.1\n`;
  writeFileSync(join(folder, "zone"), head + all.map((one) => `${one.label} IN A ${one.address}\n`).join(""));
  const local = all.map((one) => `    local-data: "${one.label}.${zone}. 300 IN A ${one.address}"\n`).join("");
  writeFileSync(join(folder, "local-data"), local);
  const order = all.map((one, i) => ({ ...one, at: Math.imul(i + 1, 2_654_435_761) >>> 0 })).sort((a, b) => a.at - b.at);
  const [known, gone] = [join(folder, "known"), join(folder, "gone")];
  writeFileSync(known, order.map((one) => `${one.label}.${zone} A\n`).join(""));
  writeFileSync(gone, Array.from({ length: goneNames }, (_, i) => `gone-${i}.${zone} A\n`).join(""));
  return { known, gone, first: `svc-0.${zone}.` };
}

const addressOf = (i: number): string => `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`;

function writeNamed(folder: string, name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

const corefile = (folder: string, port: number, block: string): string =>
  writeNamed(folder, `Corefile-${port}`, `.:${port} {\n    bind 127.0.0.1\n    errors\n${block}}\n`);

const zoneBlock = (folder: string): string => `    file ${join(folder, "zone")} ${zone}\n    loadbalance\n`;
const forwardBlock = `    cache 300\n    forward . 127.0.0.1:${upstreamPort}\n`;

function fairleadOn(folder: string, built: string, port: number, block: string): Contender {
  const launcher = join(import.meta.dirname, "../../bin/node");
  return {
    name: "fairlead",
    port,
    command: ["sh", launcher, join(built, "fairlead.js"), "dns", "-conf", corefile(folder, port, block), "-quiet"],
  };
}

function corednsOn(folder: string, port: number, block: string): Contender {
  const program = process.env["COREDNS"] ?? "coredns";
  const command = has(program, "-version") ? [program, "-conf", corefile(folder, port, block)] : undefined;
  return { name: "CoreDNS", port, command, env: { GOMAXPROCS: "1" } };
}

function unboundOn(folder: string, port: number, zones: string): Contender {
  const server = `server:\n    interface: 127.0.0.1@${port}\n    num-threads: 1\n    use-syslog: no\n    do-daemonize: no\n    username: ""\n    chroot: ""\n    pidfile: ""\n    module-config: "iterator"\n    do-not-query-localhost: no\n${zones}remote-control:\n    control-enable: no\n`;
  const path = writeNamed(folder, `unbound-${port}.conf`, server);
  return { name: "unbound", port, command: has("unbound", "-h") ? ["unbound", "-d", "-p", "-c", path] : undefined };
}

function knotOn(folder: string, port: number): Contender {
  mkdirSync(join(folder, "knot"), { recursive: true });
  const server = `server:\n    rundir: ${folder}/knot\n    listen: 127.0.0.1@${port}\n    udp-workers: 1\n    tcp-workers: 1\n    background-workers: 1\n`;
  const zones = `database:\n    storage: ${folder}/knot\nzone:\n  - domain: ${zone}\n    file: ${folder}/zone\n`;
  const path = writeNamed(folder, "knot.conf", server + zones);
  return { name: "Knot", port, command: has("knotd", "-V") ? ["knotd", "-c", path] : undefined };
}

function authoritative(folder: string, built: string): readonly Contender[] {
  return [
    fairleadOn(folder, built, 5401, zoneBlock(folder)),
    { ...fairleadOn(folder, built, 5405, zoneBlock(folder)), name: "fairlead (dgram)", env: { FAIRLEAD_FFI: "off" } },
    corednsOn(folder, 5402, zoneBlock(folder)),
    knotOn(folder, 5403),
    unboundOn(folder, 5404, `    local-zone: "${zone}." static\n    include: "${join(folder, "local-data")}"\n`),
  ];
}

function forwarders(folder: string, built: string): readonly Contender[] {
  const stub = `    local-zone: "local." nodefault\nforward-zone:\n    name: "."\n    forward-addr: 127.0.0.1@${upstreamPort}\n`;
  return [fairleadOn(folder, built, 5411, forwardBlock), corednsOn(folder, 5412, forwardBlock), unboundOn(folder, 5414, stub)];
}

async function compare(contenders: readonly Contender[], kinds: Readonly<Record<string, string>>, setting: Setting): Promise<void> {
  const here = contenders.filter(({ name, command }) => command !== undefined || console.log(`${name}: not here`));
  const running = here.map((contender) => ({ contender, child: start(contender) }));
  try {
    for (const { contender } of running) await untilAnswered(contender.port, `svc-0.${zone}.`);
    for (const [kind, queries] of Object.entries(kinds)) report(kind, measureAll(running, queries, setting));
  } finally {
    for (const { child } of running) child.kill("SIGKILL");
  }
}

/** The child is the server: taskset and the launcher become it. */
function start({ command, env = {} }: Contender): ChildProcess {
  return spawn("taskset", ["-c", "0", ...(command ?? [])], { stdio: "ignore", env: { ...process.env, ...env } });
}

interface Running {
  readonly contender: Contender;
  readonly child: ChildProcess;
}

/** Each in turn, round by round; of each the round in the middle. */
function measureAll(running: readonly Running[], queries: string, { seconds, rounds }: Setting): ReadonlyMap<string, Figures> {
  const measured = new Map<string, Figures[]>();
  for (const { contender } of running) warm(contender.port, queries);
  for (let round = 0; round < rounds; round++) {
    for (const one of running) {
      const figures = measure(one, queries, seconds);
      measured.set(one.contender.name, [...(measured.get(one.contender.name) ?? []), figures]);
    }
  }
  const middle = (list: readonly Figures[]) => list.toSorted((a, b) => a.micros - b.micros)[Math.floor(list.length / 2)] as Figures;
  return new Map([...measured].map(([name, list]) => [name, middle(list)]));
}

function measure({ contender, child }: Running, queries: string, seconds: number): Figures {
  const pid = child.pid ?? 0;
  const before = cpuMicros(pid);
  const { perSecond, completed, lost } = load(contender.port, queries, seconds);
  const micros = (cpuMicros(pid) - before) / completed;
  return { perSecond, micros, lost, ...latencies(contender.port, queries, seconds, perSecond / 2), memory: memoryMb(pid) };
}

const headings = ["queries/s", "µs CPU", "of ours", "p50 ms", "p99 ms", "lost", "MB"];

function report(kind: string, figures: ReadonlyMap<string, Figures>): void {
  const line = (name: string, cells: readonly string[]) => name.padEnd(18) + cells.map((cell) => cell.padStart(11)).join("");
  console.log(`\n${kind}\n${line("server", headings)}`);
  const own = figures.get("fairlead");
  for (const [name, { perSecond, micros, p50, p99, lost, memory }] of figures) {
    const ratio = own === undefined ? "" : `${(micros / own.micros).toFixed(2)} ×`;
    const shown = [
      Math.round(perSecond).toLocaleString("en"),
      micros.toFixed(2),
      ratio,
      p50.toFixed(3),
      p99.toFixed(3),
      String(lost),
      String(memory),
    ];
    console.log(line(name, shown));
  }
}

await main();
