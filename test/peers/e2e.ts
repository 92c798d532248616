/**
 * Upstream's own end-to-end tests against `fairlead up`: `E2E_TEST=…/e2e.test sh bin/node test/peers/e2e.ts [flags]`.
 * `AGNHOST=…/agnhost` lets upstream's own agnhost run in the pods, else ours does.
 *
 *     --focus REGEX    which specs; default: the conformance tests of [sig-network]
 *     --skip REGEX     which not
 *     --procs N        how many processes share them (default 2); what upstream marks [Serial] runs alone, afterwards
 *     --out DIR        logs and reports; default a temporary directory
 *     --minutes N      after which what still runs is interrupted (default 60)
 *     --nodes N        of its own cluster, in three zones in turn (default 6: some specs want two in each)
 *     --kubeconfig F   a cluster that runs already, in place of one of its own
 *
 * Prints one line for each spec that did not pass, and the count. `test/peers/build.ts` builds both.
 */
import { execFileSync, spawn } from "node:child_process";
import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { ClusterReport } from "../../src/cli/report.ts";
import { program } from "../support/program.ts";

/** Of a Ginkgo report (onsi/ginkgo types/types.go), what is read here. */
interface SpecReport {
  readonly ContainerHierarchyTexts: readonly string[] | null;
  readonly LeafNodeType: string;
  readonly LeafNodeText: string;
  readonly State: string;
  /** Nanoseconds. */
  readonly RunTime: number;
  readonly Failure?: { readonly Message: string };
}

const conformance = "\\[sig-network\\].*\\[Conformance\\]";
const { values } = parseArgs({
  options: {
    focus: { type: "string", default: conformance },
    skip: { type: "string", default: "" },
    procs: { type: "string", default: "2" },
    out: { type: "string" },
    minutes: { type: "string", default: "60" },
    nodes: { type: "string", default: "6" },
    kubeconfig: { type: "string" },
  },
});

const deadline = performance.now() + 60_000 * Number(values.minutes);

const nameOf = ({ ContainerHierarchyTexts, LeafNodeText }: SpecReport) => [...(ContainerHierarchyTexts ?? []), LeafNodeText].join(" ");
const escaped = (name: string) => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

function readReport(path: string): readonly SpecReport[] {
  const suites = JSON.parse(readFileSync(path, "utf8")) as readonly { SpecReports: readonly SpecReport[] | null }[];
  return suites.flatMap(({ SpecReports }) => SpecReports ?? []).filter(({ LeafNodeType }) => LeafNodeType === "It");
}

/** What would run, without a cluster. */
function listSpecs(binary: string, out: string): readonly SpecReport[] {
  const report = join(out, "list.json");
  const skip = values.skip === "" ? [] : [`--ginkgo.skip=${values.skip}`];
  const flags = ["--ginkgo.dry-run", "--ginkgo.silence-skips", `--ginkgo.focus=${values.focus}`, ...skip, "--provider=skeleton"];
  execFileSync(binary, [...flags, `--ginkgo.json-report=${report}`], { stdio: "ignore" });
  return readReport(report).filter(({ State }) => State === "passed");
}

/** Runs the specs of those names; resolves with their reports, also when they fail. */
async function runSpecs(
  binary: string,
  out: string,
  label: string,
  kubeconfig: string,
  names: readonly string[],
): Promise<readonly SpecReport[]> {
  if (names.length === 0 || performance.now() > deadline) return [];
  const report = join(out, `${label}.json`);
  rmSync(report, { force: true });
  const words = [
    // Ginkgo matches the suite's name with them.
    `--ginkgo.focus=(?:${names.map(escaped).join("|")})$`,
    ...["--ginkgo.no-color", "--ginkgo.silence-skips", "--ginkgo.v", "--ginkgo.timeout=24h", `--ginkgo.json-report=${report}`],
    ...["--provider=skeleton", `--kubeconfig=${kubeconfig}`, "--dump-logs-on-failure=false", "--allowed-not-ready-nodes=0"],
  ];
  const child = spawn(binary, words, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, KUBECONFIG: kubeconfig } });
  const log = createWriteStream(join(out, `${label}.log`));
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  // Ginkgo writes its report when it is interrupted, too.
  const timer = setTimeout(() => child.kill("SIGINT"), Math.max(deadline - performance.now(), 0));
  await new Promise((done) => child.once("close", done));
  clearTimeout(timer);
  log.end();
  try {
    const wanted = new Set(names);
    return readReport(report).filter((spec) => wanted.has(nameOf(spec)));
  } catch {
    console.error(`${label}: no report; see ${join(out, `${label}.log`)}`);
    return [];
  }
}

