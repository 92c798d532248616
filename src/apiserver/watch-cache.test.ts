import * as fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import type { KubeObject } from "../api/object.ts";
import { configMaps, nodes, services } from "../api/resources.ts";
import type { WatchStream } from "../api/request.ts";
import { FakeClock } from "../lib/clock.ts";
import { MetricsRegistry } from "../lib/metrics.ts";
import type { Backend } from "../storage/backend.ts";
import { createMemoryBackend } from "../storage/memory/memory-backend.ts";
import type { ResourceStore, Store } from "./store.ts";
import { encodeContinue } from "./watch-cache-continue.ts";
import { createStore, type StoreOptions } from "./watch-cache.ts";

const stores: Store[] = [];
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
});

async function start(options: Partial<StoreOptions> = {}): Promise<{ store: Store; maps: ResourceStore }> {
  const store = createStore({ backend: createMemoryBackend(), ...options });
  stores.push(store);
  await store.open();
  return { store, maps: store.resource(configMaps) };
}

function map(key: string, labels: Record<string, string> = {}, data: Record<string, string> = {}): KubeObject {
  const [namespace, name] = key.split("/") as [string, string];
  return { metadata: { name, namespace, labels }, kind: "ConfigMap", apiVersion: "v1", ...{ data } };
}

async function write(to: ResourceStore, key: string, object: KubeObject | null = map(key)): Promise<number> {
  const result = await to.write(key, object, to.get(key)?.revision ?? 0);
  if (result.kind !== "ok") throw new Error("conflict");
  return result.object.revision;
}

const red = (object: KubeObject): boolean => object.metadata.labels?.["color"] === "red";

/** The next `count` events, as `TYPE namespace/name@revision`, each checked to be the same as bytes and as object. */
async function take(stream: WatchStream, count: number): Promise<string[]> {
  const seen: string[] = [];
  for await (const event of stream) {
    const object = event.object() as KubeObject;
    expect(JSON.parse(Buffer.from(event.bytes()).toString())).toEqual({ type: event.type, object });
    const { namespace, name, resourceVersion } = object.metadata;
    seen.push(`${event.type} ${event.type === "BOOKMARK" ? "" : `${namespace}/${name}`}@${resourceVersion}`);
    if (seen.length === count) break;
  }
  return seen;
}

