/** All controllers against the real API server in this process, with a node that only says that its pods run. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  deployments,
  endpoints,
  endpointSlices,
  events,
  configMaps,
  namespaces,
  nodes,
  pods,
  priorityClasses,
  replicaSets,
  secrets,
  serviceAccounts,
  services,
  type Resource,
} from "../api/resources.ts";
import { isNotFound } from "../api/status.ts";
import type { KubeObject } from "../api/object.ts";
import type { Deployment, EndpointSlice, Pod } from "../api/types.ts";
import type { ApiServer } from "../apiserver/server-options.ts";
import { createApiServer } from "../apiserver/server.ts";
import type { Client } from "../client/client.ts";
import { createEventRecorder } from "../client/event-recorder-impl.ts";
import { inProcessTransport } from "../client/in-process.ts";
import { createInformerFactory } from "../client/informer-factory.ts";
import type { InformerFactory } from "../client/informer.ts";
import { createClient } from "../client/rest.ts";
import type { Component } from "../component/component.ts";
import { realClock, rfc3339 } from "../lib/clock.ts";
import { createLogger } from "../lib/log.ts";
import { createMemoryBackend } from "../storage/memory/memory-backend.ts";
import { controllers } from "./index.ts";
import { testDeployment, webTemplate } from "./testing.ts";

const namespace = "default";
let server: ApiServer;
let client: Client;
let informers: InformerFactory;
let running: Component[];
let node: PretendNode;
let complaints: string[];

beforeEach(async () => {
  complaints = [];
  const log = createLogger({ level: "warn", write: (line) => complaints.push(line) });
  server = createApiServer({ backend: createMemoryBackend(), serviceClusterIPRanges: ["127.96.0.0/16"], allowLoopbackEndpoints: true });
  await server.start();
  client = createClient(inProcessTransport(server, { name: "admin", groups: ["system:masters"] }), { fieldManager: "controllers" });
  informers = createInformerFactory(client, { clock: realClock, log });
  const recorder = (component: string) => createEventRecorder(client, component, { clock: realClock });
  running = controllers.map((entry) =>
    entry.create({ client, informers, recorder, clock: realClock, log, random: Math.random, options: { rootCA: "PEM" } }),
  );
  node = new PretendNode(client, informers);
  informers.start();
  for (const controller of running) await controller.start();
  await node.register();
});

afterEach(async () => {
  for (const controller of running.reverse()) await controller.stop();
  await informers.stop();
  await server.stop();
  expect(complaints).toEqual([]);
});

/** Runs each pod that is bound to it at once, and ends each that is being deleted. */
class PretendNode {
  readonly #client: Client;
  #addresses = 0;

  constructor(client: Client, factory: InformerFactory) {
    this.#client = client;
    const changed = (pod: Pod) =>
      void this.#sync(pod).catch((error: unknown) => (isNotFound(error) ? undefined : complaints.push(String(error))));
    factory.informer(pods).addHandlers({ added: changed, updated: changed });
  }

  async register(): Promise<void> {
    const made = await this.#client.create(nodes, { metadata: { name: "node-1" } });
    await this.#client.updateStatus(nodes, {
      ...made,
      status: { conditions: [{ type: "Ready", status: "True" }], allocatable: { cpu: "4", memory: "8Gi", pods: "500" } },
    });
  }

  async #sync(pod: Pod): Promise<void> {
    const { name = "", namespace: where } = pod.metadata;
    if (pod.spec?.nodeName !== "node-1") return;
    if (pod.metadata.deletionTimestamp !== undefined)
      return this.#client.delete(pods, { namespace: where, name }, { gracePeriodSeconds: 0 });
    if (pod.status?.phase === "Running") return;
    const ip = `127.97.0.${++this.#addresses}`;
    const status = {
      phase: "Running",
      podIP: ip,
      podIPs: [{ ip }],
      conditions: [{ type: "Ready", status: "True", lastTransitionTime: rfc3339(Date.now()) }],
    };
    await this.#client.patch(
      pods,
      { namespace: where, name },
      "application/strategic-merge-patch+json",
      { status },
      { subresource: "status" },
    );
  }
}

