/** `fairlead kubeconfig`: prints the kubeconfig of a running cluster, or where it is. */
import { readFileSync } from "node:fs";
import { findCluster, type ClusterChoice } from "../connect.ts";
import type { Terminal } from "../terminal.ts";

export interface KubeconfigOptions extends ClusterChoice {
  readonly path: boolean;
}

export function kubeconfig(options: KubeconfigOptions, terminal: Terminal): number {
  const { kubeconfig: path } = findCluster(options);
  terminal.print(options.path ? path : readFileSync(path, "utf8").trimEnd());
  return 0;
}