describe("objects", () => {
  test("carry their revision as object and as bytes, are frozen and shared", async () => {
    const { store, maps } = await start();
    const result = await maps.write(
      "a/x",
      { ...map("a/x", {}, { note: '"metadata":{' }), metadata: { name: "x", namespace: "a", resourceVersion: "77" } },
      0,
    );
    const cached = maps.get("a/x");
    expect(result).toEqual({ kind: "ok", object: cached });
    const object = cached?.object();
    expect(object).toEqual({
      kind: "ConfigMap",
      apiVersion: "v1",
      metadata: { resourceVersion: "2", name: "x", namespace: "a" },
      data: { note: '"metadata":{' },
    });
    expect(JSON.parse(cached?.bytes().toString() as string)).toEqual(object);
    expect(Object.isFrozen(object?.metadata)).toBe(true);
    expect(cached?.object()).toBe(object);
    expect([store.revision, maps.count, cached?.createRevision]).toEqual([2, 1, 2]);
  });

  test("a value that would confuse the splice does not", async () => {
    const { maps } = await start();
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.string(), fc.string()), fc.string(), async (labels, kind) => {
        const revision = await write(maps, "a/x", { ...map("a/x", labels), kind });
        const bytes = maps.get("a/x")?.bytes().toString() as string;
        expect(JSON.parse(bytes)).toEqual({
          ...map("a/x", labels),
          kind,
          metadata: { name: "x", namespace: "a", labels, resourceVersion: `${revision}` },
        });
      }),
      { numRuns: 50 },
    );
  });

  test("a conflict gives what is there", async () => {
    const { maps } = await start();
    await write(maps, "a/x");
    expect(await maps.write("a/x", map("a/x"), 0)).toEqual({ kind: "conflict", current: maps.get("a/x") });
    expect(await maps.write("a/y", null, 5)).toEqual({ kind: "conflict", current: undefined });
  });

  test("a delete gives the last state with the revision of the delete", async () => {
    const { maps } = await start();
    await write(maps, "a/x");
    const result = await maps.write("a/x", null, 2);
    expect(result.kind === "ok" && [result.object.revision, result.object.object().metadata.resourceVersion]).toEqual([3, "3"]);
    expect(maps.get("a/x")).toBeUndefined();
  });

  test("are there again after a restart, under the same revisions", async () => {
    const first = await start();
    await write(first.maps, "b/x");
    await write(first.maps, "a/x");
    await write(first.store.resource(nodes), "n", { kind: "Node", apiVersion: "v1", metadata: { name: "n" } });
    const entries = ["b/x", "a/x"].map((key) => {
      const { resourceVersion: _, ...metadata } = first.maps.get(key)?.object().metadata ?? {};
      const value = Buffer.from(JSON.stringify({ kind: "ConfigMap", apiVersion: "v1", metadata }));
      return { key: `/registry/configmaps/${key}`, value, createRevision: 2, modRevision: key === "b/x" ? 2 : 3 };
    });
    const again = await start({ backend: createMemoryBackend({ entries }) });
    expect((await again.maps.list()).items.map((item) => `${item.key}@${item.revision}`)).toEqual(["a/x@3", "b/x@2"]);
    expect(again.maps.get("a/x")?.object().metadata.resourceVersion).toBe("3");
    // What happened before the restart is not known, so a watch cannot resume from there.
    expect(() => again.maps.watch({ after: 2 })).toThrow("too old resource version: 2 (3)");
    again.maps.watch({ after: 3 }).close();
  });

  test("that are no objects are named", async () => {
    const entries = [{ key: "/registry/configmaps/a/x", value: Buffer.from("{}"), createRevision: 2, modRevision: 2 }];
    await expect(start({ backend: createMemoryBackend({ entries }) })).rejects.toMatchObject({ code: "FL_STORAGE" });
    stores.splice(0);
  });
});

