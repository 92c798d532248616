/** `fairlead status`: what a running cluster has, read through its API; with `--watch` as it changes. */
import { createInformerFactory } from "../../client/informer-factory.ts";
import type { Client } from "../../client/client.ts";
import { realClock } from "../../lib/clock.ts";
import { silentLogger } from "../../lib/log.ts";
import { read, reportOf } from "../collect.ts";
import { runningClusters, type ClusterFile } from "../cluster-file.ts";
import { connect, findCluster, type ClusterChoice } from "../connect.ts";
import { createScreen, followCluster, printChanges } from "../live.ts";
import type { Output } from "../options.ts";
import { reportText } from "../report.ts";
import { table, type Terminal } from "../terminal.ts";

export interface StatusOptions extends ClusterChoice {
  readonly all: boolean;
  /** Stay, and show what changes: the whole report in a terminal, a line per change elsewhere. */
  readonly watch: boolean;
  readonly output: Output;
}

export async function status(options: StatusOptions, terminal: Terminal): Promise<number> {
  if (options.all) return listAll(options, terminal);
  const cluster = findCluster(options);
  const { client, close } = await connect(cluster.kubeconfig);
  try {
    if (options.watch) await live(cluster, client, options, terminal);
    else {
      const report = reportOf(cluster, await read(client));
      terminal.print(options.output === "json" ? JSON.stringify(report, null, 2) : reportText(report, terminal.paint));
    }
  } finally {
    await close();
  }
  return 0;
}

async function live(cluster: ClusterFile, client: Client, { output }: StatusOptions, terminal: Terminal): Promise<void> {
  const informers = createInformerFactory(client, { clock: realClock, log: silentLogger });
  const end = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => end.abort());
  const shared = { informers, clock: realClock, signal: end.signal };
  const screen = terminal.interactive && output === "text" ? createScreen(process.stdout) : undefined;
  const text = screen === undefined && output === "text" ? printChanges(shared, terminal) : undefined;
  const drawn =
    text ??
    followCluster({
      ...shared,
      onReading(reading) {
        const report = reportOf(cluster, reading);
        if (screen === undefined) terminal.print(JSON.stringify(report));
        else screen.draw(`${reportText(report, terminal.paint)}\n\n${terminal.paint.dim("Ctrl-C leaves; the cluster stays.")}`);
      },
    });
  try {
    informers.start();
    await drawn;
  } finally {
    screen?.close();
    await informers.stop();
  }
}

function listAll(options: StatusOptions, terminal: Terminal): number {
  const clusters = runningClusters();
  if (options.output === "json") terminal.print(JSON.stringify(clusters, null, 2));
  else if (clusters.length === 0) terminal.print("No cluster is running. Start one: fairlead up -f my-manifests/");
  else
    terminal.print(
      table([
        ["NAME", "PID", "SERVER", "MODE", "SINCE", "KUBECONFIG"],
        ...clusters.map(({ name, pid, server, mode, startedAt, kubeconfig }) => [name, String(pid), server, mode, startedAt, kubeconfig]),
      ]),
    );
  return 0;
}
