/** The words of `fairlead explain`. */
import { Option, type Command } from "commander";
import { checked, withCluster, type Report } from "../flags.ts";
import { listOption } from "../options.ts";
import type { Terminal } from "../terminal.ts";
import type { ExplainOptions } from "./explain.ts";

interface ExplainFlags extends Omit<ExplainOptions, "target" | "files"> {
  readonly filename?: readonly string[];
  readonly all: boolean;
}

export function addExplain(program: Command, terminal: Terminal, report: Report): void {
  withCluster(program.command("explain"))
    .description("what becomes of a request and why, and what to change; exit code 1 when it does not arrive")
    .argument(
      "[target...]",
      "URL, DNS name, NAME:PORT, ADDRESS:PORT, svc/NAME, pod/NAME, ingress/NAME, httproute/NAME (svc NAME is svc/NAME)",
    )
    .option("--from <client>", "who asks: pod/NAMESPACE/NAME, node/NAME, outside, or an address (default: some pod of the namespace)")
    .option("-n, --namespace <namespace>", "of names without one (default: the client's, else default)")
    .option("-X, --method <method>", "of an HTTP request", "GET")
    .option("-H, --header <NAME: VALUE>", "of an HTTP request; may be repeated", (value: string, all: readonly string[] = []) => [
      ...all,
      value,
    ])
    .option(
      "-f, --filename <path>",
      "objects in YAML or JSON, as people write them or as a cluster gives them; may be repeated",
      checked(listOption),
    )
    .option("--kubeconfig <file>", "any cluster's kubeconfig (list rights are enough), instead of a running Fairlead")
    .addOption(
      new Option("--proxy-mode <mode>", "whose rules are shown (default: as the cluster says)").choices([
        "nftables",
        "iptables",
        "ipvs",
        "userspace",
      ]),
    )
    .option("--live", "try it from the pod that asks, and compare with what the objects say", false)
    .option("--at <time>", "as it was: 2026-01-31T10:00:00Z, 5m (ago), or a revision; of a running Fairlead, which keeps history")
    .option("--all", "audit everything instead of one target; exit code 1 when something is broken", false)
    .addOption(new Option("-o, --output <format>", "text or json; sarif with --all").choices(["text", "json", "sarif"]).default("text"))
    .action(async (words: readonly string[], { filename: files = [], all, ...flags }: ExplainFlags) => {
      if (all) report(await (await import("./audit.ts")).audit({ ...flags, files }, terminal));
      else report(await (await import("./explain.ts")).explain({ ...flags, target: words.join("/"), files }, terminal));
    });
}
