import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { mayNodeSetLabel } from "../../api/node-labels.ts";
import type { UserInfo } from "../../api/request.ts";
import { TestServer } from "../testing.ts";

let api: TestServer;
const user: UserInfo = { name: "system:node:n1", groups: ["system:nodes", "system:authenticated"] };
const pods = "/api/v1/namespaces/default/pods";
const containers = [{ name: "c", image: "i" }];

beforeEach(async () => {
  api = new TestServer();
  await api.server.start();
  await api.post("/api/v1/nodes", { metadata: { name: "n1", labels: { "node-role.kubernetes.io/worker": "" } } });
  await api.post("/api/v1/nodes", { metadata: { name: "n2" } });
  for (const name of ["n1", "n2"]) await api.post(pods, { metadata: { name: `on-${name}` }, spec: { nodeName: name, containers } });
});
afterEach(() => api.server.stop());

const asNode = async (method: "POST" | "PUT" | "PATCH" | "DELETE", path: string, body?: object) => {
  const type = method === "PATCH" ? { type: "application/merge-patch+json" } : {};
  const { status, body: answer } = await api.ask(method, path, { user, ...type, ...(body === undefined ? {} : { body }) });
  return status < 300 ? "allowed" : `${status} ${answer.message}`;
};

describe("pods of a node's own making", () => {
  const uid = async () => (await api.get("/api/v1/nodes/n1")).body.metadata.uid as string;
  const mirror = async (spec: object = {}, metadata: object = {}) => ({
    metadata: {
      name: "static-n1",
      annotations: { "kubernetes.io/config.mirror": "x" },
      ownerReferences: [{ apiVersion: "v1", kind: "Node", name: "n1", uid: await uid(), controller: true }],
      ...metadata,
    },
    spec: { nodeName: "n1", containers, ...spec },
  });

  test("a mirror of a static pod may be made, and names nobody", async () => {
    expect(await asNode("POST", pods, await mirror())).toBe("allowed");
    expect((await api.get(`${pods}/static-n1`)).body.spec.serviceAccountName).toBeUndefined();
  });

  test.each<[string, object, object, string]>([
    ["no mirror", {}, { annotations: {} }, "can only create mirror pods"],
    ["of another node", { nodeName: "n2" }, {}, "spec.nodeName set to itself"],
    ["without an owner", {}, { ownerReferences: [] }, "with an owner reference set to itself"],
    [
      "of an owner that was",
      {},
      { ownerReferences: [{ apiVersion: "v1", kind: "Node", name: "n1", uid: "u", controller: true }] },
      "UID mismatch",
    ],
    ["with an account", { serviceAccountName: "default" }, {}, "that reference serviceaccounts"],
    ["with a Secret as a volume", { volumes: [{ name: "v", secret: { secretName: "s" } }] }, {}, "secrets (via secret volumes)"],
    [
      "with a projected Secret",
      { volumes: [{ name: "v", projected: { sources: [{ secret: { name: "s" } }] } }] },
      {},
      "secrets (via projected volumes)",
    ],
    [
      "with a ConfigMap in a variable",
      { containers: [{ ...containers[0], env: [{ name: "A", valueFrom: { configMapKeyRef: { name: "m", key: "k" } } }] }] },
      {},
      "that reference configmaps",
    ],
  ])("%s: refused", async (_, spec, metadata, reason) => {
    expect(await asNode("POST", pods, await mirror(spec, metadata))).toContain(reason);
  });
});

test("pods of its own only: status without labels, deletion", async () => {
  const status = (name: string, labels: object) =>
    asNode("PATCH", `${pods}/${name}/status`, { metadata: { labels }, status: { phase: "Running" } });
  expect(await status("on-n1", {})).toBe("allowed");
  expect(await status("on-n2", {})).toMatch(/^403/);
  expect(await asNode("DELETE", `${pods}/on-n2`)).toMatch(/^403/);
  expect(await asNode("DELETE", `${pods}/on-n1?gracePeriodSeconds=0`)).toBe("allowed");
});

test("its own Node only, and neither its taints nor labels that draw work to it", async () => {
  const patch = (name: string, change: object) => asNode("PATCH", `/api/v1/nodes/${name}`, change);
  expect(await patch("n1", { metadata: { labels: { "topology.kubernetes.io/zone": "a", "example.com/rack": "r" } } })).toBe("allowed");
  expect(await patch("n2", { metadata: { labels: { a: "b" } } })).toMatch(/^403/);
  expect(await patch("n1", { metadata: { labels: { "node-role.kubernetes.io/control-plane": "" } } })).toContain(
    "is not allowed to modify labels: node-role.kubernetes.io/control-plane",
  );
  expect(await patch("n1", { metadata: { labels: { "node-role.kubernetes.io/worker": null } } })).toContain(
    "is not allowed to modify labels",
  );
  expect(await patch("n1", { spec: { taints: [{ key: "a", effect: "NoSchedule" }] } })).toContain("is not allowed to modify taints");
  await api.ask("DELETE", "/api/v1/nodes/n1");
  const node = (labels: object) => asNode("POST", "/api/v1/nodes", { metadata: { name: "n1", labels } });
  expect(await node({ "node-restriction.kubernetes.io/secure": "" })).toContain("is not allowed to set the following labels");
  expect(await node({ "kubernetes.io/os": "linux" })).toBe("allowed");
});

test("tokens for pods that it runs only", async () => {
  await api.post("/api/v1/namespaces/default/serviceaccounts", { metadata: { name: "default" } });
  const bound = async (name: string) => ({
    apiVersion: "v1",
    kind: "Pod",
    name,
    uid: (await api.get(`${pods}/${name}`)).body.metadata.uid as string,
  });
  const token = (boundObjectRef?: object) =>
    asNode("POST", "/api/v1/namespaces/default/serviceaccounts/default/token", { spec: { boundObjectRef } });
  expect(await token(await bound("on-n1"))).toBe("allowed");
  expect(await token()).toContain("node requested token not bound to a pod");
  expect(await token({ ...(await bound("on-n1")), uid: "" })).toContain("without a uid");
  expect(await token({ ...(await bound("on-n1")), uid: "another" })).toContain("does not match the UID in record");
  expect(await token(await bound("on-n2"))).toContain("scheduled on a different node");
});

test.each([
  ["app", true],
  ["example.com/rack", true],
  ["kubernetes.io/hostname", true],
  ["node.kubernetes.io/anything", true],
  ["x.kubelet.kubernetes.io/anything", true],
  ["node-role.kubernetes.io/worker", false],
  ["kubernetes.io/role", false],
  ["a.k8s.io/b", false],
  ["node-restriction.kubernetes.io/a", false],
  ["my.node-restriction.kubernetes.io/a", false],
])("a node may give itself the label %s: %s", (key, may) => {
  expect(mayNodeSetLabel(key)).toBe(may);
});
