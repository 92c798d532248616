/** The words of `fairlead console`; the work is loaded when it is asked for. */
import { Option, type Command } from "commander";
import { checked, withCluster, type Report } from "../flags.ts";
import { portOption } from "../options.ts";
import type { Terminal } from "../terminal.ts";

export interface ConsoleFlags {
  readonly name: string;
  readonly dataDir?: string;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly port?: number;
}

export function addConsole(program: Command, terminal: Terminal, report: Report): void {
  withCluster(program.command("console"))
    .description("print the URL of a running cluster's web console; with --kubeconfig serve one for any cluster")
    .option("--kubeconfig <file>", "serve the console for the cluster of this kubeconfig, read-only")
    .option("--context <name>", "of the kubeconfig (default: its current-context)")
    .addOption(new Option("--port <port>", "of the console on 127.0.0.1; 0: any (default: 6480)").argParser(checked(portOption)))
    .addHelpText(
      "after",
      `
Examples:
  fairlead console                                     the URL of the console that 'fairlead up' serves
  fairlead console --kubeconfig ~/.kube/config         any cluster: needs the right to list and watch, installs nothing`,
    )
    .action(async (flags: ConsoleFlags) => {
      const { serveConsole } = await import("./console.ts");
      report(await serveConsole(flags, terminal));
    });
}
