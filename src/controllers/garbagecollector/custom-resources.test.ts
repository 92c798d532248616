/** Custom resources as owners and as owned, against the real API server. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { KubeObject } from "../../api/object.ts";
import { configMaps, customResourceDefinitions, type Resource } from "../../api/resources.ts";
import type { CustomResourceDefinition, OwnerReference } from "../../api/types.ts";
import { startPretendCluster, type PretendCluster } from "../pretend-cluster.cases.ts";
import { resourceOf } from "./custom-resources.ts";

const sites: Resource<KubeObject> = { group: "test.dev", version: "v1", plural: "sites", kind: "Site", namespaced: true };
const definition: CustomResourceDefinition = {
  metadata: { name: "sites.test.dev" },
  spec: {
    group: "test.dev",
    scope: "Namespaced",
    names: { plural: "sites", kind: "Site" },
    versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } }],
  },
};
const timeout = 60_000;

describe("custom resources", { timeout }, () => {
  let cluster: PretendCluster;
  beforeEach(async () => {
    cluster = await startPretendCluster();
    await cluster.client.create(customResourceDefinitions, definition);
    await expect
      .poll(async () => resourceOf(await cluster.get(customResourceDefinitions, "sites.test.dev")), { timeout })
      .toMatchObject({ plural: "sites", version: "v1", namespaced: true });
  });
  afterEach(() => cluster.stop());

  const ownedBy = (kind: string, apiVersion: string, { metadata }: KubeObject): OwnerReference => ({
    apiVersion,
    kind,
    name: metadata.name ?? "",
    uid: metadata.uid ?? "",
  });
  const site = (name: string, owners: readonly OwnerReference[] = []) =>
    cluster.client.create(sites, {
      apiVersion: "test.dev/v1",
      kind: "Site",
      metadata: { name, namespace: "default", ownerReferences: owners },
    } as KubeObject);
  const config = (name: string, owners: readonly OwnerReference[] = []) =>
    cluster.client.create(configMaps, { metadata: { name, namespace: "default", ownerReferences: [...owners] } });

  test("what a custom resource owns goes with it, and it goes with what owns it", async () => {
    const owner = await config("owner");
    const middle = await site("middle", [ownedBy("ConfigMap", "v1", owner)]);
    await config("leaf", [ownedBy("Site", "test.dev/v1", middle)]);
    const other = await site("other");
    await config("kept", [ownedBy("Site", "test.dev/v1", other)]);
    await cluster.client.delete(configMaps, { namespace: "default", name: "owner" });
    await expect.poll(() => cluster.isGone(configMaps, "leaf"), { timeout }).toBe(true);
    expect([await cluster.isGone(sites, "middle"), await cluster.isGone(configMaps, "kept")]).toEqual([true, false]);
  });

  test("objects that own each other in a circle go, in the foreground too", async () => {
    const names = ["a", "b", "c"];
    const made = [];
    for (const name of names) made.push(await config(name));
    for (const [index, name] of names.entries()) {
      const reference = { ...ownedBy("ConfigMap", "v1", made[(index + 2) % 3] as KubeObject), blockOwnerDeletion: true };
      await cluster.patch(configMaps, name, { metadata: { ownerReferences: [reference] } });
    }
    await cluster.client.delete(configMaps, { namespace: "default", name: "a" }, { propagationPolicy: "Foreground" });
    for (const name of names) await expect.poll(() => cluster.isGone(configMaps, name), { timeout }).toBe(true);
  });

  test("an owner that went before its kind was known, and one that goes with its definition", async () => {
    const gone = { apiVersion: "test.dev/v1", kind: "Site", name: "gone", uid: "00000000-0000-0000-0000-000000000000" };
    await config("late", [gone]);
    await expect.poll(() => cluster.isGone(configMaps, "late"), { timeout }).toBe(true);
    await config("leaf", [ownedBy("Site", "test.dev/v1", await site("site"))]);
    await cluster.client.delete(customResourceDefinitions, { name: "sites.test.dev" });
    await expect.poll(() => cluster.isGone(configMaps, "leaf"), { timeout }).toBe(true);
  });
});

test("only an established definition with a served version counts", () => {
  const conditions = [{ type: "Established", status: "True" }];
  expect(resourceOf(definition)).toBeUndefined();
  const versions = [
    { name: "v1", served: false, storage: true },
    { name: "v2", served: true, storage: false },
  ];
  const established = { ...definition, status: { conditions } } as CustomResourceDefinition;
  expect(resourceOf(established)).toEqual({ ...sites });
  expect(resourceOf({ ...established, spec: { ...established.spec, versions } } as CustomResourceDefinition)?.version).toBe("v2");
  expect(
    resourceOf({ ...established, spec: { ...established.spec, versions: versions.slice(0, 1) } } as CustomResourceDefinition),
  ).toBeUndefined();
});
