/** `fairlead up`: starts a cluster, applies manifests, waits until it rests, tells what is true, stays until a signal. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Cluster, ClusterOptions } from "../../cmd/cluster-options.ts";
import { createCluster } from "../../cmd/cluster.ts";
import { rememberedNetwork } from "../../cmd/network/remembered.ts";
import { realClock, rfc3339 } from "../../lib/clock.ts";
import { FairleadError, errorMessage } from "../../lib/errors.ts";
import { createLogger, type LogLevel } from "../../lib/log.ts";
import { applyAll, problemText, readAll, type ApplyResult } from "../apply.ts";
import { runChecks } from "./checks.ts";
import {
  isRunning,
  processStart,
  readClusterFile,
  registryPath,
  removeClusterFile,
  unregister,
  writeClusterFile,
  type ClusterFile,
} from "../cluster-file.ts";
import { read, reportOf } from "../collect.ts";
import { gatewayApiDefinitions, type GatewayApiChannel } from "./gateway-api.ts";
import { takeMode } from "./mode.ts";
import { printChanges } from "../live.ts";
import { servedResources, type ModeChoice, type NodeLabels, type Output } from "../options.ts";
import { clusterPaths, clusterRoot, checkedName, type ClusterPaths } from "../paths.ts";
import { reportText, type ClusterReport, type NameRow, type RequestRow } from "../report.ts";
import { readSource, sourceFiles } from "../sources.ts";
import type { Console } from "../../console/server.ts";
import { openConsole, type OpenConsoleOptions } from "./open-console.ts";
import type { Terminal } from "../terminal.ts";
import { version } from "../version.ts";
import { waitForRest, type Progress } from "../wait.ts";
import { watchManifests } from "./watch.ts";

export interface UpOptions
  extends Omit<ClusterOptions, "paths" | "clock" | "log" | "runtime" | "name" | "mode" | "nodes" | "nodeLabels">, OpenConsoleOptions {
  /** Whose definitions are installed first. */
  readonly gatewayApi?: GatewayApiChannel;
  readonly name: string;
  readonly mode: ModeChoice;
  readonly nodes: number;
  /** `*` is every node. */
  readonly nodeLabels: NodeLabels;
  readonly dataDir?: string;
  readonly ephemeral: boolean;
  readonly files: readonly string[];
  readonly watch: boolean;
  readonly output: Output;
  /** Milliseconds to wait for pods before the report says that they are not ready. */
  readonly timeout: number;
  readonly check: boolean;
  readonly logLevel: LogLevel;
  /** Ends when aborted; default: SIGINT, SIGTERM, SIGHUP. */
  readonly signal?: AbortSignal;
  /** Where the first report goes as well: the parent of a detached cluster waits for it. */
  readonly reportFile?: string;
}

/** Resolves with the exit code when the cluster has stopped and nothing is left. */
export async function up(options: UpOptions, terminal: Terminal): Promise<number> {
  checkedName(options.name);
  const { mode, pid, why } = await takeMode(
    options.mode,
    options.ephemeral ? undefined : rememberedNetwork(clusterRoot(options))?.mode,
    () => refuseSecond(options),
  );
  const definitions = options.gatewayApi === undefined ? [] : [gatewayApiDefinitions(options.gatewayApi)];
  const sources = [...definitions, ...sourceFiles(options.files).map(readSource)];
  const root = options.ephemeral ? mkdtempSync(join(tmpdir(), `fairlead-${options.name}-`)) : clusterRoot(options);
  const paths = clusterPaths(root);
  const failed = new AbortController();
  const stop = AbortSignal.any([stopSignal(options.signal), failed.signal]);
  const log = createLogger({ level: options.logLevel });
  let cluster: Cluster | undefined;
  let opening: Promise<Console | undefined> | undefined;
  try {
    const starting = terminal.step("Starting the API server, controllers, DNS, proxy and node");
    try {
      cluster = await createCluster({
        ...options,
        mode,
        nodeLabels: labelsOfNodes(options),
        paths,
        clock: realClock,
        log,
        runtime: { kind: "process" },
        onFailure: () => failed.abort(),
      });
    } catch (error) {
      starting.fail();
      throw error;
    }
    starting.done(`API server, controllers, DNS, proxy and node started at ${cluster.server}`);
    register(clusterFile(cluster, paths, options, pid), paths, options);
    opening = openConsole(cluster, options, log);
    const result = await bringIn(cluster, sources, terminal);
    await rest(cluster, options.timeout, terminal, stop);
    const served = await opening;
    if (served !== undefined) register({ ...clusterFile(cluster, paths, options, pid), console: served.url }, paths, options);
    const report = await makeReport(cluster, options, result, terminal, { whyLoopback: why, served });
    publish(report, options, terminal);
    if (options.reportFile !== undefined) writeWhole(options.reportFile, JSON.stringify(report));
    if (options.watch) watchManifests({ cluster, files: options.files, terminal, signal: stop });
    if (options.output === "text") void printChanges({ informers: cluster.informers, clock: realClock, signal: stop }, terminal);
    if (!stop.aborted) await aborted(stop);
    return result.problems.length > 0 || failed.signal.aborted ? 1 : 0;
  } finally {
    // Whatever went wrong meanwhile: it may listen by now.
    await (await opening)?.stop();
    await shutDown(cluster, paths, options, terminal);
  }
}

