/** A cluster on paper: real controllers, scheduler and kubelets; what a change costs is counted in writes. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { deployments, endpointSlices, endpoints, jobs, nodes, pods, replicaSets, services, type Resource } from "../../api/resources.ts";
import type { KubeObject } from "../../api/object.ts";
import type { Deployment, Job, Pod } from "../../api/types.ts";
import { clusterPaths } from "../../cli/paths.ts";
import { waitUntil } from "../../cli/wait.ts";
import { realClock } from "../../lib/clock.ts";
import { silentLogger } from "../../lib/log.ts";
import type { Cluster } from "../cluster-options.ts";
import { createCluster } from "../cluster.ts";

const [nodeCount, replicas] = [50, 250];
const namespace = "default";
const root = mkdtempSync(join(tmpdir(), "fairlead-simulated-"));
let cluster: Cluster;

const until = async (what: string, holds: () => boolean) => {
  const watched = [pods, deployments, endpointSlices, endpoints, jobs, nodes].map((resource) =>
    cluster.informers.informer<Pod>(resource as typeof pods),
  );
  expect(await waitUntil(watched, holds, { clock: realClock, timeout: 60_000 }), what).toBe(true);
};
const listed = <T extends KubeObject>(resource: Resource<T>) => cluster.informers.informer(resource).lister.list(namespace);
const ready = () =>
  listed(endpointSlices)
    .filter(({ metadata }) => metadata.labels?.["kubernetes.io/service-name"] === "web")
    .flatMap(({ endpoints: all }) => (all ?? []).filter(({ conditions }) => conditions?.ready === true));
const inEndpoints = () => {
  const { subsets } = listed(endpoints).find(({ metadata }) => metadata.name === "web") ?? {};
  return (subsets ?? []).flatMap(({ addresses }) => addresses ?? []).length;
};

beforeAll(async () => {
  cluster = await createCluster({
    ...{ name: "simulated", paths: clusterPaths(root), clock: realClock, log: silentLogger, runtime: { kind: "process" } },
    ...{ storage: "memory", apiPort: 0, listen: false, disable: ["dns", "gateway"], simulate: true, nodes: nodeCount },
  });
  const labels = { app: "web" };
  const readinessProbe = { httpGet: { path: "/", port: 80 }, periodSeconds: 1 };
  const deployment = {
    metadata: { name: "web", namespace },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: "web", image: "nginx", readinessProbe }] } },
    },
  };
  await cluster.client.create(services, { metadata: { name: "web", namespace }, spec: { selector: labels, ports: [{ port: 80 }] } });
  await cluster.client.create(deployments, deployment as unknown as Deployment);
  await until(
    "all pods are endpoints",
    () => ready().length === replicas && inEndpoints() === replicas && listed(deployments)[0]?.status?.availableReplicas === replicas,
  );
}, 120_000);

afterAll(async () => {
  await cluster.stop();
  rmSync(root, { recursive: true, force: true });
});

test("pods are spread over the nodes, each with an address of its node's range in 10.0.0.0/8", () => {
  const all = listed(pods);
  expect(new Set(all.map(({ spec }) => spec?.nodeName)).size).toBe(nodeCount);
  expect(new Set(all.map(({ status }) => status?.podIP)).size).toBe(replicas);
  for (const { spec, status } of all) {
    const index = Number(spec?.nodeName?.slice("node-".length)) - 1;
    expect(status?.podIP).toMatch(new RegExp(`^10\\.0\\.${index}\\.\\d+$`));
  }
});

/** What is written until `done`, counted by resource. Events are sent in the background and are not counted. */
async function writesUntil(done: () => Promise<void>): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {};
  // What was written before may still be on its way to the handlers.
  const from = BigInt((await cluster.client.list(pods, { namespace, limit: 1 })).metadata?.resourceVersion ?? 0);
  const stop = [pods, endpointSlices, endpoints, replicaSets, deployments].map((resource) => {
    const count = ({ metadata }: KubeObject) => {
      if (BigInt(metadata.resourceVersion ?? 0) > from) counts[resource.plural] = (counts[resource.plural] ?? 0) + 1;
    };
    return cluster.informers
      .informer<KubeObject>(resource as Resource<KubeObject>)
      .addHandlers({ added: count, updated: count, deleted: count });
  });
  await done();
  for (const each of stop) each();
  return counts;
}

