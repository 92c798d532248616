/**
 * An operator written with controller-runtime (its source is beside this file) against our API server: protobuf for built-in kinds, a
 * cache, leader election, server-side apply, a custom resource with status and finalizer, events. Needs the program, named by
 * $CONTROLLER_RUNTIME: `sh bin/node test/peers/build.ts --out DIR controller-runtime` builds it.
 */
import { once } from "node:events";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startCluster, type TestCluster } from "../../src/testing/index.ts";
import { openApi, type Api, type Json } from "../conformance/api.ts";
import { startChild } from "../support/children.ts";

const binary = process.env["CONTROLLER_RUNTIME"];

if (binary === undefined)
  test("controller-runtime", (context) => context.skip("name the operator with $CONTROLLER_RUNTIME (test/peers/build.ts builds it)"));
else describe("an operator of controller-runtime", { timeout: 180_000, concurrent: false }, () => scenario(binary));

const schema = {
  type: "object",
  properties: {
    spec: {
      type: "object",
      properties: { text: { type: "string" }, replicas: { type: "integer", minimum: 0, default: 1 } },
    },
    status: { type: "object", properties: { readyReplicas: { type: "integer" } } },
  },
};
const definition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "websites.test.fairlead.dev" },
  spec: {
    group: "test.fairlead.dev",
    scope: "Namespaced",
    names: { plural: "websites", singular: "website", kind: "Website" },
    versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: schema }, subresources: { status: {} } }],
  },
};

const core = "/api/v1/namespaces/default";
const websites = "/apis/test.fairlead.dev/v1/namespaces/default/websites";
const deployments = "/apis/apps/v1/namespaces/default/deployments";
const leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";

function scenario(program: string): void {
  let cluster: TestCluster;
  let api: Api;
  let kubeconfig: string;

  beforeAll(async () => {
    cluster = await startCluster({ runtime: "process" });
    kubeconfig = await cluster.kubeconfig();
    api = openApi(kubeconfig);
    await api.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition);
    await api.until("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "definition is established", ([found]) =>
      found.status?.conditions?.some(({ type, status }: Json) => type === "Established" && status === "True"),
    );
  }, 60_000);
  afterAll(async () => {
    api?.close();
    await cluster?.stop();
  }, 60_000);

  const one = (path: string, name: string, what: string, right: (found: Json | undefined) => boolean) =>
    api.until(`${path}?fieldSelector=metadata.name=${name}`, `${name} ${what}`, ([found]) => right(found));

  /** Its output is shown only when it fails. */
  const operator = () => {
    const child = startChild(program, [], { env: { KUBECONFIG: kubeconfig, HOME: "/nonexistent" }, stdio: ["ignore", "pipe", "pipe"] });
    let log = "";
    child.stderr?.on("data", (chunk: Buffer) => (log += chunk.toString()));
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    const ended = once(child, "close").then(() => Promise.reject(new Error(`the operator ended: ${log.slice(-4000)}`)));
    ended.catch(() => undefined);
    const elected = Promise.race([once(lines, "line"), ended]);
    elected.catch(() => undefined);
    return { child, elected, log: () => log };
  };

  test("reconciles, reports, is replaced by another when it dies, and cleans up", async () => {
    const first = operator();
    await first.elected;
    const second = operator();
    await api.create(websites, {
      apiVersion: "test.fairlead.dev/v1",
      kind: "Website",
      metadata: { name: "site" },
      spec: { text: "hello" },
    });
    await one(websites, "site", "has a ready replica", (found) => found?.status?.readyReplicas === 1);
    const site = await api.get(`${websites}/site`);
    expect(site).toMatchObject({ metadata: { finalizers: ["test.fairlead.dev/cleanup"] }, spec: { text: "hello", replicas: 1 } });

    const deployment = await api.get(`${deployments}/site`);
    expect(deployment.metadata.ownerReferences).toMatchObject([
      { kind: "Website", name: "site", uid: site.metadata.uid, controller: true },
    ]);
    expect(deployment.metadata.managedFields).toContainEqual(expect.objectContaining({ manager: "website-operator", operation: "Apply" }));
    expect((await api.get(`${core}/configmaps/site`)).data).toEqual({ text: "hello" });
    await api.until(`${core}/events?fieldSelector=involvedObject.name=site`, "its event", (events) =>
      events.some(({ reason, message }) => reason === "Configured" && message === "config map created"),
    );

    // What another owns stays; what the operator applies comes back.
    await api.patch(`${deployments}/site`, "merge-patch", { metadata: { annotations: { mine: "stays" } }, spec: { replicas: 3 } });
    await one(deployments, "site", "is as applied", (found) => found?.spec.replicas === 1 && found.status.readyReplicas === 1);
    expect((await api.get(`${deployments}/site`)).metadata.annotations).toMatchObject({ mine: "stays" });

    const { holderIdentity, leaseTransitions } = (await api.get(`${leases}/website-operator`)).spec;
    first.child.kill("SIGKILL");
    await second.elected;
    const taken = (await api.get(`${leases}/website-operator`)).spec;
    expect(taken.holderIdentity).not.toBe(holderIdentity);
    expect(taken.leaseTransitions).toBe((leaseTransitions ?? 0) + 1);
    await api.patch(`${websites}/site`, "merge-patch", { spec: { text: "new", replicas: 2 } });
    await one(websites, "site", "has two ready replicas", (found) => found?.status?.readyReplicas === 2);
    expect((await api.get(`${core}/configmaps/site`)).data).toEqual({ text: "new" });

    await api.delete(`${websites}/site`);
    await one(websites, "site", "is gone", (found) => found === undefined);
    await one(`${core}/configmaps`, "site-left", "was left", (found) => found !== undefined);
    await one(deployments, "site", "is collected", (found) => found === undefined);
    await one(`${core}/configmaps`, "site", "is collected", (found) => found === undefined);
    expect(second.log()).not.toMatch(/Reconciler error.*(?:protobuf|decode|unmarshal)/i);
  });
}