/** Whoever reads the file sees all of it or nothing. */
function writeWhole(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** `*` is every node; what names one goes before it. Throws FL_USAGE for a node that there is not. */
function labelsOfNodes({ nodes, nodeLabels }: UpOptions): NodeLabels {
  const names = Array.from({ length: nodes }, (_, index) => `node-${index + 1}`);
  const stranger = Object.keys(nodeLabels).find((name) => name !== "*" && !names.includes(name));
  if (stranger !== undefined)
    throw new FairleadError("FL_USAGE", `--node-labels ${stranger}:…: there is no such node`, {
      hint: `Nodes: ${names.join(", ")} (--nodes ${nodes}).`,
    });
  return Object.fromEntries(names.map((name) => [name, { ...nodeLabels["*"], ...nodeLabels[name] }]));
}

function refuseSecond(options: UpOptions): void {
  const own = options.ephemeral ? [] : [clusterPaths(clusterRoot(options)).clusterFile];
  for (const path of [...own, registryPath(options.name)]) {
    const file = readClusterFile(path);
    if (file === undefined || !isRunning(file)) continue;
    throw new FairleadError(
      "FL_ALREADY_RUNNING",
      `cluster ${JSON.stringify(file.name)} is already running (pid ${file.pid}, ${file.server})`,
      {
        hint: `Use it (export KUBECONFIG=${file.kubeconfig}), stop it (fairlead down --name ${file.name}), or start another beside it (fairlead up --name other).`,
      },
    );
  }
}

const sameSignalMs = 500;

/** Aborts at the first signal that asks the program to end; a second one ends it at once. */
function stopSignal(outer: AbortSignal | undefined): AbortSignal {
  const controller = new AbortController();
  let firstAt = 0;
  outer?.addEventListener("abort", () => controller.abort(), { once: true });
  if (outer?.aborted === true) controller.abort();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => {
      // A Ctrl-C may come twice: from the terminal, and passed on by the launcher that it reached as well.
      if (controller.signal.aborted && name === "SIGINT" && performance.now() - firstAt > sameSignalMs) process.exit(130);
      if (!controller.signal.aborted) firstAt = performance.now();
      controller.abort();
    });
  }
  return controller.signal;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    // A timer keeps the process alive: listeners alone may all be unreferenced.
    const alive = setInterval(() => undefined, 2 ** 30);
    signal.addEventListener(
      "abort",
      () => {
        clearInterval(alive);
        resolve();
      },
      { once: true },
    );
  });
}

/** `pid`: as the whole machine sees it; the time of its start is the same in every numbering. */
function clusterFile(cluster: Cluster, paths: ClusterPaths, options: UpOptions, pid: number): ClusterFile {
  return {
    name: options.name,
    pid,
    processStart: processStart(process.pid) ?? "",
    startedAt: rfc3339(Date.now()),
    server: cluster.server,
    kubeconfig: paths.kubeconfig,
    mode: cluster.mode,
    version,
    ephemeral: options.ephemeral,
  };
}

function register(file: ClusterFile, paths: ClusterPaths, options: UpOptions): void {
  writeClusterFile(paths.clusterFile, file);
  if (options.ephemeral || options.dataDir !== undefined) writeClusterFile(registryPath(options.name), file);
}

async function bringIn(cluster: Cluster, sources: readonly ReturnType<typeof readSource>[], terminal: Terminal): Promise<ApplyResult> {
  if (sources.length === 0) return { applied: [], problems: [], warnings: [] };
  const step = terminal.step("Applying manifests");
  const { manifests, problems } = await readAll(sources);
  const result = await applyAll(cluster.client, servedResources(), manifests);
  const all = { ...result, problems: [...problems, ...result.problems] };
  const text = `${all.applied.length} of ${manifests.length} objects applied${all.problems.length > 0 ? `; ${all.problems.length} problem${all.problems.length > 1 ? "s" : ""}` : ""}`;
  if (all.problems.length > 0) step.fail(text);
  else step.done(text);
  for (const problem of all.problems) terminal.note(`  ${terminal.paint.red(problemText(problem))}`);
  return all;
}