const play = (pod: Pod, annotation: string, value: string | null) =>
  cluster.client.patch(pods, { namespace, name: pod.metadata.name ?? "" }, "application/merge-patch+json", {
    metadata: { annotations: { [`simulated.fairlead.dev/${annotation}`]: value } },
  });

test("one changed pod costs one status write and one slice write, and one of each object that counts it", { timeout: 90_000 }, async () => {
  const [first, second] = listed(pods) as readonly [Pod, Pod];
  const serves = (pod: Pod) => ready().some(({ targetRef }) => targetRef?.uid === pod.metadata.uid);
  const counted = (left: number) => listed(deployments)[0]?.status?.readyReplicas === left && inEndpoints() === left;
  const counts = await writesUntil(async () => {
    await play(first, "ready", "false");
    await until("it is out of service", () => !serves(first) && counted(replicas - 1));
    // Whatever the first still causes comes before what the second causes.
    await play(second, "ready", "false");
    await until("so is the next one", () => !serves(second) && counted(replicas - 2));
  });
  // Two changes: of each pod our own patch and the kubelet's status.
  expect(counts).toEqual({ pods: 4, endpointslices: 2, endpoints: 2, replicasets: 2, deployments: 2 });
  for (const pod of [first, second]) await play(pod, "ready", null);
  await until("both are back", () => ready().length === replicas);
});

test("a pod whose liveness fails is started again", { timeout: 90_000 }, async () => {
  const livenessProbe = { exec: { command: ["true"] }, periodSeconds: 1, failureThreshold: 1 };
  const pod = await cluster.client.create(pods, {
    metadata: { name: "ill", namespace, annotations: { "simulated.fairlead.dev/healthy": "false" } },
    spec: { containers: [{ name: "main", image: "x", livenessProbe, lifecycle: { postStart: { exec: { command: ["true"] } } } }] },
  } as unknown as Pod);
  const status = () => listed(pods).find(({ metadata }) => metadata.uid === pod.metadata.uid)?.status?.containerStatuses?.[0];
  await until("it was started again", () => (status()?.restartCount ?? 0) > 0);
  await cluster.client.delete(pods, { namespace, name: "ill" }, { gracePeriodSeconds: 0 });
});

test("a Job's pods end when they are told to", { timeout: 90_000 }, async () => {
  const job = (name: string, annotations: object) =>
    cluster.client.create(jobs, {
      metadata: { name, namespace },
      spec: {
        backoffLimit: 0,
        template: { metadata: { annotations }, spec: { restartPolicy: "Never", containers: [{ name: "main", image: "x" }] } },
      },
    } as unknown as Job);
  await job("fine", { "simulated.fairlead.dev/run-seconds": "0" });
  await job("bad", { "simulated.fairlead.dev/run-seconds": "0", "simulated.fairlead.dev/exit-code": "3" });
  const has = (name: string, type: string) =>
    listed(jobs)
      .find(({ metadata }) => metadata.name === name)
      ?.status?.conditions?.some((condition) => condition.type === type && condition.status === "True") === true;
  await until("one has completed, the other failed", () => has("fine", "Complete") && has("bad", "Failed"));
});

test("a node without power: its Lease stands still, its pods come back with it", { timeout: 90_000 }, async () => {
  const power = (value: string | null) =>
    cluster.client.patch(nodes, { name: "node-7" }, "application/merge-patch+json", {
      metadata: { annotations: { "fairlead.dev/power": value } },
    });
  const restarts = () =>
    listed(pods)
      .filter(({ metadata, spec }) => spec?.nodeName === "node-7" && metadata.labels?.["app"] === "web")
      .map(({ status }) => status?.containerStatuses?.[0]?.restartCount);
  expect(new Set(restarts())).toEqual(new Set([0]));
  await power("off");
  await expect.poll(agentGone, { timeout: 30_000 }).toBe(true);
  await power(null);
  await until("they were started anew", () => restarts().every((count) => count === 1));
});

/** The API server finds no agent of a node that is off. */
function agentGone(): boolean {
  try {
    cluster.nodeAgent("node-7");
    return false;
  } catch {
    // It says that it is not there.
    return true;
  }
}
