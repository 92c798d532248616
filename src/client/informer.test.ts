import * as fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { configMaps, namespaces, services } from "../api/resources.ts";
import { unavailableError, StatusError } from "../api/status.ts";
import type { ConfigMap } from "../api/types.ts";
import { realClock } from "../lib/clock.ts";
import { createFakeApi } from "./fake-api.ts";
import { inProcessTransport } from "./in-process.ts";
import { Indexer } from "./indexer.ts";
import { createInformerFactory, type InformerFactoryOptions } from "./informer-factory.ts";
import type { InformerFactory } from "./informer.ts";
import { createClient } from "./rest.ts";

const running: InformerFactory[] = [];
afterEach(async () => {
  for (const factory of running.splice(0)) await factory.stop();
});

function start(options: Partial<InformerFactoryOptions> = {}) {
  const api = createFakeApi([configMaps, namespaces, services]);
  const client = createClient(inProcessTransport(api, { name: "test", groups: [] }), { fieldManager: "tester" });
  const factory = createInformerFactory(client, { clock: realClock, random: () => 0.99, ...options });
  running.push(factory);
  return { api, client, factory };
}

const map = (key: string, labels: Record<string, string> = {}): ConfigMap => {
  const [namespace = "", name = ""] = key.split("/");
  return { metadata: { name, namespace, labels } };
};

function journal(factory: InformerFactory): string[] {
  const lines: string[] = [];
  const name = ({ metadata }: ConfigMap) => `${metadata.namespace}/${metadata.name}`;
  factory.informer(configMaps).addHandlers({
    added: (object, initial) => lines.push(`${initial ? "has" : "added"} ${name(object)}`),
    updated: (object, old) => lines.push(`updated ${name(object)} ${old.metadata.resourceVersion}>${object.metadata.resourceVersion}`),
    deleted: (object) => lines.push(`deleted ${name(object)}`),
  });
  return lines;
}

const until = async (what: () => boolean): Promise<void> => {
  while (!what()) await new Promise((resolve) => setTimeout(resolve, 1));
};

describe.each([
  ["list and watch", false],
  ["the first state as events", true],
])("%s", (_, watchList) => {
  test("what is there, then what happens", async () => {
    const { client, factory } = start({ watchList });
    await client.create(configMaps, map("a/x"));
    const lines = journal(factory);
    const informer = factory.informer(configMaps);
    expect([informer.synced, informer.lister.list()]).toEqual([false, []]);
    factory.start();
    await factory.waitForSync();
    const made = await client.create(configMaps, map("b/y"));
    await client.update(configMaps, made);
    await client.delete(configMaps, { namespace: "a", name: "x" });
    await until(() => lines.length === 4);
    expect(lines).toEqual(["has a/x", "added b/y", "updated b/y 3>4", "deleted a/x"]);
    expect(informer.lister.list().map((object) => object.metadata.name)).toEqual(["y"]);
    expect(informer.lister.get("b", "y")).toBe(informer.lister.getByKey("b/y"));
  });

  test("a watch that ends is resumed, and nothing is missed or told twice", async () => {
    const { api, client, factory } = start({ watchList });
    const lines = journal(factory);
    factory.start();
    await factory.waitForSync();
    await client.create(configMaps, map("a/1"));
    await until(() => lines.length === 1);
    api.endWatches();
    await client.create(configMaps, map("a/2"));
    await until(() => lines.length === 2);
    expect(lines).toEqual(["added a/1", "added a/2"]);
    expect(api.requests.filter((request) => request.includes("watch=true")).at(-1)).toContain("resourceVersion=2");
  });

  test("a revision that is gone means a new list; only differences are told", async () => {
    const { api, client, factory } = start({ watchList });
    for (const key of ["a/kept", "a/changed", "a/gone"]) await client.create(configMaps, map(key));
    const lines = journal(factory);
    factory.start();
    await factory.waitForSync();
    await client.create(services, { metadata: { name: "other", namespace: "a" } });
    // The server is away for a moment, in which the past is forgotten.
    api.intercept = () => unavailableError("away");
    api.endWatches();
    await until(() => api.requests.filter((request) => request.includes("watch=true")).length > 1);
    api.intercept = undefined;
    await client.update(configMaps, map("a/changed"));
    await client.delete(configMaps, { namespace: "a", name: "gone" });
    await client.create(configMaps, map("a/new"));
    api.compact();
    await until(() => lines.length === 6);
    expect(lines.slice(0, 3).sort()).toEqual(["has a/changed", "has a/gone", "has a/kept"]);
    expect(lines.slice(3).sort()).toEqual(["added a/new", "deleted a/gone", expect.stringMatching(/^updated a\/changed/)]);
  });

  test("a server that is down at first is asked again", async () => {
    const { api, client, factory } = start({ watchList });
    await client.create(configMaps, map("a/x"));
    let refusals = 3;
    api.intercept = () => (refusals-- > 0 ? unavailableError("starting") : undefined);
    const lines = journal(factory);
    factory.start();
    await factory.waitForSync();
    expect(lines).toEqual(["has a/x"]);
  });
});

