/** Every verb of a resource, and where discovery names it: what three of the cases ask of three kinds. */
import { expect } from "vitest";
import type { Json } from "./api.ts";
import type { Framework } from "./framework.ts";

export interface Operations {
  readonly group: string;
  readonly resource: string;
  readonly namespaced: boolean;
  /** The nth object, labelled `special-label=UNIQUE`. */
  object(number: number): Json;
  /** What is asked after the updates, before it is deleted; gets the object's path. */
  subresources?(path: string, created: Json): Promise<void>;
}

export async function discovers(f: Framework, group: string, version: string, resource: string): Promise<void> {
  const groups = await f.api.get("/apis");
  const named = groups.groups.find(({ name }: Json) => name === group);
  expect(named.versions.map(({ version: found }: Json) => found)).toContain(version);
  const one = await f.api.get(`/apis/${group}`);
  expect(one.versions.map(({ version: found }: Json) => found)).toContain(version);
  const resources = await f.api.get(`/apis/${group}/${version}`);
  expect(resources.resources.map(({ name }: Json) => name)).toContain(resource);
}

export async function operates(f: Framework, operations: Operations): Promise<void> {
  const { api } = f;
  const { group, resource, namespaced } = operations;
  const everywhere = `/apis/${group}/v1/${resource}`;
  const path = namespaced ? `/apis/${group}/v1/namespaces/${f.namespace}/${resource}` : everywhere;
  const labelled = `labelSelector=special-label=${f.uniqueName}`;
  await discovers(f, group, "v1", resource);

  await api.create(path, operations.object(1));
  await api.create(path, operations.object(2));
  const created = await api.create(path, operations.object(3));
  const own = `${path}/${created.metadata.name}`;
  expect((await api.get(own)).metadata).toMatchObject({ uid: created.metadata.uid, resourceVersion: expect.stringMatching(/^\d+$/) });

  const list = await api.get(`${path}?${labelled}`);
  expect(list.items).toHaveLength(3);
  const since = `${labelled}&resourceVersion=${list.metadata.resourceVersion}`;
  const watch = await api.watch(`${path}?${since}`);
  expect((await api.get(`${everywhere}?${labelled}`)).items).toHaveLength(3);
  (await api.watch(`${everywhere}?${since}`)).stop();

  const patched = await api.patch(own, "merge-patch", { metadata: { annotations: { patched: "true" } } });
  expect(patched.metadata.annotations).toMatchObject({ patched: "true" });
  expect(BigInt(patched.metadata.resourceVersion)).toBeGreaterThan(BigInt(created.metadata.resourceVersion));
  patched.metadata.annotations.updated = "true";
  expect((await api.replace(own, patched)).metadata.annotations).toMatchObject({ patched: "true", updated: "true" });
  // Upstream takes each event for a change; any other fails.
  await watch.next(({ type, object }) => {
    expect(type).toBe("MODIFIED");
    return object.metadata.annotations?.patched === "true";
  });
  watch.stop();

  await operations.subresources?.(own, created);

  await api.delete(own);
  expect((await api.ask("GET", own)).status).toBe(404);
  const left = await api.get(`${path}?${labelled}`);
  expect(left.items.map(({ metadata }: Json) => metadata.name)).not.toContain(created.metadata.name);
  expect(left.items).toHaveLength(2);
  await api.delete(`${path}?${labelled}`);
  expect((await api.get(`${path}?${labelled}`)).items).toEqual([]);
}
