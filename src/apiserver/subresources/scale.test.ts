/** The scale subresource; statuses, owners and texts are those of kube-apiserver 1.36 for the same requests. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { TestServer } from "../testing.ts";

let api: TestServer;
beforeEach(async () => {
  api = new TestServer();
  await api.server.start();
});
afterEach(() => api.server.stop());

const path = "/apis/apps/v1/namespaces/default/deployments/web";
const applyType = "application/apply-patch+yaml";
const deployment = (replicas: number) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web" },
  spec: {
    replicas,
    selector: { matchLabels: { app: "web" } },
    template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image: "i" }] } },
  },
});
const scale = (replicas: number) => ({
  apiVersion: "autoscaling/v1",
  kind: "Scale",
  metadata: { name: "web", namespace: "default" },
  spec: { replicas },
});
const owners = async () =>
  ((await api.get(path)).body.metadata.managedFields as { manager: string; operation: string; subresource?: string }[]).map(
    ({ manager, operation, subresource = "" }) => `${manager} ${operation} ${subresource}`.trim(),
  );

test("an apply of a scale owns the replicas, by the subresource; others meet a conflict", async () => {
  await api.patch(`${path}?fieldManager=one`, deployment(2), applyType);
  const refused = await api.patch(`${path}/scale?fieldManager=two`, scale(3), applyType);
  expect(refused.body).toMatchObject({
    code: 409,
    reason: "Conflict",
    message: 'Apply failed with 1 conflict: conflict with "one": .spec.replicas',
    details: { causes: [{ reason: "FieldManagerConflict", message: 'conflict with "one"', field: ".spec.replicas" }] },
  });
  const forced = await api.patch(`${path}/scale?fieldManager=two&force=true`, scale(3), applyType);
  expect(forced.body).toMatchObject({ kind: "Scale", spec: { replicas: 3 }, status: { selector: "app=web" } });
  expect((await owners()).sort()).toEqual(["one Apply", "two Apply scale"]);
  expect((await api.get(path)).body.metadata.generation).toBe(2);
  const back = await api.patch(`${path}?fieldManager=one`, deployment(2), applyType);
  expect(back.body.message).toBe('Apply failed with 1 conflict: conflict with "two" with subresource "scale": .spec.replicas');
});

test("an update of a scale, too; a dry run changes nothing", async () => {
  await api.patch(`${path}?fieldManager=one`, deployment(2), applyType);
  await api.put(`${path}/scale?fieldManager=hpa`, scale(5));
  expect((await owners()).sort()).toEqual(["hpa Update scale", "one Apply"]);
  expect((await api.patch(`${path}/scale?dryRun=All`, { spec: { replicas: 9 } })).body.spec.replicas).toBe(9);
  expect((await api.get(`${path}/scale`)).body.spec.replicas).toBe(5);
  const back = await api.patch(`${path}?fieldManager=one`, deployment(2), applyType);
  expect(back.body.message).toBe(
    'Apply failed with 1 conflict: conflict with "hpa" with subresource "scale" using apps/v1: .spec.replicas',
  );
});

test("what is not there is not made by its scale, and fewer than none is refused", async () => {
  expect((await api.patch(`${path}/scale?fieldManager=two`, scale(3), applyType)).status).toBe(404);
  await api.patch(`${path}?fieldManager=one`, deployment(2), applyType);
  for (const type of [applyType, "application/merge-patch+json"])
    expect((await api.patch(`${path}/scale?fieldManager=two`, scale(-1), type)).status).toBe(422);
});

test("an apply says what it is of", async () => {
  const answer = await api.patch(`${path}?fieldManager=one`, { spec: {} }, applyType);
  expect([answer.status, answer.body.message]).toEqual([400, "invalid object type: /, Kind="]);
});