async function rest(cluster: Cluster, timeout: number, terminal: Terminal, signal: AbortSignal): Promise<void> {
  const text = ({ readyPods, wantedPods }: Progress) => `${readyPods} of ${wantedPods} pods ready`;
  const step = terminal.step("Waiting for pods");
  const last = await waitForRest(cluster.informers, realClock, timeout, (progress) => step.update(text(progress)), signal);
  if (last.readyPods >= last.wantedPods) step.done(text(last));
  else step.fail(`${text(last)}${last.stuck.length > 0 ? `; ${last.stuck.join(", ")}` : ` after ${timeout / 1000} s`}`);
}

async function makeReport(
  cluster: Cluster,
  options: Pick<UpOptions, "name" | "check">,
  result: ApplyResult,
  terminal: Terminal,
  { whyLoopback, served }: { readonly whyLoopback: string | undefined; readonly served: Console | undefined },
): Promise<ClusterReport> {
  await cluster.settled();
  const reading = await read(cluster.client);
  const step = options.check ? terminal.step("Asking Services and DNS") : undefined;
  const { requests, names } = options.check
    ? await runChecks(reading, {
        agentOf: (nodeName) => cluster.nodeAgent(nodeName),
        node: process.execPath,
        resolvers: cluster.mode === "loopback" ? "server" : "pod",
        ...(cluster.dnsServer.port === 0 ? {} : { dnsServer: cluster.dnsServer }),
        clusterDomain: cluster.clusterDomain,
        ...(cluster.mode === "loopback" ? { serves: (address: string, port: number) => cluster.listensAt(address, port) === port } : {}),
      })
    : { requests: [], names: [] };
  step?.done(checkSummary(requests, names));
  const { mode, server, kubeconfig } = cluster;
  const identity = { name: options.name, version, mode, server, kubeconfig, ...(served === undefined ? {} : { console: served.url }) };
  return reportOf(identity, reading, {
    requests,
    names,
    listensAt: (address, port) => cluster.listensAt(address, port),
    manifests: [...result.problems.map(problemText), ...result.warnings],
    limits: [
      ...(whyLoopback === undefined ? [] : [`Loopback mode: ${whyLoopback}. 'fairlead doctor' says what to enable for namespaces.`]),
      ...cluster.limits(),
    ],
  });
}

function checkSummary(requests: readonly RequestRow[], names: readonly NameRow[]): string {
  const sum = (pick: (row: RequestRow) => number) => requests.reduce((total, row) => total + pick(row), 0);
  const resolved = names.filter(({ answers }) => answers.length > 0).length;
  return `${sum(({ succeeded }) => succeeded)} of ${sum(({ sent }) => sent)} requests answered, ${resolved} of ${names.length} names resolved`;
}

function publish(report: ClusterReport, options: UpOptions, terminal: Terminal): void {
  if (options.output === "json") return terminal.print(JSON.stringify(report, null, 2));
  terminal.print(`\n${reportText(report, terminal.paint)}\n`);
  const after = options.ephemeral ? "leaves nothing behind" : "keeps its objects for the next start";
  terminal.note(terminal.interactive ? `Running. Ctrl-C stops it and ${after}.` : "Running until SIGINT or SIGTERM.");
}

async function shutDown(cluster: Cluster | undefined, paths: ClusterPaths, options: UpOptions, terminal: Terminal): Promise<void> {
  const step = cluster === undefined ? undefined : terminal.step("Stopping");
  try {
    await cluster?.stop();
  } catch (error) {
    terminal.note(`stopping: ${errorMessage(error)}`);
  }
  removeClusterFile(paths.clusterFile);
  // One that did not start is still read by whoever started it in the background.
  if (options.ephemeral && cluster !== undefined) rmSync(registryPath(options.name).replace(/\.json$/, ".log"), { force: true });
  if (options.ephemeral || options.dataDir !== undefined) unregister(options.name);
  if (options.ephemeral) {
    rmSync(paths.root, { recursive: true, force: true });
  }
  step?.done(options.ephemeral ? "Stopped; nothing is left" : `Stopped; its objects are kept in ${paths.root}`);
}
