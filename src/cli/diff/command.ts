/** The words of `fairlead diff`. */
import { type Command } from "commander";
import { withCluster, withOutput, type Report } from "../flags.ts";
import type { Terminal } from "../terminal.ts";
import type { DiffOptions } from "./diff.ts";

export function addDiff(program: Command, terminal: Terminal, report: Report): void {
  withOutput(withCluster(program.command("diff")))
    .description("what changed in the routing of Services and Ingresses since a moment, and which write did it")
    .requiredOption("--since <time>", "5m (ago), 2026-01-31T10:00:00Z, or a revision")
    .option("--to <time>", "until then (default: now)")
    .option("-n, --namespace <namespace>", "only there")
    .option("--kubeconfig <file>", "of a Fairlead, instead of the one that runs here")
    .action(async (flags: DiffOptions) => {
      report(await (await import("./diff.ts")).diff(flags, terminal));
    });
}
