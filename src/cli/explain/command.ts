/** The words of `fairlead explain`. */
import type { Command } from "commander";
import { withCluster, withOutput, type Report } from "../flags.ts";
import type { Output } from "../options.ts";
import type { Terminal } from "../terminal.ts";

export function addExplain(program: Command, terminal: Terminal, report: Report): void {
  withOutput(withCluster(program.command("explain")))
    .description("why each pod is an endpoint of a Service, or why not; exit code 1 when it has no ready endpoint")
    .argument("<kind>", "svc")
    .argument("<name>", "the Service's name")
    .option("-n, --namespace <namespace>", "its namespace", "default")
    .option("--kubeconfig <file>", "any cluster's kubeconfig (read only), instead of a running Fairlead")
    .action(async (kind: string, target: string, flags: { name: string; namespace: string; output: Output; kubeconfig?: string }) => {
      const { explain } = await import("./explain.ts");
      report(await explain({ ...flags, kind, target }, terminal));
    });
}
