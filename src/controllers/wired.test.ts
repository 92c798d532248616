/** The controllers wired together over a client and informers; the test plays the scheduler and the node. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import * as resources from "../api/resources.ts";
import type { Deployment, EndpointSlice, Event, Pod, Service } from "../api/types.ts";
import type { Client } from "../client/client.ts";
import { createEventRecorder } from "../client/event-recorder-impl.ts";
import { createFakeApi, type FakeApi } from "../client/fake-api.ts";
import { inProcessTransport } from "../client/in-process.ts";
import { createInformerFactory } from "../client/informer-factory.ts";
import type { InformerFactory } from "../client/informer.ts";
import { createClient } from "../client/rest.ts";
import type { Component } from "../component/component.ts";
import { testNode, testService } from "../decide/endpoints/testing.ts";
import { realClock } from "../lib/clock.ts";
import { silentLogger } from "../lib/log.ts";
import { controllers } from "./index.ts";
import { testDeployment, webTemplate } from "./testing.ts";

const namespace = "default";
let api: FakeApi;
let client: Client;
let informers: InformerFactory;
let running: Component[];

beforeEach(async () => {
  api = createFakeApi(Object.values(resources).filter((each) => typeof each === "object"));
  client = createClient(inProcessTransport(api, { name: "controllers", groups: [] }), { fieldManager: "controllers" });
  informers = createInformerFactory(client, { clock: realClock });
  const recorder = (component: string) => createEventRecorder(client, component, { clock: realClock });
  // The fake knows no bindings and no discovery: scheduler and namespaces are tested against the real server.
  const wired = controllers.filter(({ name }) => name !== "scheduler" && name !== "namespace");
  running = wired.map((entry) =>
    entry.create({ client, informers, recorder, clock: realClock, log: silentLogger, random: () => 0.5, options: {} }),
  );
  informers.start();
  for (const controller of running) await controller.start();
  await client.create(resources.nodes, testNode());
});

afterEach(async () => {
  for (const controller of running.reverse()) await controller.stop();
  await informers.stop();
});

/** Looks again after each change of the API until it holds; the test's own time limit ends it. */
async function until<T>(look: () => Promise<T | undefined | false>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    const before = api.revision;
    for (let i = 0; i < 50 && api.revision === before; i++) await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

const listPods = async (): Promise<readonly Pod[]> => (await client.list(resources.pods, { namespace })).items;
const getDeployment = (): Promise<Deployment> => client.get(resources.deployments, { namespace, name: "web" });
const slices = async (): Promise<readonly EndpointSlice[]> => (await client.list(resources.endpointSlices, { namespace })).items;
const readyNames = async () =>
  (await slices())
    .flatMap(({ endpoints = [] }) => endpoints.filter(({ conditions }) => conditions?.ready).map(({ targetRef }) => targetRef?.name ?? ""))
    .sort();

let addresses = 0;
async function run(pod: Pod): Promise<void> {
  const ip = `127.97.0.${++addresses}`;
  const conditions = [{ type: "Ready", status: "True", lastTransitionTime: "2026-01-01T00:00:00Z" }];
  await client.update(resources.pods, {
    ...pod,
    spec: { ...pod.spec, containers: pod.spec?.containers ?? [], nodeName: "node-1" },
    status: { phase: "Running", podIP: ip, podIPs: [{ ip }], conditions },
  });
}

/** Runs whatever pods are made until `count` of them run. */
async function runPods(count: number): Promise<readonly Pod[]> {
  return until(async () => {
    const all = await listPods();
    for (const pod of all) if (pod.status?.phase !== "Running") await run(pod);
    return all.length === count && all.every((pod) => pod.status?.phase === "Running") ? all : undefined;
  });
}

describe("a Deployment and its Service", () => {
  beforeEach(async () => {
    await client.create(resources.services, testService());
    await client.create(resources.deployments, testDeployment());
  });

  test("pods are made once, and become endpoints when they are ready", async () => {
    const running = await runPods(3);
    const names = running.map(({ metadata }) => metadata.name ?? "").sort();
    await until(async () => (await readyNames()).join() === names.join());
    const endpoints = await until(async () => {
      const found = await client.get(resources.endpoints, { namespace, name: "web" });
      return found.subsets?.[0]?.addresses?.length === 3 && found;
    });
    expect(endpoints.subsets?.[0]?.ports).toEqual([{ name: "http", port: 8080, protocol: "TCP" }]);
    const complete = await until(async () => {
      const deployment = await getDeployment();
      return deployment.status?.conditions?.some(({ reason }) => reason === "NewReplicaSetAvailable") && deployment;
    });
    expect(complete.status).toMatchObject({ replicas: 3, updatedReplicas: 3, readyReplicas: 3, availableReplicas: 3 });
    expect(await listPods()).toHaveLength(3);
    expect(api.requests.filter((line) => line.startsWith("POST /api/v1/namespaces/default/pods"))).toHaveLength(3);
  });

  test("a new template rolls out, revision by revision", async () => {
    await runPods(3);
    const before = await until(async () => {
      const deployment = await getDeployment();
      return (
        deployment.metadata.annotations?.["deployment.kubernetes.io/revision"] === "1" &&
        deployment.status?.availableReplicas === 3 &&
        deployment
      );
    });
    await client.patch(resources.deployments, { namespace, name: "web" }, "application/merge-patch+json", {
      metadata: { generation: 2 },
      spec: { template: webTemplate("2") },
    });
    expect(before.metadata.generation).toBe(1);
    await until(async () => {
      for (const pod of await listPods()) if (pod.status?.phase !== "Running") await run(pod);
      const { status, metadata } = await getDeployment();
      return (
        metadata.annotations?.["deployment.kubernetes.io/revision"] === "2" &&
        status?.updatedReplicas === 3 &&
        status.replicas === 3 &&
        status.availableReplicas === 3
      );
    });
    const images = (await listPods()).map(({ spec }) => spec?.containers[0]?.image);
    expect(images).toEqual(["web:2", "web:2", "web:2"]);
    const events = await until(async () => {
      const list: readonly Event[] = (await client.list(resources.events, { namespace })).items;
      return list.filter(({ reason }) => reason === "ScalingReplicaSet").length >= 3 && list;
    });
    expect(events.map(({ reason }) => reason)).toEqual(
      expect.arrayContaining(["ScalingReplicaSet", "SuccessfulCreate", "SuccessfulDelete"]),
    );
  });

  test("an endpoint leaves as soon as its pod begins to terminate", async () => {
    const [first] = await runPods(3);
    await until(async () => (await readyNames()).length === 3);
    const { name = "" } = first?.metadata ?? {};
    const live = await client.get(resources.pods, { namespace, name });
    await client.update(resources.pods, { ...live, metadata: { ...live.metadata, deletionTimestamp: "2026-01-01T00:01:00Z" } });
    await until(async () => !(await readyNames()).includes(name));
    const endpoint = (await slices()).flatMap(({ endpoints = [] }) => endpoints).find(({ targetRef }) => targetRef?.name === name);
    expect(endpoint?.conditions).toEqual({ ready: false, serving: true, terminating: true });
    // And a pod in its place is made at once.
    await until(async () => (await listPods()).length === 4);
  });

  test("what belongs to it goes with it", async () => {
    await runPods(3);
    await client.delete(resources.deployments, { namespace, name: "web" });
    await until(
      async () => (await listPods()).length === 0 && (await client.list(resources.replicaSets, { namespace })).items.length === 0,
    );
    await client.delete(resources.services, { namespace, name: "web" });
    await until(async () => (await slices()).length === 0 && (await client.list(resources.endpoints, { namespace })).items.length === 0);
  });

  test("a pod that cannot be made is said so, and tried again", async () => {
    await runPods(3);
    api.intercept = ({ method, path }) =>
      method === "POST" && path.endsWith("/pods")
        ? {
            status: 403,
            headers: {},
            body: { kind: "object", object: { kind: "Status", status: "Failure", message: "no quota", reason: "Forbidden", code: 403 } },
          }
        : undefined;
    await client.patch(resources.deployments, { namespace, name: "web" }, "application/merge-patch+json", { spec: { replicas: 4 } });
    await until(async () =>
      (await getDeployment()).status?.conditions?.some(({ type, message }) => type === "ReplicaFailure" && message === "no quota"),
    );
    api.intercept = undefined;
    await runPods(4);
    await until(async () => (await getDeployment()).status?.conditions?.every(({ type }) => type !== "ReplicaFailure"));
  });
});

describe("Endpoints by hand", () => {
  const byHand: Service = testService({ selector: undefined });

  test("are mirrored, follow changes, and go with them", async () => {
    await client.create(resources.services, byHand);
    const made = await client.create(resources.endpoints, {
      metadata: { name: "web", namespace },
      subsets: [{ addresses: [{ ip: "10.1.1.1" }], ports: [{ port: 80 }] }],
    });
    const addressesOf = async () => (await slices()).flatMap(({ endpoints = [] }) => endpoints.flatMap((endpoint) => endpoint.addresses));
    await until(async () => (await addressesOf()).join() === "10.1.1.1");
    await client.update(resources.endpoints, { ...made, subsets: [{ addresses: [{ ip: "10.1.1.2" }], ports: [{ port: 80 }] }] });
    await until(async () => (await addressesOf()).join() === "10.1.1.2");
    await client.delete(resources.services, { namespace, name: "web" });
    await until(async () => (await slices()).length === 0);
  });
});

test("one Service that cannot be written does not stop another", async () => {
  api.intercept = ({ method, body }) => {
    const name = (body as { metadata?: { generateName?: string } } | undefined)?.metadata?.generateName;
    return method === "POST" && name === "bad-"
      ? {
          status: 422,
          headers: {},
          body: { kind: "object", object: { kind: "Status", status: "Failure", message: "bad", reason: "Invalid", code: 422 } },
        }
      : undefined;
  };
  await client.create(resources.services, testService({}, { name: "bad" }));
  await client.create(resources.services, testService());
  await until(async () => (await slices()).some(({ metadata }) => metadata.labels?.["kubernetes.io/service-name"] === "web"));
  const events = await until(async () => {
    const list = (await client.list(resources.events, { namespace })).items.filter(
      ({ reason }) => reason === "FailedToUpdateEndpointSlices",
    );
    return list.length > 0 && list;
  });
  expect(events[0]?.message).toBe("Error updating Endpoint Slices for Service default/bad: bad");
});
