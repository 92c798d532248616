/** StatefulSets, DaemonSets, Jobs and CronJobs with all other controllers against the real API server. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  controllerRevisions,
  cronJobs,
  daemonSets,
  deployments,
  events,
  ipAddresses,
  jobs,
  namespaces,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  podDisruptionBudgets,
  pods,
  replicationControllers,
  services,
  statefulSets,
  type Resource,
} from "../api/resources.ts";
import type { Job, StatefulSet } from "../api/types.ts";
import { startPretendCluster, until, type PretendCluster } from "./pretend-cluster.cases.ts";
import { testDeployment, webTemplate } from "./testing.ts";

let cluster: PretendCluster;

beforeEach(async () => {
  cluster = await startPretendCluster(["node-1", "node-2", "node-3"], { volumeDirectory: "/volumes" });
});

afterEach(async () => {
  await cluster.stop();
  expect(cluster.complaints).toEqual([]);
});

const names = async (): Promise<string> =>
  (await cluster.list(pods))
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map(({ metadata }) => metadata.name ?? "")
    .sort()
    .join(" ");
const reasons = async () => (await cluster.list(events)).map(({ reason }) => reason);
const metadata = { name: "web", namespace: "default" };
const selector = { matchLabels: { app: "web" } };

describe("a StatefulSet", { timeout: 60_000 }, () => {
  const settled = (replicas: number) =>
    until(async () => {
      const { status, metadata: live } = await cluster.get(statefulSets, "web");
      return status?.readyReplicas === replicas && status.replicas === replicas && status.observedGeneration === live.generation && status;
    });
  const start = (spec: Partial<NonNullable<StatefulSet["spec"]>> = {}) =>
    cluster.client.create(statefulSets, {
      metadata,
      spec: { replicas: 3, selector, serviceName: "web", template: webTemplate(), ...spec },
    });

  test("starts in order, each when the one before it is ready; grows and shrinks at its end", async () => {
    cluster.node.held.add("web-1");
    await start();
    await until(async () => (await names()) === "web-0 web-1");
    await until(async () => (await cluster.get(statefulSets, "web")).status?.replicas === 2);
    await until(async () => cluster.node.started.length === 2);
    expect(cluster.node.started).toEqual(["web-0", "web-1"]);
    await cluster.node.let("web-1", "serve");
    await settled(3);
    await cluster.patch(statefulSets, "web", { spec: { replicas: 1 } });
    await settled(1);
    expect(await names()).toBe("web-0");
    await cluster.patch(statefulSets, "web", { spec: { replicas: 2 } });
    await settled(2);
    expect(cluster.node.started).toEqual(["web-0", "web-1", "web-2", "web-1"]);
    expect(await cluster.get(pods, "web-1")).toMatchObject({
      metadata: { labels: { "apps.kubernetes.io/pod-index": "1" } },
      spec: { hostname: "web-1", subdomain: "web" },
    });
  });

  test("has claims, which outlive its pods", async () => {
    const claim = { metadata: { name: "data" }, spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Mi" } } } };
    await start({ replicas: 2, volumeClaimTemplates: [claim] });
    const claims = async () => (await cluster.list(persistentVolumeClaims)).map((each) => each.metadata.name).sort();
    await until(async () => (await claims()).join() === "data-web-0,data-web-1");
    // A pod comes after its claim.
    await until(async () => (await names()) === "web-0 web-1");
    expect((await cluster.get(pods, "web-1")).spec?.volumes?.[0]).toEqual({
      name: "data",
      persistentVolumeClaim: { claimName: "data-web-1" },
    });
    await cluster.client.delete(statefulSets, metadata, { propagationPolicy: "Background" });
    await until(async () => (await names()) === "");
    expect(await claims()).toEqual(["data-web-0", "data-web-1"]);
  });

  test("rolls out from the top, stops at its partition, and rolls back", async () => {
    await start();
    const { currentRevision: before } = await settled(3);
    const rolledOut = (count: number) =>
      until(async () => {
        const { status, metadata: live } = await cluster.get(statefulSets, "web");
        const done = status?.observedGeneration === live.generation && status?.updatedReplicas === count && status.readyReplicas === 3;
        return done ? status : undefined;
      });
    const updateStrategy = { rollingUpdate: { partition: 2 } };
    await cluster.patch(statefulSets, "web", { spec: { updateStrategy, template: webTemplate("2") } });
    const partial = await rolledOut(1);
    expect(partial.currentRevision).toBe(before);
    expect(partial.updateRevision).not.toBe(before);
    expect((await cluster.get(pods, "web-1")).spec?.containers[0]?.image).toBe("web:1");
    await cluster.patch(statefulSets, "web", { spec: { updateStrategy: { rollingUpdate: { partition: 0 } } } });
    await until(async () => (await cluster.get(statefulSets, "web")).status?.currentRevision === partial.updateRevision);
    expect(cluster.node.started).toEqual(["web-0", "web-1", "web-2", "web-2", "web-1", "web-0"]);
    const undone = (await cluster.list(controllerRevisions)).find((each) => each.metadata.name === before)?.data;
    await cluster.client.patch(statefulSets, metadata, "application/strategic-merge-patch+json", undone);
    await until(async () => (await cluster.get(statefulSets, "web")).status?.currentRevision === before);
    expect((await cluster.list(controllerRevisions)).map(({ revision }) => revision).sort()).toEqual([2, 3]);
  });

  test("a pod that fails or is deleted comes back under its name", async () => {
    await start({ replicas: 2 });
    await settled(2);
    const old = (await cluster.get(pods, "web-0")).metadata.uid;
    await cluster.node.let("web-0", "fail");
    await until(async () => {
      const pod = (await cluster.list(pods)).find((each) => each.metadata.name === "web-0");
      return pod !== undefined && pod.metadata.uid !== old && pod.status?.phase === "Running";
    });
    await settled(2);
    await until(async () => (await reasons()).includes("RecreatingFailedPod"));
  });
});

describe("a DaemonSet", { timeout: 60_000 }, () => {
  const runsOn = async (): Promise<string> =>
    (await cluster.list(pods))
      .filter((pod) => pod.metadata.deletionTimestamp === undefined && pod.status?.phase === "Running")
      .map(({ spec }) => `${spec?.nodeName}:${spec?.containers[0]?.image}`)
      .sort()
      .join(" ");
  const start = () => cluster.client.create(daemonSets, { metadata, spec: { selector, template: webTemplate() } });
  const everywhere = (version: string) => ["node-1", "node-2", "node-3"].map((node) => `${node}:web:${version}`).join(" ");

  test("runs on each node, also on those that come later, and leaves those that no longer fit", async () => {
    await start();
    await until(async () => (await runsOn()) === everywhere("1"));
    await cluster.node.register("node-4");
    await until(async () => (await runsOn()) === `${everywhere("1")} node-4:web:1`);
    await cluster.patch(nodes, "node-4", { spec: { taints: [{ key: "gpu", effect: "NoExecute" }] } });
    await until(async () => (await runsOn()) === everywhere("1"));
    const done = await until(async () => {
      const { status } = await cluster.get(daemonSets, "web");
      return status?.numberAvailable === 3 && status.desiredNumberScheduled === 3 && status.numberMisscheduled === 0 && status;
    });
    expect(done).toMatchObject({ currentNumberScheduled: 3, updatedNumberScheduled: 3 });
  });

  test("rolls out node by node", async () => {
    await start();
    await until(async () => (await runsOn()) === everywhere("1"));
    await cluster.patch(daemonSets, "web", { spec: { template: webTemplate("2") } });
    await until(async () => (await runsOn()) === everywhere("2"));
    await until(async () => (await cluster.get(daemonSets, "web")).status?.updatedNumberScheduled === 3);
    expect((await cluster.list(controllerRevisions)).map(({ revision }) => revision).sort()).toEqual([1, 2]);
    await cluster.client.delete(daemonSets, metadata);
    await until(async () => (await names()) === "" && (await cluster.list(controllerRevisions)).length === 0);
  });

  test("with OnDelete, each pod when it is deleted", async () => {
    const spec = { selector, template: webTemplate(), updateStrategy: { type: "OnDelete" } };
    await cluster.client.create(daemonSets, { metadata, spec });
    await until(async () => (await runsOn()) === everywhere("1"));
    await cluster.patch(daemonSets, "web", { spec: { template: webTemplate("2") } });
    await until(async () => (await cluster.get(daemonSets, "web")).status?.observedGeneration === 2);
    expect(await runsOn()).toBe(everywhere("1"));
    const [victim] = (await cluster.list(pods)).filter(({ spec: { nodeName } = {} }) => nodeName === "node-2");
    await cluster.client.delete(pods, { namespace: "default", name: victim?.metadata.name ?? "" });
    await until(async () => (await runsOn()) === "node-1:web:1 node-2:web:2 node-3:web:1");
  });
});

describe("a Job", { timeout: 60_000 }, () => {
  const start = (play: string, spec: Partial<NonNullable<Job["spec"]>> = {}) =>
    cluster.client.create(jobs, {
      metadata,
      spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "x", command: [play] }] } }, ...spec },
    });
  const statusOf = async () => (await cluster.get(jobs, "web")).status ?? {};
  const has = async (type: string) => (await statusOf()).conditions?.some((one) => one.type === type && one.status === "True");

  test("runs as often as asked, and lets its pods go", async () => {
    await start("succeed", { completions: 5, parallelism: 2 });
    await until(() => has("Complete"));
    expect(await statusOf()).toMatchObject({ succeeded: 5, ready: 0, terminating: 0, uncountedTerminatedPods: {} });
    expect((await cluster.list(pods)).map((pod) => pod.metadata.finalizers ?? [])).toEqual([[], [], [], [], []]);
    await until(async () => (await reasons()).includes("Completed"));
    await cluster.client.delete(jobs, metadata, { propagationPolicy: "Background" });
    await until(async () => (await cluster.list(pods)).length === 0);
  });

  test("of indexes: each once", async () => {
    await start("succeed", { completions: 4, parallelism: 4, completionMode: "Indexed" });
    await until(() => has("Complete"));
    expect(await statusOf()).toMatchObject({ succeeded: 4, completedIndexes: "0-3" });
    const hosts = (await cluster.list(pods)).map(({ spec }) => spec?.hostname).sort();
    expect(hosts).toEqual(["web-0", "web-1", "web-2", "web-3"]);
  });

  test("gives up after its last try", async () => {
    await start("fail", { backoffLimit: 0 });
    await until(() => has("Failed"));
    expect(await statusOf()).toMatchObject({
      failed: 1,
      conditions: [{ reason: "BackoffLimitExceeded" }, { reason: "BackoffLimitExceeded" }],
    });
    await until(async () => (await reasons()).includes("BackoffLimitExceeded"));
  });

  test("rests and goes on", async () => {
    await start("hang", { parallelism: 2, completions: 2 });
    await until(
      async () => (await statusOf()).active === 2 && (await cluster.list(pods)).every(({ status }) => status?.phase === "Running"),
    );
    await cluster.patch(jobs, "web", { spec: { suspend: true } });
    await until(async () => (await has("Suspended")) && (await cluster.list(pods)).length === 0);
    expect((await statusOf()).failed).toBeUndefined();
    await cluster.patch(jobs, "web", { spec: { suspend: false } });
    const again = await until(async () => {
      const all = await cluster.list(pods);
      return all.length === 2 && all.every(({ status }) => status?.phase === "Running") && all;
    });
    for (const pod of again) await cluster.node.let(pod.metadata.name ?? "", "succeed");
    await until(() => has("Complete"));
  });

  test("a pod that somebody deletes counts as failed, and another is made", async () => {
    await start("hang");
    const [first] = await until(async () => {
      const all = await cluster.list(pods);
      return all[0]?.status?.phase === "Running" && all;
    });
    await cluster.client.delete(pods, { namespace: "default", name: first?.metadata.name ?? "" });
    await until(
      async () => (await statusOf()).failed === 1 && (await cluster.list(pods)).some((pod) => pod.metadata.uid !== first?.metadata.uid),
    );
  });

  test("goes by itself when its time to live is over", async () => {
    await start("succeed", { ttlSecondsAfterFinished: 0 });
    await until(() => cluster.isGone(jobs, "web"));
    await until(async () => (await cluster.list(pods)).length === 0);
  });

  test("deleted by a client that does not say more, it leaves its pods behind", async () => {
    await start("succeed");
    await until(() => has("Complete"));
    await cluster.client.delete(jobs, metadata);
    await until(() => cluster.isGone(jobs, "web"));
    expect((await cluster.list(pods)).map((pod) => pod.metadata.ownerReferences ?? [])).toEqual([[]]);
  });
});

test("a CronJob makes Jobs by the clock, and keeps as many as it is told", { timeout: 60_000 }, async () => {
  const template = { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "x", command: ["succeed"] }] } };
  const spec = { schedule: "@every 1s", successfulJobsHistoryLimit: 1, jobTemplate: { spec: { template } } };
  await cluster.client.create(cronJobs, { metadata, spec });
  const done = async () => (await cluster.get(cronJobs, "web")).status?.lastSuccessfulTime !== undefined;
  await until(done);
  const [job] = await cluster.list(jobs);
  expect(job?.metadata).toMatchObject({
    name: expect.stringMatching(/^web-\d+$/),
    ownerReferences: [{ kind: "CronJob", controller: true }],
  });
  await cluster.client.delete(cronJobs, metadata, { propagationPolicy: "Background" });
  await until(async () => (await cluster.list(jobs)).length === 0 && (await cluster.list(pods)).length === 0);
});

test("a ReplicationController keeps its number, and leaves its pods behind", { timeout: 60_000 }, async () => {
  await cluster.client.create(replicationControllers, { metadata, spec: { replicas: 2, template: webTemplate() } });
  const ready = async () => (await cluster.get(replicationControllers, "web")).status?.readyReplicas;
  await until(async () => (await ready()) === 2);
  await cluster.patch(replicationControllers, "web", { spec: { replicas: 3 } });
  await until(async () => (await ready()) === 3);
  await cluster.client.delete(replicationControllers, metadata);
  await until(() => cluster.isGone(replicationControllers, "web"));
  expect((await cluster.list(pods)).map((pod) => pod.metadata.ownerReferences ?? [])).toEqual([[], [], []]);
});

test("a PodDisruptionBudget counts what its Deployment may miss", { timeout: 60_000 }, async () => {
  await cluster.client.create(podDisruptionBudgets, { metadata, spec: { maxUnavailable: "50%", selector } });
  await cluster.client.create(deployments, testDeployment({ replicas: 4 }, { uid: undefined, generation: undefined }));
  const status = async () => (await cluster.get(podDisruptionBudgets, "web")).status;
  await until(async () => (await status())?.disruptionsAllowed === 2);
  expect(await status()).toMatchObject({ expectedPods: 4, desiredHealthy: 2, currentHealthy: 4 });
  await cluster.patch(deployments, "web", { spec: { replicas: 2 } });
  await until(async () => (await status())?.expectedPods === 2 && (await status())?.disruptionsAllowed === 1);
});

test("a Service's address has an object of its own", { timeout: 60_000 }, async () => {
  const made = await cluster.client.create(services, { metadata, spec: { ports: [{ port: 80 }] } });
  const address = made.spec?.clusterIP ?? "";
  const found = await until(() => cluster.get(ipAddresses, address).catch(() => undefined));
  expect(found.spec.parentRef).toEqual({ resource: "services", namespace: "default", name: "web" });
  await cluster.client.delete(services, metadata);
  await until(() => cluster.isGone(ipAddresses, address));
});

test("a namespace takes all kinds of workload with it", { timeout: 60_000 }, async () => {
  const where = { name: "web", namespace: "shop" };
  const { client } = cluster;
  await client.create(namespaces, { metadata: { name: "shop" } });
  const hang = { restartPolicy: "Never", containers: [{ name: "c", image: "x", command: ["hang"] }] };
  const claim = { metadata: { name: "data" }, spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Mi" } } } };
  const app = (name: string) => ({
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "c", image: "x" }] } },
  });
  await client.create(jobs, { metadata: where, spec: { template: { spec: hang } } });
  await client.create(cronJobs, { metadata: where, spec: { schedule: "@hourly", jobTemplate: { spec: { template: { spec: hang } } } } });
  await client.create(statefulSets, { metadata: where, spec: { ...app("set"), serviceName: "web", volumeClaimTemplates: [claim] } });
  await client.create(daemonSets, { metadata: where, spec: app("agent") });
  await client.create(podDisruptionBudgets, { metadata: where, spec: { minAvailable: 1, selector } });
  const running = async () => (await cluster.list(pods, "shop")).filter(({ status }) => status?.phase === "Running").length;
  await until(async () => (await running()) === 5);
  await client.delete(namespaces, { name: "shop" });
  await until(() => cluster.isGone(namespaces, "shop"));
  for (const resource of [
    pods,
    jobs,
    cronJobs,
    statefulSets,
    daemonSets,
    persistentVolumeClaims,
    controllerRevisions,
  ] as readonly Resource[])
    expect(await cluster.list(resource, "shop")).toEqual([]);
  await until(async () => (await cluster.list(persistentVolumes)).length === 0);
});
