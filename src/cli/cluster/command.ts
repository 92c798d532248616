/** The words of the verbs about a running cluster: down, status, logs, kubeconfig, trust, debug. */
import { Option, type Command } from "commander";
import { FairleadError } from "../../lib/errors.ts";
import { checked, withCluster, withOutput, type Report } from "../flags.ts";
import type { Output } from "../options.ts";
import type { Terminal } from "../terminal.ts";

export function addClusterVerbs(program: Command, terminal: Terminal, report: Report): void {
  addDown(program, terminal, report);
  addStatus(program, terminal, report);
  addLogs(program, terminal, report);
  addKubeconfig(program, terminal, report);
  addTrust(program, terminal, report);
  addDebug(program, terminal, report);
}

function addDown(program: Command, terminal: Terminal, report: Report): void {
  withCluster(program.command("down"))
    .description("stop a cluster and everything it runs")
    .option("--all", "stop every running cluster of this user", false)
    .option("--delete-data", "also remove its objects, addresses and certificates", false)
    .action(async (flags: { name: string; dataDir?: string; all: boolean; deleteData: boolean }) => {
      const { down } = await import("./down.ts");
      report(await down(flags, terminal));
    });
}

function addStatus(program: Command, terminal: Terminal, report: Report): void {
  withOutput(withCluster(program.command("status")))
    .description("nodes, pods, Services and what is wrong with them")
    .option("--all", "list the running clusters", false)
    .option("-w, --watch", "stay and show what changes: the whole report in a terminal, a line per change elsewhere", false)
    .action(async (flags: { name: string; dataDir?: string; all: boolean; watch: boolean; output: Output }) => {
      const { status } = await import("./status.ts");
      report(await status(flags, terminal));
    });
}

function addLogs(program: Command, terminal: Terminal, report: Report): void {
  withCluster(program.command("logs"))
    .description("the output of a pod, or of all pods of a Deployment (deployment/NAME)")
    .argument("<target>", "POD or deployment/NAME")
    .option("-n, --namespace <namespace>", "its namespace", "default")
    .option("-c, --container <name>", "which container, where the pod has several")
    .option("-f, --follow", "keep printing what comes", false)
    .option("-p, --previous", "of the run before the last restart", false)
    .option("--timestamps", "the time before each line", false)
    .addOption(new Option("--tail <lines>", "only the last lines").argParser(checked((value: string) => count(value))))
    .action(
      async (
        target: string,
        flags: {
          name: string;
          namespace: string;
          follow: boolean;
          previous: boolean;
          timestamps: boolean;
          tail?: number;
          container?: string;
        },
      ) => {
        const { logs } = await import("./logs.ts");
        report(await logs({ ...flags, target }, terminal));
      },
    );
}

function count(value: string): number {
  if (/^\d{1,9}$/.test(value)) return Number(value);
  throw new FairleadError("FL_USAGE", `${JSON.stringify(value)} is no number of lines`);
}

function addKubeconfig(program: Command, terminal: Terminal, report: Report): void {
  withCluster(program.command("kubeconfig"))
    .description("print the kubeconfig of a running cluster")
    .option("--path", "print only where the file is: export KUBECONFIG=$(fairlead kubeconfig --path)", false)
    .action(async (flags: { name: string; dataDir?: string; path: boolean }) => {
      const { kubeconfig } = await import("./kubeconfig.ts");
      report(kubeconfig(flags, terminal));
    });
}

function addTrust(program: Command, terminal: Terminal, report: Report): void {
  withOutput(withCluster(program.command("trust")))
    .description("where the local CA of Ingress hosts is, and how to trust it; changes nothing by itself")
    .action(async (flags: { name: string; dataDir?: string; output: Output }) => {
      const { trust } = await import("./trust.ts");
      report(trust(flags, terminal));
    });
}

function addDebug(program: Command, terminal: Terminal, report: Report): void {
  const debug = program.command("debug").description("what helps somebody else to understand a cluster");
  withCluster(debug.command("bundle"))
    .description("objects, events, logs, metrics and health in one .tar.gz file; values of Secrets are left out")
    .option("--file <path>", "where it goes (default: fairlead-NAME-TIME.tar.gz here)")
    .action(async (flags: { name: string; dataDir?: string; file?: string }) => {
      const { debugBundle } = await import("../debug/bundle.ts");
      report(await debugBundle(flags, terminal));
    });
}