test("a server without watch lists is listed", async () => {
  const { api, client, factory } = start({ watchList: true });
  await client.create(configMaps, map("a/x"));
  const refusal = {
    kind: "Status",
    metadata: {},
    status: "Failure",
    code: 422,
    reason: "Invalid",
    message: "sendInitialEvents: Forbidden",
  };
  api.intercept = ({ query }) => (query.has("sendInitialEvents") ? new StatusError(refusal) : undefined);
  const lines = journal(factory);
  factory.start();
  await factory.waitForSync();
  expect(lines).toEqual(["has a/x"]);
});

test("a server that was set back is listed anew", async () => {
  const { api, client, factory } = start();
  const lines = journal(factory);
  factory.start();
  await factory.waitForSync();
  let refused = false;
  api.intercept = ({ query }) => {
    if (refused || query.get("watch") !== "true") return undefined;
    refused = true;
    const details = { causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }] };
    return new StatusError({
      kind: "Status",
      metadata: {},
      status: "Failure",
      code: 504,
      reason: "Timeout",
      message: "Too large resource version: 9, current: 1",
      details,
    });
  };
  await client.create(configMaps, map("a/x"));
  await until(() => lines.length === 1);
  api.endWatches();
  await until(() => refused);
  await client.create(configMaps, map("a/y"));
  await until(() => lines.length === 2);
  expect(api.requests.filter((request) => request.startsWith("GET") && !request.includes("watch"))).toHaveLength(2);
});

test("one informer per resource, whoever asks; late ones start at once, late handlers hear what is there", async () => {
  const { api, client, factory } = start();
  await client.create(configMaps, map("a/x"));
  factory.start();
  const informer = factory.informer(configMaps);
  expect(factory.informer(configMaps)).toBe(informer);
  await informer.waitForSync();
  expect(journal(factory)).toEqual(["has a/x"]);
  expect(api.requests.filter((request) => request.startsWith("GET /api/v1/configmaps?limit"))).toHaveLength(1);
});

test("a handler that fails keeps nobody else from hearing, and one that left hears nothing", async () => {
  const { client, factory } = start();
  const informer = factory.informer(configMaps);
  informer.addHandlers({
    added() {
      throw new Error("broken");
    },
  });
  const left: string[] = [];
  informer.addHandlers({ added: () => left.push("heard") })();
  const lines = journal(factory);
  factory.start();
  await factory.waitForSync();
  await client.create(configMaps, map("a/x"));
  await until(() => lines.length === 1);
  expect(left).toEqual([]);
});

test("waiting for the first list ends with the signal", async () => {
  const { api, factory } = start();
  api.intercept = () => unavailableError("away");
  factory.informer(configMaps);
  factory.start();
  await expect(factory.waitForSync(AbortSignal.timeout(20))).rejects.toThrow("timeout");
});

test("a factory of one namespace sees it alone", async () => {
  const { client, factory } = start({ namespace: "a" });
  await client.create(configMaps, map("a/x"));
  await client.create(configMaps, map("b/x"));
  await client.create(namespaces, { metadata: { name: "n" } });
  const informers = [factory.informer(configMaps), factory.informer(namespaces)];
  factory.start();
  await factory.waitForSync();
  expect(informers.map((informer) => informer.lister.list().length)).toEqual([1, 1]);
});

describe("indexer", () => {
  test("finds by namespace and by index, also one added late", () => {
    const indexer = new Indexer<ConfigMap>();
    indexer.addIndex("color", (object) => [object.metadata.labels?.["color"] ?? "none"]);
    indexer.put(map("a/1", { color: "red" }));
    indexer.put(map("b/1", { color: "red" }));
    indexer.put(map("a/1", { color: "blue" }));
    indexer.addIndex("name", (object) => [object.metadata.name ?? ""]);
    const names = (objects: readonly ConfigMap[]) => objects.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
    expect(names(indexer.byIndex("color", "red"))).toEqual(["b/1"]);
    expect(names(indexer.byIndex("color", "blue"))).toEqual(["a/1"]);
    expect(names(indexer.byIndex("name", "1"))).toEqual(["a/1", "b/1"]);
    expect(names(indexer.list("a"))).toEqual(["a/1"]);
    expect(indexer.list("c")).toEqual([]);
    expect(() => indexer.byIndex("unknown", "x")).toThrow("there is no index unknown");
  });

  test("holds exactly what a map would, whatever the changes", () => {
    const change = fc.record({ key: fc.constantFrom("a/1", "a/2", "b/1"), color: fc.constantFrom("red", "blue"), remove: fc.boolean() });
    fc.assert(
      fc.property(fc.array(change), (changes) => {
        const indexer = new Indexer<ConfigMap>();
        indexer.addIndex("color", (object) => Object.values(object.metadata.labels ?? {}));
        const model = new Map<string, string>();
        for (const { key, color, remove } of changes) {
          if (remove) {
            expect(indexer.remove(key) !== undefined).toBe(model.delete(key));
          } else {
            indexer.put(map(key, { color }));
            model.set(key, color);
          }
          const keys = (objects: readonly ConfigMap[]) => objects.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`).sort();
          expect(keys(indexer.list())).toEqual([...model.keys()].sort());
          expect(keys(indexer.list("a"))).toEqual([...model.keys()].filter((one) => one.startsWith("a/")).sort());
          expect(keys(indexer.byIndex("color", "red"))).toEqual([...model].flatMap(([one, its]) => (its === "red" ? [one] : [])).sort());
        }
      }),
    );
  });
});
