/** What happens to steady traffic while a Deployment is rolled out and while a node dies: done for scenarios and for the bench. */
import { deployments, endpointSlices, nodes, pods, services } from "../../src/api/resources.ts";
import type { Deployment, EndpointSlice, Node, Pod } from "../../src/api/types.ts";
import type { ClusterReport } from "../../src/cli/report.ts";
import { waitUntil } from "../../src/cli/wait.ts";
import type { Client } from "../../src/client/client.ts";
import { httpsTransport } from "../../src/client/https-transport.ts";
import { createInformerFactory } from "../../src/client/informer-factory.ts";
import type { InformerFactory } from "../../src/client/informer.ts";
import { loadKubeconfig } from "../../src/client/kubeconfig.ts";
import { createClient } from "../../src/client/rest.ts";
import { realClock } from "../../src/lib/clock.ts";
import { podClient, type PodClient } from "./pod-client.ts";
import type { Way } from "./modes.ts";
import { loadPod, outcomesSoFar, stopLoad, type Outcomes } from "./steady-load.ts";

const namespace = "default";
const patience = 90_000;
const merge = "application/merge-patch+json";

export interface TrafficCluster {
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly pods: PodClient;
  stop(): Promise<void>;
}

export async function startTrafficCluster(way: Way, name: string, flags: readonly string[]): Promise<TrafficCluster> {
  const program = way.open();
  const up = await program.run(
    ...["up", "--detach", "--name", name, "--mode", way.mode, "--api-port", "0", "--no-check", "-o", "json"],
    ...flags,
  );
  if (up.code !== 0) throw new Error(`up failed: ${up.stderr}`);
  const { kubeconfig } = JSON.parse(up.stdout) as ClusterReport;
  const transport = httpsTransport(await loadKubeconfig({ path: kubeconfig }));
  const client = createClient(transport, { fieldManager: "traffic" });
  const informers = createInformerFactory(client, { clock: realClock, namespace });
  for (const resource of [pods, deployments, endpointSlices, nodes]) informers.informer<Pod>(resource as typeof pods);
  informers.start();
  await informers.waitForSync();
  return {
    client,
    informers,
    pods: podClient(kubeconfig),
    async stop() {
      await informers.stop();
      await transport.close();
      await program.run("down", "--name", name);
      way.discard(program);
    },
  };
}

/** Resolves with the time at which it held, in milliseconds since the epoch; throws when it never did. */
async function when({ informers }: TrafficCluster, what: string, holds: () => boolean): Promise<number> {
  const watched = [pods, deployments, endpointSlices, nodes].map((resource) => informers.informer<Pod>(resource as typeof pods));
  if (!(await waitUntil(watched, holds, { clock: realClock, timeout: patience }))) throw new Error(`after ${patience} ms not yet: ${what}`);
  return Date.now();
}

/** Answers with its name. Told to end, it finishes what it has begun, as servers should. */
const server = `
const server = require("node:http").createServer((_, response) => response.end(process.env.HOSTNAME + "\\n")).listen(8080, process.env.HOST);
process.on("SIGTERM", () => setTimeout(() => server.close(() => process.exit(0)), 200));
`;

/** Behind the Service `web`. */
export async function startServers(cluster: TrafficCluster, replicas: number): Promise<void> {
  const labels = { app: "web" };
  const container = {
    name: "web",
    image: "node:26",
    command: ["node", "-e", server],
    env: [{ name: "VERSION", value: "1" }],
    readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1, timeoutSeconds: 10, failureThreshold: 30 },
  };
  await cluster.client.create(services, {
    metadata: { name: "web", namespace },
    spec: { selector: labels, ports: [{ port: 8000, targetPort: 8080 }] },
  });
  await cluster.client.create(deployments, {
    metadata: { name: "web", namespace },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { terminationGracePeriodSeconds: 20, containers: [container] } },
    },
  } as unknown as Deployment);
  await when(cluster, `${replicas} servers are ready`, () => readyAt(cluster).length === replicas);
}

/** The nodes of the endpoints that are ready. */
function readyAt({ informers }: TrafficCluster): readonly string[] {
  return informers
    .informer(endpointSlices)
    .lister.list(namespace)
    .filter(({ metadata }: EndpointSlice) => metadata.labels?.["kubernetes.io/service-name"] === "web")
    .flatMap(({ endpoints }) =>
      (endpoints ?? []).filter(({ conditions }) => conditions?.ready === true).map(({ nodeName }) => nodeName ?? ""),
    );
}

