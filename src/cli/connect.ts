/** Finds a running cluster and opens a client to it. */
import { createClient } from "../client/rest.ts";
import { loadKubeconfig } from "../client/kubeconfig.ts";
import { httpsTransport } from "../client/https-transport.ts";
import type { Client } from "../client/client.ts";
import { FairleadError } from "../lib/errors.ts";
import { isRunning, readClusterFile, registryPath, runningClusters, type ClusterFile } from "./cluster-file.ts";
import { clusterPaths, clusterRoot } from "./paths.ts";

export interface ClusterChoice {
  readonly name: string;
  readonly dataDir?: string | undefined;
}

/** What the named cluster says of itself. Throws FL_NOT_RUNNING. */
export function findCluster(choice: ClusterChoice): ClusterFile {
  for (const path of [clusterPaths(clusterRoot(choice)).clusterFile, registryPath(choice.name)]) {
    const file = readClusterFile(path);
    if (file !== undefined && isRunning(file)) return file;
  }
  const others = runningClusters().map(({ name }) => name);
  throw new FairleadError("FL_NOT_RUNNING", `no cluster ${JSON.stringify(choice.name)} is running`, {
    hint: others.length > 0 ? `Running: ${others.join(", ")}. Name one with --name.` : "Start one: fairlead up -f my-manifests/",
  });
}

export interface Connection {
  readonly client: Client;
  close(): Promise<void>;
}

export async function connect(kubeconfig: string): Promise<Connection> {
  const transport = httpsTransport(await loadKubeconfig({ path: kubeconfig }));
  return { client: createClient(transport, { fieldManager: "fairlead" }), close: () => transport.close() };
}
