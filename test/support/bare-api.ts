/** An API server of ours with nothing behind it: no controllers, no pods, no DNS; its objects are as a test or a benchmark writes them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodes, serviceCidrs } from "../../src/api/resources.ts";
import { clusterPaths } from "../../src/cli/paths.ts";
import type { Client } from "../../src/client/client.ts";
import { createCluster } from "../../src/cmd/cluster.ts";
import { controllers } from "../../src/controllers/index.ts";
import { realClock } from "../../src/lib/clock.ts";
import { silentLogger } from "../../src/lib/log.ts";

export interface BareApi {
  readonly client: Client;
  /** A kubeconfig with every right, for who comes over TLS. */
  readonly kubeconfig: string;
  stop(): Promise<void>;
}

export interface BareApiOptions {
  readonly serviceRange: string;
  readonly node: {
    readonly name: string;
    readonly addresses: readonly string[];
    readonly podCIDRs: readonly string[];
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly storage?: "memory" | "sqlite";
}

/** Listens on 127.0.0.1. Has the Node and the ServiceCIDR that a proxy asks for. */
export async function startBareApi({ serviceRange, node, storage = "memory" }: BareApiOptions): Promise<BareApi> {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-api-"));
  const cluster = await createCluster({
    name: "bare",
    paths: clusterPaths(directory),
    clock: realClock,
    log: silentLogger,
    runtime: { kind: "function", functions: {} },
    storage,
    apiPort: 0,
    serviceClusterIPRange: serviceRange,
    disable: ["dns", "proxy", "forward-proxy", "kubelet", "gateway", ...controllers.map(({ name }) => name)],
  });
  const { client } = cluster;
  // The controller that would write this is off.
  await client.create(serviceCidrs, { metadata: { name: "kubernetes" }, spec: { cidrs: serviceRange.split(",") } });
  const { name, podCIDRs, labels = {} } = node;
  const created = await client.create(nodes, { metadata: { name, labels }, spec: { podCIDRs: [...podCIDRs] } });
  await client.updateStatus(nodes, {
    ...created,
    status: { ...created.status, addresses: node.addresses.map((address) => ({ type: "InternalIP" as const, address })) },
  });
  return {
    client,
    kubeconfig: await cluster.listen(),
    async stop() {
      await cluster.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
