import { expect, test } from "vitest";
import { objectKey, type KubeObject } from "../api/object.ts";
import { services } from "../api/resources.ts";
import type { EventHandlers, Informer } from "../client/informer.ts";
import { Feed } from "./feed.ts";
import type { FeedRecord } from "./wire.ts";

/** An informer that does what a test says. */
function informerOf(first: readonly KubeObject[]) {
  let handlers: EventHandlers<KubeObject> = {};
  let sync = () => {};
  const informer = {
    resource: services,
    synced: false,
    addHandlers(given: EventHandlers<KubeObject>) {
      handlers = given;
      for (const object of first) given.added?.(object, true);
      return () => void (handlers = {});
    },
    waitForSync: () => new Promise<void>((resolve) => (sync = resolve)),
  };
  return {
    informer: informer as unknown as Informer<KubeObject>,
    put: (object: KubeObject) => handlers.updated?.(object, object),
    drop: (object: KubeObject) => handlers.deleted?.(object),
    sync() {
      informer.synced = true;
      sync();
    },
  };
}

function sinkOf() {
  const records: FeedRecord[] = [];
  const state = { full: false, drained: () => {} };
  const sink = {
    write(text: string) {
      records.push(JSON.parse(text) as FeedRecord);
      return !state.full;
    },
    onDrained: (call: () => void) => void (state.drained = call),
  };
  return { records, state, sink };
}

/** `pass` runs what waits, one piece after the other, until nothing does. */
function turns() {
  const waiting: (() => void)[] = [];
  const pass = () => {
    while (waiting.length > 0) waiting.shift()?.();
  };
  return { later: (run: () => void) => void waiting.push(run), pass };
}

const service = (name: string, version: number): KubeObject => ({
  metadata: { name, namespace: "shop", resourceVersion: String(version) },
});

const put = (records: readonly FeedRecord[]) =>
  records.flatMap((record) =>
    record.kind === "put" ? record.objects.map((object) => `${objectKey(object)}@${object.metadata.resourceVersion}`) : [],
  );

test("everything first, in pieces, then what changes; synced is said once", async () => {
  const { informer, put: change, drop, sync } = informerOf([service("a", 1), service("b", 1), service("c", 1)]);
  const { records, sink } = sinkOf();
  const { later, pass } = turns();
  const feed = new Feed({ sink, later, most: 2 });
  feed.follow(informer);
  sync();
  await Promise.resolve();
  pass();
  expect(records.map(({ kind }) => kind)).toEqual(["put", "put", "synced"]);
  expect(put(records)).toEqual(["shop/a@1", "shop/b@1", "shop/c@1"]);
  change(service("b", 2));
  drop(service("c", 1));
  pass();
  expect(records.slice(3)).toMatchObject([{ kind: "put" }, { kind: "gone", keys: ["shop/c"] }]);
  feed.close();
  change(service("b", 3));
  pass();
  expect(records).toHaveLength(5);
});

test("a page that does not read gets the newest state only, and nothing piles up", () => {
  const { informer, put: change, drop } = informerOf([]);
  const { records, state, sink } = sinkOf();
  const { later, pass } = turns();
  const feed = new Feed({ sink, later });
  feed.follow(informer);
  state.full = true;
  change(service("a", 1));
  pass();
  expect(put(records)).toEqual(["shop/a@1"]);
  for (let version = 2; version < 100; version++) change(service("a", version));
  change(service("gone", 1));
  drop(service("gone", 1));
  pass();
  expect(records).toHaveLength(1);
  state.full = false;
  state.drained();
  pass();
  expect(put(records)).toEqual(["shop/a@1", "shop/a@99"]);
  expect(records.at(-1)).toMatchObject({ kind: "gone", keys: ["shop/gone"] });
});
