/** `fairlead up --detach`: the cluster runs in the background; this process ends when the cluster is ready. */
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { startDaemon } from "../../host/daemon.ts";
import { FairleadError, errnoCode } from "../../lib/errors.ts";
import { clusterPaths, clusterRoot, dataHome } from "../paths.ts";
import { reportText, type ClusterReport } from "../report.ts";
import type { Terminal } from "../terminal.ts";
import type { Output } from "../options.ts";

export interface DetachOptions {
  readonly name: string;
  readonly dataDir?: string;
  readonly ephemeral: boolean;
  readonly output: Output;
  /** Milliseconds until the report must be there. */
  readonly timeout: number;
}

/** The hidden option by which the background process is told where to put its first report. */
export const reportFlag = "--report-file";

/** `args`: the command line without `--detach`. Resolves with the exit code. */
export async function detach(args: readonly string[], options: DetachOptions, terminal: Terminal): Promise<number> {
  const root = options.ephemeral ? join(dataHome(), "running") : clusterRoot(options);
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const logFile = options.ephemeral ? join(root, `${options.name}.log`) : clusterPaths(root).log;
  const reportFile = join(dirname(logFile), `.${options.name}.report-${process.pid}`);
  const step = terminal.step(`Starting ${options.name} in the background`);
  const daemon = startDaemon(
    [process.execPath, ...process.execArgv, process.argv[1] as string, ...args, reportFlag, reportFile],
    logFile,
    process.env,
  );
  const report = await waitForReport(reportFile, daemon.exited, options.timeout);
  rmSync(reportFile, { force: true });
  daemon.release();
  if (report === undefined) {
    step.fail();
    const output = tail(logFile);
    if (!options.ephemeral)
      throw new FairleadError("FL_RUNTIME", `the cluster did not start:\n${output}`, { hint: `The whole output is in ${logFile}.` });
    rmSync(logFile, { force: true });
    throw new FairleadError("FL_RUNTIME", `the cluster did not start:\n${output}`);
  }
  step.done(`${options.name} runs in the background (pid ${daemon.pid})`);
  terminal.print(options.output === "json" ? JSON.stringify(report, null, 2) : `\n${reportText(report, terminal.paint)}\n`);
  terminal.note(`Stop it: fairlead down${options.name === "default" ? "" : ` --name ${options.name}`}. Its log: ${logFile}`);
  return report.problems.length > 0 && report.pods.some(({ ready }) => !ready) ? 1 : 0;
}

async function waitForReport(path: string, exited: Promise<number>, timeout: number): Promise<ClusterReport | undefined> {
  let gone = false;
  void exited.then(() => (gone = true));
  const end = performance.now() + timeout;
  for (;;) {
    const report = readReport(path);
    if (report !== undefined) return report;
    if (gone || performance.now() > end) return undefined;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function readReport(path: string): ClusterReport | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as ClusterReport;
  } catch (error) {
    if (errnoCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

function tail(path: string): string {
  return readFileSync(path, "utf8").trimEnd().split("\n").slice(-15).join("\n");
}
