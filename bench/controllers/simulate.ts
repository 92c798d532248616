/**
 * 5,000 pods on 500 nodes that are simulated by real kubelets: what a pod costs, what one change costs, and what a rolling update of all
 * endpoints costs those who watch slices and those who watch Endpoints. See README.md beside this file.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { deployments, endpointSlices, pods, services, type Resource } from "../../src/api/resources.ts";
import type { KubeObject } from "../../src/api/object.ts";
import type { Deployment } from "../../src/api/types.ts";
import { clusterPaths } from "../../src/cli/paths.ts";
import type { Cluster } from "../../src/cmd/cluster-options.ts";
import { createCluster } from "../../src/cmd/cluster.ts";
import { realClock } from "../../src/lib/clock.ts";
import { createLogger } from "../../src/lib/log.ts";
import { watchedBytes } from "./watched-bytes.ts";
import { worstTimerDelay } from "./worst-delay.ts";

const { values } = parseArgs({
  options: {
    nodes: { type: "string", default: "500" },
    pods: { type: "string", default: "5000" },
    storage: { type: "string", default: "memory" },
    "no-rollout": { type: "boolean", default: false },
  },
});
const [nodeCount, replicas] = [Number(values.nodes), Number(values.pods)];
const namespace = "default";

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 20));
}

const template = (version: string) => ({
  metadata: { labels: { app: "web" } },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [{ name: "web", image: `web:${version}`, ports: [{ name: "http", containerPort: 80 }] }],
  },
});

function heapMegabytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().rss / 2 ** 20;
}

async function start(root: string): Promise<Cluster> {
  return await createCluster({
    ...{ name: "bench", paths: clusterPaths(root), clock: realClock, log: createLogger({ level: "error" }), runtime: { kind: "process" } },
    ...{
      storage: values.storage === "sqlite" ? "sqlite" : "memory",
      apiPort: 0,
      disable: ["dns", "gateway"],
      simulate: true,
      nodes: nodeCount,
    },
  });
}

const root = mkdtempSync(join(tmpdir(), "fairlead-simulate-"));
const began = performance.now();
const cluster = await start(root);
console.log(`${nodeCount} nodes in ${((performance.now() - began) / 1000).toFixed(1)} s`);
try {
  const listed = <T extends KubeObject>(resource: Resource<T>) => cluster.informers.informer(resource).lister.list(namespace);
  const ready = () =>
    listed(endpointSlices)
      .filter(({ metadata }) => metadata.labels?.["kubernetes.io/service-name"] === "web")
      .reduce((sum, { endpoints }) => sum + (endpoints ?? []).filter(({ conditions }) => conditions?.ready === true).length, 0);
  const rolled = (generation: number) => {
    const { status } = listed(deployments)[0] ?? {};
    return (
      (status?.observedGeneration ?? 0) >= generation &&
      [status?.replicas, status?.updatedReplicas, status?.availableReplicas].every((count) => count === replicas)
    );
  };
  const before = heapMegabytes();
  const [cpu, at, delay] = [process.cpuUsage(), performance.now(), worstTimerDelay()];
  await cluster.client.create(services, {
    metadata: { name: "web", namespace },
    spec: { selector: { app: "web" }, ports: [{ name: "http", port: 80, targetPort: "http" }] },
  });
  const deployment = {
    metadata: { name: "web", namespace },
    spec: { replicas, selector: { matchLabels: { app: "web" } }, template: template("1") },
  };
  await cluster.client.create(deployments, deployment as unknown as Deployment);
  await until(() => ready() === replicas && rolled(1));
  const seconds = (performance.now() - at) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  console.log(
    `${replicas} pods ready in ${seconds.toFixed(1)} s: ${Math.round(replicas / seconds)} pods/s, ${((user + system) / 1000 / replicas).toFixed(2)} ms of processor each, ${(((heapMegabytes() - before) * 1024) / replicas).toFixed(0)} KB of memory each, worst delay of a timer ${Math.round(delay())} ms`,
  );
  if (!values["no-rollout"]) {
    const watched = await watchedBytes(cluster, namespace);
    const from = performance.now();
    const changed = await cluster.client.patch(deployments, { namespace, name: "web" }, "application/merge-patch+json", {
      spec: { template: template("2") },
    });
    await until(() => rolled(changed.metadata.generation ?? 0) && ready() === replicas && listed(pods).length === replicas);
    const { slices, endpoints } = await watched.end();
    const mb = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
    console.log(
      `rolling update of ${replicas} endpoints in ${((performance.now() - from) / 1000).toFixed(0)} s: watched as slices ${mb(slices.bytes)} in ${slices.events} events`,
    );
    console.log(
      `as Endpoints ${mb(endpoints.bytes)} in ${endpoints.events} events; as one object with every address, written as often as slices are, ${mb(slices.wholeBytes)}: ${(slices.wholeBytes / slices.bytes).toFixed(0)} times the slices`,
    );
  }
} finally {
  await cluster.stop();
  rmSync(root, { recursive: true, force: true });
}
