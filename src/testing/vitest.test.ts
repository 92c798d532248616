import { expect } from "vitest";
import { configMaps } from "../api/resources.ts";
import { clusterTest } from "./vitest.ts";

const test = clusterTest({ disable: ["gateway"] });
const shared = clusterTest({
  disable: ["gateway"],
  scope: "file",
  manifests: "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: there }\n",
});
const name = { namespace: "default", name: "mine" };

for (const turn of ["first", "second"]) {
  test(`each test has a cluster of its own (${turn})`, async ({ cluster }) => {
    await cluster.client.create(configMaps, { metadata: name });
  });
}

shared("a file's tests share one: it is written", async ({ cluster }) => {
  expect((await cluster.client.get(configMaps, { namespace: "default", name: "there" })).metadata.name).toBe("there");
  await cluster.client.create(configMaps, { metadata: name });
});

shared("a file's tests share one: it is read", async ({ cluster }) => {
  expect((await cluster.client.get(configMaps, name)).metadata.name).toBe("mine");
});