/** Of a process that crashes (some specs panic outside of Ginkgo's sight), only so many specs have no report. */
const batchSize = 10;

async function runInBatches(binary: string, out: string, kubeconfig: string, names: readonly string[]): Promise<readonly SpecReport[]> {
  const batches = Array.from({ length: Math.ceil(names.length / batchSize) }, (_, index) =>
    names.slice(index * batchSize, (index + 1) * batchSize),
  );
  const queue = batches.entries();
  const worker = async () => {
    const reports: SpecReport[] = [];
    for (const [index, batch] of queue) reports.push(...(await runSpecs(binary, out, `run-${index}`, kubeconfig, batch)));
    return reports;
  };
  return (await Promise.all(Array.from({ length: Number(values.procs) }, worker))).flat();
}

async function withCluster<T>(use: (kubeconfig: string) => Promise<T>): Promise<T> {
  if (values.kubeconfig !== undefined) return await use(resolve(values.kubeconfig));
  const home = mkdtempSync(join(tmpdir(), "fairlead-e2e-"));
  const fairlead = program(home);
  if (process.env["AGNHOST"] !== undefined) fairlead.env["AGNHOST"] = resolve(process.env["AGNHOST"]);
  const zones = Array.from({ length: Number(values.nodes) }, (_, index) => {
    return ["--node-labels", `node-${index + 1}:topology.kubernetes.io/zone=zone-${"abc"[index % 3]}`];
  });
  const up = await fairlead.run(
    ...["up", "--detach", "--name", "e2e", "--mode", "namespaces", "--nodes", values.nodes, "--api-port", "0", "--no-check", "-o", "json"],
    ...zones.flat(),
  );
  if (up.code !== 0) throw new Error(`up failed: ${up.stderr}`);
  try {
    return await use((JSON.parse(up.stdout) as ClusterReport).kubeconfig);
  } finally {
    await fairlead.run("down", "--name", "e2e");
    rmSync(home, { recursive: true, force: true });
  }
}

function summarize(wanted: readonly string[], ran: readonly SpecReport[], out: string): void {
  const states = new Map(wanted.map((name) => [name, "not run"]));
  for (const spec of ran) states.set(nameOf(spec), spec.State);
  const reasons = new Map(ran.map((spec) => [nameOf(spec), spec.Failure?.Message ?? ""]));
  const counts = new Map<string, number>();
  for (const state of states.values()) counts.set(state, (counts.get(state) ?? 0) + 1);
  for (const [name, state] of [...states].sort())
    if (state !== "passed")
      console.log(`${state}: ${name}\n    ${(reasons.get(name) ?? "").split("\n").slice(0, 3).join("\n    ").slice(0, 400)}`);
  console.log([...counts].map(([state, count]) => `${count} ${state}`).join(", "), `of ${wanted.length}; logs in ${out}`);
  writeFileSync(join(out, "summary.json"), JSON.stringify(Object.fromEntries(states), null, 2));
}

async function main(): Promise<number> {
  const binary = process.env["E2E_TEST"];
  if (binary === undefined) {
    console.log("skipped: name upstream's e2e.test with $E2E_TEST (test/peers/build.ts builds it)");
    return 0;
  }
  const out = values.out === undefined ? mkdtempSync(join(tmpdir(), "fairlead-e2e-reports-")) : resolve(values.out);
  mkdirSync(out, { recursive: true });
  const specs = listSpecs(binary, out);
  const all = specs.map(nameOf);
  const names = all.filter((name) => !name.includes("[Serial]"));
  const serial = all.filter((name) => name.includes("[Serial]"));
  const ran = await withCluster(async (kubeconfig) => {
    const parallel = await runInBatches(binary, out, kubeconfig, names);
    return [...parallel, ...(await runSpecs(binary, out, "serial", kubeconfig, serial))];
  });
  summarize([...names, ...serial], ran, out);
  return ran.length === specs.length && ran.every(({ State }) => State === "passed" || State === "skipped") ? 0 : 1;
}

process.exitCode = await main();