/** Looks again until it holds; the test's own time limit ends it. */
async function until<T>(look: () => Promise<T | undefined | false>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

const list = async <T extends KubeObject>(resource: Resource<T>, where = namespace): Promise<readonly T[]> =>
  (await client.list(resource, { namespace: where })).items;
const slicesOf = async (service: string): Promise<readonly EndpointSlice[]> =>
  (await list(endpointSlices)).filter(({ metadata }) => metadata.labels?.["kubernetes.io/service-name"] === service);
const readyIn = async (service: string) =>
  (await slicesOf(service)).flatMap(({ endpoints: all = [] }) => all.filter(({ conditions }) => conditions?.ready)).length;
const scale = (replicas: number) =>
  client.patch(deployments, { namespace, name: "web" }, "application/merge-patch+json", { spec: { replicas } });
const isGone = async <T extends KubeObject>(resource: Resource<T>, name: string, where?: string) => {
  try {
    await client.get(resource, { namespace: where, name });
    return false;
  } catch (error) {
    if (isNotFound(error)) return true;
    throw error;
  }
};
const isComplete = async (replicas: number): Promise<Deployment | undefined> => {
  const deployment = await client.get(deployments, { namespace, name: "web" });
  const { status, metadata } = deployment;
  const done =
    status?.observedGeneration === metadata.generation &&
    status?.updatedReplicas === replicas &&
    status.replicas === replicas &&
    status.availableReplicas === replicas;
  return done ? deployment : undefined;
};

async function startWeb(replicas = 3): Promise<void> {
  await client.create(services, {
    metadata: { name: "web", namespace },
    spec: { selector: { app: "web" }, ports: [{ port: 80, targetPort: 8080 }] },
  });
  await client.create(deployments, testDeployment({ replicas }, { uid: undefined, generation: undefined }));
  await until(async () => (await readyIn("web")) === replicas && (await isComplete(replicas)));
}

describe("a Deployment", () => {
  beforeEach(() => startWeb());

  test("scales up and down; endpoints and Endpoints follow", async () => {
    for (const replicas of [5, 1, 3]) {
      await scale(replicas);
      await until(
        async () => (await readyIn("web")) === replicas && (await list(pods)).length === replicas && (await isComplete(replicas)),
      );
      const addresses = async () => (await client.get(endpoints, { namespace, name: "web" })).subsets?.[0]?.addresses?.length;
      await until(async () => (await addresses()) === replicas);
    }
    const reasons = new Set((await list(events)).map(({ reason }) => reason));
    expect([...reasons]).toEqual(expect.arrayContaining(["ScalingReplicaSet", "SuccessfulCreate", "SuccessfulDelete", "Scheduled"]));
  });

  test("rolls out, keeps its history, and rolls back", async () => {
    for (const version of ["2", "3"]) {
      await client.patch(deployments, { namespace, name: "web" }, "application/merge-patch+json", {
        spec: { template: webTemplate(version) },
      });
      await until(
        async () => (await isComplete(3)) && (await list(pods)).every(({ spec }) => spec?.containers[0]?.image === `web:${version}`),
      );
    }
    const revisions = async () =>
      (await list(replicaSets)).map(({ metadata }) => metadata.annotations?.["deployment.kubernetes.io/revision"]).sort();
    expect(await revisions()).toEqual(["1", "2", "3"]);
    await client.patch(deployments, { namespace, name: "web" }, "application/merge-patch+json", { spec: { template: webTemplate("1") } });
    await until(async () => (await isComplete(3)) && (await revisions()).join() === "2,3,4");
    expect((await client.get(deployments, { namespace, name: "web" })).metadata.annotations?.["deployment.kubernetes.io/revision"]).toBe(
      "4",
    );
  });

  test("deleted in the background: all that is its own goes", async () => {
    await client.delete(deployments, { namespace, name: "web" }, { propagationPolicy: "Background" });
    await until(async () => (await list(pods)).length === 0 && (await list(replicaSets)).length === 0 && (await readyIn("web")) === 0);
  });

  test("deleted in the foreground: it goes last", async () => {
    await client.delete(deployments, { namespace, name: "web" }, { propagationPolicy: "Foreground" });
    await until(async () => {
      const gone = await isGone(deployments, "web", namespace);
      if (gone) expect([await list(pods), await list(replicaSets)]).toEqual([[], []]);
      return gone;
    });
  });

  test("deleted with orphans: its ReplicaSet stays, and a new one takes it over", async () => {
    const before = (await list(pods)).map(({ metadata }) => metadata.uid).sort();
    await client.delete(deployments, { namespace, name: "web" }, { propagationPolicy: "Orphan" });
    await until(() => isGone(deployments, "web", namespace));
    expect((await list(replicaSets)).map(({ metadata }) => metadata.ownerReferences ?? [])).toEqual([[]]);
    await client.create(deployments, testDeployment({}, { uid: undefined, generation: undefined }));
    await until(() => isComplete(3));
    expect((await list(pods)).map(({ metadata }) => metadata.uid).sort()).toEqual(before);
    expect((await list(replicaSets)).map(({ metadata }) => metadata.ownerReferences?.[0]?.kind)).toEqual(["Deployment"]);
  });

  test("a pod that is deleted is replaced at once, once", async () => {
    const [victim] = await list(pods);
    await client.delete(pods, { namespace, name: victim?.metadata.name ?? "" });
    await until(
      async () =>
        (await list(pods)).length === 3 &&
        (await readyIn("web")) === 3 &&
        (await list(pods)).every(({ metadata }) => metadata.uid !== victim?.metadata.uid),
    );
    const created = async () =>
      (await list(events)).filter(({ reason }) => reason === "SuccessfulCreate").reduce((sum, { count = 1 }) => sum + count, 0);
    // Events are written beside the work.
    await expect.poll(created, { timeout: 20_000 }).toBe(4);
  });

  test("a Service that selects other pods has their endpoints and no others", async () => {
    const select = (selector: Readonly<Record<string, string | null>>) =>
      client.patch(services, { namespace, name: "web" }, "application/merge-patch+json", { spec: { selector } });
    const targets = async () => [
      (await slicesOf("web")).flatMap(({ endpoints: each }) => (each ?? []).map(({ targetRef }) => targetRef?.name ?? "")),
      ((await client.get(endpoints, { namespace, name: "web" })).subsets ?? []).flatMap(({ addresses = [] }) =>
        addresses.map(({ targetRef }) => targetRef?.name ?? ""),
      ),
    ];
    await client.create(pods, {
      metadata: { name: "other", namespace, labels: { app: "other" } },
      spec: { containers: [{ name: "c", image: "x" }] },
    });
    await select({ app: "other" });
    await until(async () => (await targets()).every((names) => names.join() === "other"));
    await select({ app: "nobody" });
    await until(async () => (await targets()).every((names) => names.length === 0));
    await select({ app: "web" });
    await until(async () => (await targets()).every((names) => names.length === 3 && !names.includes("other")));
  });

  test("topology mode Auto: hints by zones' CPUs, and an Event while there cannot be any", async () => {
    const annotate = (mode: string) =>
      client.patch(services, { namespace, name: "web" }, "application/merge-patch+json", {
        metadata: { annotations: { "service.kubernetes.io/topology-mode": mode } },
      });
    await annotate("Auto");
    const disabled = async () => (await list(events)).find(({ reason }) => reason === "TopologyAwareHintsDisabled")?.message;
    expect(await until(disabled)).toBe("node node-1 has no label topology.kubernetes.io/zone, addressType: IPv4");
    await client.patch(nodes, { name: "node-1" }, "application/merge-patch+json", {
      metadata: { labels: { "topology.kubernetes.io/zone": "a" } },
    });
    const status = { conditions: [{ type: "Ready" as const, status: "True" as const }], allocatable: { cpu: "1" } };
    const second = await client.create(nodes, { metadata: { name: "node-2", labels: { "topology.kubernetes.io/zone": "b" } } });
    await client.updateStatus(nodes, { ...second, status });
    const zones = async () =>
      (await slicesOf("web"))
        .flatMap(({ endpoints: each }) => (each ?? []).map(({ hints }) => hints?.forZones?.[0]?.name ?? "none"))
        .sort();
    // Of three endpoints, all in zone a, one is lent to b, which has a fifth of the CPUs.
    await until(async () => (await zones()).join() === "a,a,b");
    await annotate("Disabled");
    await until(async () => (await zones()).join() === "none,none,none");
  });

  test("a Service that is deleted takes its slices and Endpoints with it", async () => {
    await client.delete(services, { namespace, name: "web" });
    await until(async () => (await slicesOf("web")).length === 0 && (await isGone(endpoints, "web", namespace)));
  });
});

describe("scheduling", () => {
  test("a pod that fits nowhere says why, and is placed when it does", async () => {
    await client.create(pods, {
      metadata: { name: "picky", namespace },
      spec: { nodeSelector: { disk: "ssd" }, containers: [{ name: "c", image: "x" }] },
    });
    const message = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.";
    await until(async () =>
      (await client.get(pods, { namespace, name: "picky" })).status?.conditions?.some(
        (each) => each.type === "PodScheduled" && each.reason === "Unschedulable" && each.message === message,
      ),
    );
    await until(async () => (await list(events)).some(({ reason, message: text }) => reason === "FailedScheduling" && text === message));
    await client.patch(nodes, { name: "node-1" }, "application/merge-patch+json", { metadata: { labels: { disk: "ssd" } } });
    await until(async () => (await client.get(pods, { namespace, name: "picky" })).status?.phase === "Running");
  });
});

describe("priority", () => {
  const asking = (name: string, cpu: string, priorityClassName?: string): Pod => ({
    metadata: { name, namespace },
    spec: {
      containers: [{ name: "c", image: "x", resources: { requests: { cpu } } }],
      ...(priorityClassName === undefined ? {} : { priorityClassName }),
    },
  });

  test("a pod that matters more takes the place of one that matters less, and both say so", async () => {
    await client.create(priorityClasses, { metadata: { name: "vital" }, value: 1000 });
    await client.create(pods, asking("spared", "1"));
    await client.create(pods, asking("other", "3"));
    await until(async () => (await list(pods)).filter(({ status }) => status?.phase === "Running").length === 2);
    await client.create(pods, asking("vital", "2", "vital"));
    const vital = await until(async () => {
      const found = await client.get(pods, { namespace, name: "vital" });
      return found.status?.phase === "Running" && found;
    });
    expect([vital.spec?.nodeName, vital.status?.nominatedNodeName]).toEqual(["node-1", undefined]);
    expect((await list(pods)).map(({ metadata }) => metadata.name)).toEqual(["spared", "vital"]);
    const said = async (reason: string) => (await list(events)).find((event) => event.reason === reason);
    const preempted = await until(async () => (await said("Preempted")) ?? false);
    expect(preempted).toMatchObject({ involvedObject: { name: "other" }, message: "Preempted by pod default/vital on node node-1" });
    expect(await said("FailedScheduling")).toMatchObject({ involvedObject: { name: "vital" } });
  });
});

describe("namespaces", () => {
  test("have their ServiceAccount and the root CA, and take all content with them", async () => {
    await client.create(namespaces, { metadata: { name: "shop" } });
    await until(async () => !(await isGone(serviceAccounts, "default", "shop")) && !(await isGone(configMaps, "kube-root-ca.crt", "shop")));
    await client.create(secrets, { metadata: { name: "s", namespace: "shop" } });
    const deployment = testDeployment({}, { uid: undefined, generation: undefined, namespace: "shop" });
    await client.create(deployments, deployment);
    await until(async () => (await list(pods, "shop")).filter(({ status }) => status?.phase === "Running").length === 3);
    await client.delete(namespaces, { name: "shop" });
    await until(() => isGone(namespaces, "shop"));
    for (const resource of [pods, deployments, replicaSets, secrets, serviceAccounts, configMaps, events] as readonly Resource[])
      expect(await list(resource, "shop")).toEqual([]);
  });
});

describe("Endpoints by hand", () => {
  test("are mirrored", async () => {
    await client.create(services, { metadata: { name: "db", namespace }, spec: { ports: [{ port: 5432 }] } });
    await client.create(endpoints, {
      metadata: { name: "db", namespace },
      subsets: [{ addresses: [{ ip: "10.1.1.1" }], ports: [{ port: 5432 }] }],
    });
    const [slice] = await until(async () => {
      const found = await slicesOf("db");
      return found.length === 1 && found;
    });
    expect(slice).toMatchObject({
      endpoints: [{ addresses: ["10.1.1.1"], conditions: { ready: true } }],
      ports: [{ port: 5432, protocol: "TCP" }],
    });
    await client.delete(services, { namespace, name: "db" });
    await until(async () => (await slicesOf("db")).length === 0 && (await isGone(endpoints, "db", namespace)));
  });
});