describe("lists", () => {
  test("are in the order of keys, by namespace, filtered", async () => {
    const { maps } = await start();
    for (const key of ["b/2", "a/1", "b/1", "a-b/1", "c/1"])
      await write(maps, key, map(key, { color: key.startsWith("b/") ? "red" : "blue" }));
    const keys = async (options: Parameters<ResourceStore["list"]>[0]) => (await maps.list(options)).items.map((item) => item.key);
    expect(await keys({})).toEqual(["a-b/1", "a/1", "b/1", "b/2", "c/1"]);
    expect(await keys({ namespace: "a" })).toEqual(["a/1"]);
    expect(await keys({ namespace: "none" })).toEqual([]);
    expect(await keys({ match: red })).toEqual(["b/1", "b/2"]);
    expect((await maps.list()).revision).toBe(6);
  });

  test("pages are of one revision, whatever is written meanwhile", async () => {
    const { maps } = await start();
    for (const key of ["a/1", "a/2", "a/3", "a/4", "b/1"]) await write(maps, key);
    const first = await maps.list({ limit: 2, namespace: "a" });
    expect([first.items.map((item) => item.key), first.remaining]).toEqual([["a/1", "a/2"], 2]);
    await write(maps, "a/3", null);
    await write(maps, "a/25");
    await write(maps, "a/4");
    await write(maps, "a/4", null);
    await write(maps, "b/0");
    const second = await maps.list({ limit: 2, namespace: "a", continue: first.continue });
    expect(second.items.map((item) => `${item.key}@${item.revision}`)).toEqual(["a/3@4", "a/4@5"]);
    expect([second.revision, second.continue, second.remaining]).toEqual([first.revision, undefined, undefined]);
  });

  test("a filtered page says that there is more, and not how much", async () => {
    const { maps } = await start();
    for (const key of ["a/1", "a/2", "a/3", "a/4"]) await write(maps, key, map(key, key === "a/2" ? {} : { color: "red" }));
    const first = await maps.list({ limit: 2, match: red });
    expect([first.items.map((item) => item.key), first.remaining]).toEqual([["a/1", "a/3"], undefined]);
    const second = await maps.list({ limit: 2, match: red, continue: first.continue });
    expect([second.items.map((item) => item.key), second.continue]).toEqual([["a/4"], undefined]);
  });

  test("a page out of the window is 410 with a token to go on regardless", async () => {
    const { maps } = await start({ window: { events: 2, bytes: 1 << 20 } });
    for (const key of ["a/1", "a/2", "a/3"]) await write(maps, key);
    const first = await maps.list({ limit: 1 });
    for (let i = 0; i < 3; i++) await write(maps, "a/3");
    const error = await maps
      .list({ continue: first.continue })
      .catch((caught: unknown) => caught as { status: { metadata: { continue: string } } });
    expect(error).toMatchObject({
      code: 410,
      reason: "Expired",
      message: expect.stringContaining("The provided continue parameter is too old") as string,
    });
    const token = (error as { status: { metadata: { continue: string } } }).status.metadata.continue;
    expect((await maps.list({ continue: token })).items.map((item) => item.key)).toEqual(["a/2", "a/3"]);
    await expect(maps.list({ exactRevision: 2 })).rejects.toMatchObject({
      code: 410,
      message: "The resourceVersion for the provided list is too old.",
    });
  });

  test("at an exact revision, and not from the future", async () => {
    const { maps } = await start();
    await write(maps, "a/1");
    await write(maps, "a/1", null);
    expect((await maps.list({ exactRevision: 2 })).items.map((item) => item.key)).toEqual(["a/1"]);
    await expect(maps.list({ minimumRevision: 9 })).rejects.toMatchObject({
      code: 504,
      message: "Timeout: Too large resource version: 9, current: 3",
    });
    expect(() => maps.watch({ after: 9 })).toThrow("Too large resource version: 9, current: 3");
  });

  test("any token is answered with a page or a refusal", async () => {
    const { maps } = await start();
    await write(maps, "a/1");
    const token = fc.oneof(
      fc.string(),
      fc.json().map((text) => Buffer.from(text).toString("base64url")),
    );
    await fc.assert(
      fc.asyncProperty(token, async (text) => {
        if (text === "") return;
        await expect(maps.list({ continue: text })).rejects.toMatchObject({ code: 400 });
      }),
    );
    await expect(maps.list({ continue: encodeContinue({ revision: 99, start: "a" }) })).rejects.toMatchObject({ code: 504 });
    expect((await maps.list({ continue: encodeContinue({ revision: -7, start: "a" }) })).items).toHaveLength(1);
  });

  test("the state at any revision in the window is what it was", async () => {
    const step = fc.record({ key: fc.constantFrom("a/1", "a/2", "b/1", "b/2"), remove: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const { maps } = await start();
        const states = new Map<number, string[]>();
        for (const { key, remove } of steps) {
          if (remove && maps.get(key) === undefined) continue;
          await write(maps, key, remove ? null : map(key));
          const { items, revision } = await maps.list({ namespace: "a" });
          states.set(
            revision,
            items.map((item) => `${item.key}@${item.revision}`),
          );
        }
        for (const [revision, state] of states)
          expect(
            (await maps.list({ namespace: "a", exactRevision: revision })).items.map((item) => `${item.key}@${item.revision}`),
          ).toEqual(state);
      }),
      { numRuns: 30 },
    );
  });
});

