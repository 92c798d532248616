/** The words of `fairlead snapshot`; the work is in a file per verb, loaded when it is asked for. */
import type { Command } from "commander";
import { withCluster, withOutput, type Report } from "../flags.ts";
import type { Output } from "../options.ts";
import type { Terminal } from "../terminal.ts";

interface ClusterFlags {
  readonly name: string;
  readonly dataDir?: string;
}

export function addSnapshot(program: Command, terminal: Terminal, report: Report): void {
  const snapshot = program.command("snapshot").description("save all objects of a cluster to a file, and restore them");
  withCluster(snapshot.command("save"))
    .description("write everything that a running cluster stores, as of this moment, to a file; the cluster goes on")
    .argument("<file>", "made with mode 0600: Secrets are in it")
    .option("--kubeconfig <file>", "a Fairlead elsewhere, by an administrator's kubeconfig")
    .action(async (file: string, flags: ClusterFlags & { readonly kubeconfig?: string }) => {
      const { save } = await import("./save.ts");
      report(await save(file, flags, terminal));
    });
  withCluster(snapshot.command("restore"))
    .description("make a cluster that does not run of a file; start it with `fairlead up`")
    .argument("<file>", "what `fairlead snapshot save` wrote")
    .option("--replace", "give up the objects that are there", false)
    .action(async (file: string, flags: ClusterFlags & { readonly replace: boolean }) => {
      const { restore } = await import("./restore.ts");
      report(await restore(file, flags, terminal));
    });
  withOutput(snapshot.command("status"))
    .description("what is in a file, and whether it is whole")
    .argument("<file>", "what `fairlead snapshot save` wrote")
    .action(async (file: string, flags: { readonly output: Output }) => {
      const { status } = await import("./status.ts");
      report(await status(file, flags.output, terminal));
    });
}