/** Begins requests to `web` from a pod, at `rate` a second. */
export async function startLoad(cluster: TrafficCluster, rate: number, node?: string): Promise<void> {
  const host = (await cluster.client.get(services, { namespace, name: "web" })).spec?.clusterIP ?? "";
  const pod = loadPod(`http://${host}:8000/`, rate, node) as Pod;
  await cluster.client.create(pods, { ...pod, metadata: { ...pod.metadata, namespace } });
  const isReady = () => conditionOf(cluster.informers.informer(pods).lister.get(namespace, "load"), "Ready") === "True";
  await when(cluster, "the first request is answered", isReady);
}

function conditionOf(object: Pod | Node | undefined, type: string): string | undefined {
  const conditions: readonly { readonly type: string; readonly status: string }[] = object?.status?.conditions ?? [];
  return conditions.find((condition) => condition.type === type)?.status;
}

/** Waits until that many more were sent. */
export async function moreRequests(cluster: TrafficCluster, count: number): Promise<void> {
  const from = (await outcomesSoFar(cluster.pods)).sent;
  while ((await outcomesSoFar(cluster.pods)).sent < from + count) await new Promise((resolve) => setTimeout(resolve, 100));
}

export interface Rollout {
  readonly outcomes: Outcomes;
  readonly seconds: number;
}

/** Replaces every server, while the load goes on, and some requests longer. Ends the load. */
export async function rollOut(cluster: TrafficCluster, replicas: number): Promise<Rollout> {
  const began = performance.now();
  const ref = { namespace, name: "web" };
  const container = { name: "web", env: [{ name: "VERSION", value: "2" }] };
  const changed = await cluster.client.patch(deployments, ref, "application/strategic-merge-patch+json", {
    spec: { template: { spec: { containers: [container] } } },
  });
  const left = () =>
    cluster.informers
      .informer(pods)
      .lister.list(namespace)
      .filter(({ metadata }) => metadata.labels?.["app"] === "web").length;
  await when(cluster, "the rollout is complete", () => {
    const { status } = cluster.informers.informer(deployments).lister.get(namespace, "web") ?? {};
    const counts = [status?.updatedReplicas, status?.availableReplicas, status?.replicas];
    const seen = (status?.observedGeneration ?? 0) >= (changed.metadata.generation ?? 0);
    return seen && counts.every((count) => count === replicas) && left() === replicas;
  });
  const seconds = (performance.now() - began) / 1000;
  await moreRequests(cluster, 50);
  return { outcomes: await stopLoad(cluster.pods), seconds };
}

export interface NodeFailure {
  /** Milliseconds from the annotation's write to the moment when no endpoint of the node is ready, as a watch sees it. */
  readonly goneAfterMs: number;
  /** From that write to the beginning of the last request that failed. */
  readonly lastFailureMs: number;
  /** Milliseconds from the power's return until as many endpoints as before are ready on the node. */
  readonly backAfterMs: number;
  readonly outcomes: Outcomes;
}

/** Pulls a node's plug, waits until its endpoints have gone and `requests` more were sent, and puts the plug in again. Ends the load. */
export async function failNode(cluster: TrafficCluster, node: string, requests: number): Promise<NodeFailure> {
  const on = () => readyAt(cluster).filter((name) => name === node).length;
  const before = on();
  if (before === 0) throw new Error(`no server is on ${node}`);
  const power = (value: string | null) =>
    cluster.client.patch(nodes, { name: node }, merge, { metadata: { annotations: { "fairlead.dev/power": value } } });
  const killed = Date.now();
  await power("off");
  const gone = await when(cluster, `the endpoints of ${node} have gone`, () => on() === 0);
  await moreRequests(cluster, requests);
  const returned = Date.now();
  await power(null);
  const isReady = () => conditionOf(cluster.informers.informer(nodes).lister.get(undefined, node), "Ready") === "True";
  const back = await when(cluster, `${node} is back`, () => isReady() && on() === before);
  await moreRequests(cluster, requests);
  const outcomes = await stopLoad(cluster.pods);
  return {
    goneAfterMs: gone - killed,
    lastFailureMs: Math.max(0, ...outcomes.failures.map(({ at }) => at)) - killed,
    backAfterMs: back - returned,
    outcomes,
  };
}
