/** `fairlead status`: what a running cluster has, read through its API. */
import { read, reportOf } from "./collect.ts";
import { runningClusters } from "./cluster-file.ts";
import { connect, findCluster, type ClusterChoice } from "./connect.ts";
import type { Output } from "./options.ts";
import { reportText } from "./report.ts";
import { table, type Terminal } from "./terminal.ts";

export interface StatusOptions extends ClusterChoice {
  readonly all: boolean;
  readonly output: Output;
}

export async function status(options: StatusOptions, terminal: Terminal): Promise<number> {
  if (options.all) return listAll(options, terminal);
  const cluster = findCluster(options);
  const { client, close } = await connect(cluster.kubeconfig);
  try {
    const report = reportOf(cluster, await read(client));
    terminal.print(options.output === "json" ? JSON.stringify(report, null, 2) : reportText(report, terminal.paint));
  } finally {
    await close();
  }
  return 0;
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
