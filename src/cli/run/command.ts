/** The words of `fairlead run`. */
import type { Command } from "commander";
import { withCluster, type Report } from "../flags.ts";
import type { Terminal } from "../terminal.ts";

export function addRun(program: Command, terminal: Terminal, report: Report): void {
  withCluster(program.command("run"))
    .description("run a command of this machine inside the cluster's network: fairlead run -- curl http://web:8080")
    .usage("[options] -- COMMAND [ARGUMENT...]")
    .argument("<command...>", "the command and its words, after --")
    .option("-n, --namespace <namespace>", "whose names are found without a suffix", "default")
    .addHelpText(
      "after",
      "\nIts exit code is the command's. Files, directory and terminal stay your own; only the network is the cluster's.",
    )
    .action(async (command: readonly string[], flags: { name: string; dataDir?: string; namespace: string }) => {
      const { run: runCommand } = await import("./run.ts");
      report(await runCommand({ ...flags, command }, terminal));
    });
}
