/** The words of `fairlead simulate`. */
import { Option, type Command } from "commander";
import { FairleadError } from "../../lib/errors.ts";
import { checked, withCluster, type Report } from "../flags.ts";
import { listOption } from "../options.ts";
import type { Terminal } from "../terminal.ts";
import type { SimulateOptions } from "./simulate.ts";

interface Flags extends Omit<SimulateOptions, "files" | "invented"> {
  readonly filename?: readonly string[];
  readonly services?: number;
  readonly nodes: number;
  readonly zones: number;
  readonly endpoints: number;
  readonly seed: number;
}

export function addSimulate(program: Command, terminal: Terminal, report: Report): void {
  const count = (flags: string, text: string, usual: number, least: number, most: number) =>
    new Option(flags, text).default(usual).argParser(checked((value: string) => whole(value, least, most)));
  withCluster(program.command("simulate"))
    .description("where traffic would go: by zone and for each trafficDistribution, what proxies write in each mode, what DNS is asked")
    .option(
      "-f, --filename <path>",
      "nodes, Services and EndpointSlices (a dump: kubectl get -A -o yaml); may be repeated",
      checked(listOption),
    )
    .option("--kubeconfig <file>", "any cluster's kubeconfig (read only), instead of a running Fairlead")
    .addOption(
      new Option("--services <count>", "an invented cluster of so many Services, up to 100000").argParser(
        checked((value: string) => whole(value, 1, 100_000)),
      ),
    )
    .addOption(count("--nodes <count>", "of the invented cluster", 100, 1, 10_000))
    .addOption(count("--zones <count>", "of the invented cluster", 3, 1, 100))
    .addOption(count("--endpoints <count>", "of an invented Service, on average", 5, 1, 1000))
    .addOption(count("--seed <number>", "the same number, the same cluster", 1, 0, 2 ** 31))
    .addOption(
      new Option("--lookups <rate>", "DNS lookups of a pod in a second")
        .default(1)
        .argParser(checked((value: string) => number(value, 1e6))),
    )
    .addOption(
      new Option("--outside <share>", "of them, of names outside the cluster")
        .default(0.3)
        .argParser(checked((value: string) => number(value, 1))),
    )
    .addOption(new Option("-o, --output <format>", "text, json, or svg: a picture").choices(["text", "json", "svg"]).default("text"))
    .action(async ({ filename: files = [], services, nodes, zones, endpoints, seed, ...flags }: Flags) => {
      const { simulateCluster } = await import("./simulate.ts");
      const invented = services === undefined ? undefined : { services, nodes, zones, endpoints, seed };
      report(await simulateCluster({ ...flags, files, ...(invented === undefined ? {} : { invented }) }, terminal));
    });
}

function whole(value: string, least: number, most: number): number {
  const parsed = Number(value);
  if (/^\d{1,10}$/.test(value) && parsed >= least && parsed <= most) return parsed;
  throw new FairleadError("FL_USAGE", `${JSON.stringify(value)} is no whole number from ${least} to ${most}`);
}

function number(value: string, most: number): number {
  const parsed = Number(value);
  if (/^\d+(\.\d+)?$/.test(value) && parsed <= most) return parsed;
  throw new FairleadError("FL_USAGE", `${JSON.stringify(value)} is no number from 0 to ${most}`);
}
