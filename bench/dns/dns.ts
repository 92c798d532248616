/** DNS servers side by side: queries per second, CPU per query, memory. See README.md. */
import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

interface Contender {
  readonly name: string;
  readonly port: number;
  /** Undefined: the program is not here. */
  readonly command: readonly [program: string, ...args: string[]] | undefined;
  readonly env?: Readonly<Record<string, string>>;
}

interface Figures {
  readonly perSecond: number;
  readonly microsPerQuery: number;
  readonly lost: number;
  readonly residentMb: number;
}

const zone = "shop.svc.cluster.local";

function main(): void {
  const { values } = parseArgs({ options: { seconds: { type: "string" }, rounds: { type: "string" }, names: { type: "string" } } });
  const [seconds, rounds, names] = [Number(values.seconds ?? 5), Number(values.rounds ?? 3), Number(values.names ?? 10_000)];
  if (!has("dnsperf", "-h")) return console.log("skipped: dnsperf is missing (apt-get install dnsperf)");
  const folder = mkdtempSync(join(tmpdir(), "fairlead-bench-dns-"));
  try {
    const kinds = { "known names": writeFiles(folder, names), "unknown names": writeUnknown(folder) };
    const contenders = makeContenders(folder).filter(({ name, command }) => command !== undefined || console.log(`${name}: not here`));
    const running = contenders.map((contender) => ({ contender, child: start(contender) }));
    try {
      for (const [kind, queries] of Object.entries(kinds)) report(kind, measureAll(running, queries, seconds, rounds));
    } finally {
      for (const { child } of running) child.kill("SIGKILL");
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const has = (program: string, ...args: string[]): boolean => spawnSync(program, args).error === undefined;

/** The same names for every server; returns the file of queries. */
function writeFiles(folder: string, names: number): string {
  const address = (i: number) => `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`;
  const all = Array.from({ length: names }, (_, i) => ({ label: `svc-${i}`, address: address(i) }));
  writeFileSync(join(folder, "hosts"), all.map((one) => `${one.address} ${one.label}.${zone}\n`).join(""));
  const head = `$ORIGIN ${zone}.\n$TTL 30\n@ IN SOA ns hostmaster 1 7200 1800 86400 30\n@ IN NS ns\nns IN A 127.0.0.1\n`;
  writeFileSync(join(folder, "zone"), head + all.map((one) => `${one.label} IN A ${one.address}\n`).join(""));
  const order = all.map((one, i) => ({ ...one, at: Math.imul(i + 1, 2_654_435_761) >>> 0 })).sort((a, b) => a.at - b.at);
  writeFileSync(join(folder, "queries"), order.map((one) => `${one.label}.${zone} A\n`).join(""));
  return join(folder, "queries");
}

function writeUnknown(folder: string): string {
  const path = join(folder, "unknown");
  writeFileSync(path, Array.from({ length: 2000 }, (_, i) => `gone-${i}.${zone} A\n`).join(""));
  return path;
}

function makeContenders(folder: string): readonly Contender[] {
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const corefile = (port: number) =>
    file(`Corefile-${port}`, `${zone}:${port} {\n    bind 127.0.0.1\n    errors\n    file ${join(folder, "zone")}\n    loadbalance\n}\n`);
  const coredns = process.env["COREDNS"] ?? "coredns";
  const knot = () => {
    mkdirSync(join(folder, "knot"), { recursive: true });
    return file(
      "knot.conf",
      `server:\n    rundir: ${folder}/knot\n    listen: 127.0.0.1@5403\n    udp-workers: 1\n    tcp-workers: 1\n    background-workers: 1\ndatabase:\n    storage: ${folder}/knot\nzone:\n  - domain: ${zone}\n    file: ${folder}/zone\n`,
    );
  };
  const unbound = () =>
    file(
      "unbound.conf",
      `server:\n    interface: 127.0.0.1@5404\n    num-threads: 1\n    use-syslog: no\n    do-daemonize: no\n    username: ""\n    chroot: ""\n    pidfile: ""\n    local-zone: "${zone}." static\n${readFileSync(
        join(folder, "hosts"),
        "utf8",
      )
        .trim()
        .split("\n")
        .map((line) => line.split(" "))
        .map(([address, name]) => `    local-data: "${name}. 30 IN A ${address}"`)
        .join("\n")}\nremote-control:\n    control-enable: no\n`,
    );
  const root = join(import.meta.dirname, "../..");
  return [
    {
      name: "fairlead",
      port: 5401,
      command: ["sh", join(root, "bin/node"), join(root, "src/cmd/fairlead.ts"), "dns", "-conf", corefile(5401), "-quiet"],
    },
    {
      name: "fairlead (dgram)",
      port: 5405,
      env: { FAIRLEAD_FFI: "off" },
      command: ["sh", join(root, "bin/node"), join(root, "src/cmd/fairlead.ts"), "dns", "-conf", corefile(5405), "-quiet"],
    },
    {
      name: "CoreDNS",
      port: 5402,
      env: { GOMAXPROCS: "1" },
      command: has(coredns, "-version") ? [coredns, "-conf", corefile(5402)] : undefined,
    },
    { name: "Knot", port: 5403, command: has("knotd", "-V") ? ["knotd", "-c", knot()] : undefined },
    { name: "unbound", port: 5404, command: has("unbound", "-h") ? ["unbound", "-d", "-p", "-c", unbound()] : undefined },
  ];
}

interface Running {
  readonly contender: Contender;
  readonly child: ChildProcess;
}

function measureAll(running: readonly Running[], queries: string, seconds: number, rounds: number): ReadonlyMap<string, Figures> {
  const measured = new Map<string, Figures[]>();
  for (const { contender } of running) measure(contender, 0, queries, 1); // until it answers, and warm
  for (let round = 0; round < rounds; round++) {
    for (const { contender, child } of running) {
      const figures = measure(contender, child.pid ?? 0, queries, seconds);
      measured.set(contender.name, [...(measured.get(contender.name) ?? []), figures]);
    }
  }
  const middle = (list: readonly Figures[]) =>
    list.toSorted((a, b) => a.microsPerQuery - b.microsPerQuery)[Math.floor(list.length / 2)] as Figures;
  return new Map([...measured].map(([name, list]) => [name, middle(list)]));
}

function start({ command, env = {} }: Contender): ChildProcess {
  const child = spawn("taskset", ["-c", "0", ...(command ?? [])], { stdio: "ignore", env: { ...process.env, ...env } });
  execFileSync("sleep", ["2"]);
  return child;
}

/** `pid` is the server: taskset and the launcher become it. */
function measure({ name, port }: Contender, pid: number, queries: string, seconds: number): Figures {
  const before = pid === 0 ? 0 : cpuMicros(pid);
  const { stdout } = spawnSync(
    "taskset",
    ["-c", "1", "dnsperf", "-s", "127.0.0.1", "-p", String(port), "-d", queries, "-l", String(seconds), "-c", "8", "-q", "200"],
    { encoding: "utf8" },
  );
  const field = (label: string) => Number(new RegExp(`${label}:\\s+([\\d.]+)`).exec(stdout)?.[1] ?? 0);
  const completed = field("Queries completed");
  if (completed === 0) throw new Error(`${name} does not answer`);
  const micros = pid === 0 ? 0 : cpuMicros(pid) - before;
  return {
    perSecond: field("Queries per second"),
    microsPerQuery: micros / completed,
    lost: field("Queries lost"),
    residentMb: pid === 0 ? 0 : residentMb(pid),
  };
}

/** User and system time of the whole process, in steps of 10 ms. */
function cpuMicros(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

function residentMb(pid: number): number {
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024);
}

function report(kind: string, figures: ReadonlyMap<string, Figures>): void {
  const own = figures.get("fairlead");
  console.log(
    `\n${kind}\n${"server".padEnd(18)}${"queries/s".padStart(11)}${"µs CPU each".padStart(13)}${"of ours".padStart(9)}${"lost".padStart(7)}${"MB".padStart(6)}`,
  );
  for (const [name, { perSecond, microsPerQuery, lost, residentMb: mb }] of figures) {
    const ratio = own === undefined ? "" : `${(microsPerQuery / own.microsPerQuery).toFixed(2)} ×`;
    console.log(
      `${name.padEnd(18)}${Math.round(perSecond).toLocaleString("en").padStart(11)}${microsPerQuery.toFixed(2).padStart(13)}${ratio.padStart(9)}${String(lost).padStart(7)}${String(mb).padStart(6)}`,
    );
  }
}

main();