describe("watches", () => {
  test("see what happens in their scope, in order", async () => {
    const { maps } = await start();
    const all = maps.watch();
    const one = maps.watch({ key: "a/x" });
    const space = maps.watch({ namespace: "b" });
    await write(maps, "a/x");
    await write(maps, "a/xy");
    await write(maps, "a/x");
    await write(maps, "b/x");
    await write(maps, "a/x", null);
    expect(await take(all, 5)).toEqual(["ADDED a/x@2", "ADDED a/xy@3", "MODIFIED a/x@4", "ADDED b/x@5", "DELETED a/x@6"]);
    expect(await take(one, 3)).toEqual(["ADDED a/x@2", "MODIFIED a/x@4", "DELETED a/x@6"]);
    expect(await take(space, 1)).toEqual(["ADDED b/x@5"]);
  });

  test("begin with what is there when asked to, then a bookmark, then what happens", async () => {
    const { maps } = await start();
    await write(maps, "a/x");
    await write(maps, "b/x");
    const stream = maps.watch({ sendInitial: true, initialEventsEnd: true, namespace: "a" });
    await write(maps, "a/x");
    expect(await take(stream, 3)).toEqual(["ADDED a/x@2", "BOOKMARK @3", "MODIFIED a/x@4"]);
    expect(await take(maps.watch({ sendInitial: true, key: "b/x" }), 1)).toEqual(["ADDED b/x@3"]);
  });

  test("resume in the window, in their scope, and are refused beyond it", async () => {
    const { maps } = await start({ window: { events: 3, bytes: 1 << 20 } });
    for (const key of ["a/1", "b/1", "a/2", "a/1"]) await write(maps, key);
    expect(await take(maps.watch({ after: 2, namespace: "a" }), 2)).toEqual(["ADDED a/2@4", "MODIFIED a/1@5"]);
    expect(() => maps.watch({ after: 1 })).toThrow("too old resource version: 1 (2)");
  });

  test("the window is bounded by bytes, too", async () => {
    const { maps } = await start({ window: { events: 1000, bytes: 10_000 } });
    for (let i = 0; i < 20; i++) await write(maps, "a/1", map("a/1", {}, { x: "y".repeat(1000) }));
    expect(() => maps.watch({ after: 5 })).toThrow("too old resource version: 5");
    maps.watch({ after: 18 }).close();
  });

  test("a selector makes what begins to match ADDED and what stops DELETED", async () => {
    const { maps } = await start();
    const stream = maps.watch({ match: red });
    const colors = ["blue", "red", "red", "blue", "blue", "red"];
    for (const color of colors) await write(maps, "a/x", map("a/x", { color }));
    await write(maps, "a/x", null);
    await write(maps, "a/x", map("a/x", { color: "red" }));
    const seen = ["ADDED a/x@3", "MODIFIED a/x@4", "DELETED a/x@5", "ADDED a/x@7", "DELETED a/x@8", "ADDED a/x@9"];
    expect(await take(stream, 6)).toEqual(seen);
    expect(await take(maps.watch({ match: red, after: 2 }), 6)).toEqual(seen);
  });

  test("what leaves a selector is shown as it last matched", async () => {
    const { maps } = await start();
    await write(maps, "a/x", map("a/x", { color: "red" }));
    const stream = maps.watch({ match: red });
    await write(maps, "a/x", map("a/x", { color: "blue" }));
    for await (const event of stream) {
      expect(event.object()).toMatchObject({ metadata: { labels: { color: "red" }, resourceVersion: "3" } });
      break;
    }
  });

  test("share objects and lines", async () => {
    const { maps } = await start();
    const streams = [maps.watch(), maps.watch({ namespace: "a" }), maps.watch({ match: () => true })];
    await write(maps, "a/x");
    const events = await Promise.all(
      streams.map(async (stream) => (await stream[Symbol.asyncIterator]().next()).value as { object(): object; bytes(): Uint8Array }),
    );
    expect(new Set(events.map((event) => event.object())).size).toBe(1);
    expect(new Set(events.map((event) => event.bytes())).size).toBe(1);
    for (const stream of streams) stream.close();
  });

  test("one that does not keep up is cut off after what was queued; the others go on", async () => {
    const metrics = new MetricsRegistry();
    const { maps } = await start({ watchQueue: 3, metrics });
    const slow = maps.watch();
    const quick = maps.watch();
    const quickSeen = take(quick, 6);
    for (let i = 0; i < 6; i++) {
      await write(maps, "a/x");
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await take(slow, 100)).toHaveLength(4);
    expect(await quickSeen).toHaveLength(6);
    expect(metrics.text()).toContain('apiserver_terminated_watchers_total{resource="configmaps"} 1');
    expect(metrics.text()).toContain('apiserver_storage_objects{resource="configmaps"} 1');
  });

  test("end with their signal, by close, and with the store", async () => {
    const { store, maps } = await start();
    const abort = new AbortController();
    const streams = [maps.watch({ signal: abort.signal }), maps.watch(), maps.watch()];
    const ends = streams.map((stream) => take(stream, 100));
    abort.abort();
    expect(await ends[0]).toEqual([]);
    streams[1]?.close();
    streams[1]?.close();
    expect(await ends[1]).toEqual([]);
    await store.close();
    expect(await ends[2]).toEqual([]);
    expect(await take(maps.watch({ signal: AbortSignal.abort() }), 1)).toEqual([]);
  });

  test("a selector that throws ends its own watch alone", async () => {
    const { maps } = await start();
    const broken = maps.watch({
      match() {
        throw new Error("no");
      },
    });
    const sound = maps.watch();
    await write(maps, "a/x");
    expect(await take(broken, 1)).toEqual([]);
    expect(await take(sound, 1)).toEqual(["ADDED a/x@2"]);
  });

  test("bookmarks come every minute, with the revision of the whole store", async () => {
    const clock = new FakeClock();
    const { store, maps } = await start({ clock });
    const stream = maps.watch({ bookmarks: true });
    await write(store.resource(services), "a/web", { kind: "Service", apiVersion: "v1", metadata: { name: "web", namespace: "a" } });
    clock.advance(60_000);
    clock.advance(60_000);
    expect(await take(stream, 2)).toEqual(["BOOKMARK @2", "BOOKMARK @2"]);
    expect(clock.pending).toBe(0);
  });

  test("list and watch together miss nothing and repeat nothing", async () => {
    const step = fc.record({ key: fc.constantFrom("a/1", "a/2", "b/1"), remove: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.nat(29), async (steps, at) => {
        const { maps } = await start();
        const view = new Map<string, number>();
        let stream: WatchStream | undefined;
        for (const [i, { key, remove }] of steps.entries()) {
          if (i === at) {
            const { items, revision } = await maps.list();
            for (const item of items) view.set(item.key, item.revision);
            stream = maps.watch({ after: revision });
          }
          if (!remove || maps.get(key) !== undefined) await write(maps, key, remove ? null : map(key));
        }
        stream ??= maps.watch();
        await write(maps, "end/end");
        for await (const event of stream) {
          const { metadata } = event.object() as KubeObject;
          const key = `${metadata.namespace}/${metadata.name}`;
          if (key === "end/end") break;
          expect(event.type === "ADDED").toBe(!view.has(key));
          if (event.type === "DELETED") view.delete(key);
          else view.set(key, Number(metadata.resourceVersion));
        }
        if (at < steps.length)
          expect([...view].sort()).toEqual(
            (await maps.list()).items.filter((item) => item.key !== "end/end").map((item) => [item.key, item.revision]),
          );
      }),
      { numRuns: 40 },
    );
  });
});

test("a store that cannot write changes nothing", async () => {
  const memory = createMemoryBackend();
  const backend: Backend = { ...memory, write: () => Promise.reject(new Error("disk full")) };
  const { store, maps } = await start({ backend });
  await expect(maps.write("a/x", map("a/x"), 0)).rejects.toThrow("disk full");
  expect([maps.get("a/x"), store.revision]).toEqual([undefined, 1]);
});

test("a store is used after it is open", () => {
  const store = createStore({ backend: createMemoryBackend() });
  expect(() => store.resource(configMaps).get("a/x")).toThrow("before it is open");
});
