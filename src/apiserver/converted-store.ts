/**
 * A store seen in another version of its kind (`conversion: {strategy: None}`): objects differ in their `apiVersion` alone. What is written is
 * stored in the storage version.
 */
import type { KubeObject } from "../api/object.ts";
import type { StreamedEvent, WatchStream } from "../api/request.ts";
import type { CachedObject, ResourceStore, StoreList } from "./store.ts";

export function convertedStore(store: ResourceStore, served: string, storage: string): ResourceStore {
  if (served === storage) return store;
  const known = new WeakMap<CachedObject, CachedObject>();
  const convert = (item: CachedObject): CachedObject => {
    const made = known.get(item) ?? converted(item, served);
    known.set(item, made);
    return made;
  };
  const list = (found: StoreList): StoreList => ({ ...found, items: found.items.map(convert) });
  return {
    get: (key) => {
      const item = store.get(key);
      return item && convert(item);
    },
    items: (namespace) => store.items(namespace).map(convert),
    get changed() {
      return store.changed;
    },
    get count() {
      return store.count;
    },
    list: async (options) => list(await store.list(options)),
    watch: (options) => convertedWatch(store.watch(options), served),
    async write(key, object, expect) {
      const result = await store.write(key, object === null ? null : { ...object, apiVersion: storage }, expect);
      if (result.kind === "ok") return { kind: "ok", object: convert(result.object) };
      return { kind: "conflict", current: result.current && convert(result.current) };
    },
  };
}

function converted(item: CachedObject, apiVersion: string): CachedObject {
  let object: KubeObject | undefined;
  let bytes: Buffer | undefined;
  const own = () => (object ??= Object.freeze({ ...item.object(), apiVersion }));
  return {
    key: item.key,
    revision: item.revision,
    createRevision: item.createRevision,
    object: own,
    bytes: () => (bytes ??= Buffer.from(JSON.stringify(own()))),
  };
}

function convertedWatch(stream: WatchStream, apiVersion: string): WatchStream {
  return {
    close: () => stream.close(),
    async *[Symbol.asyncIterator]() {
      for await (const event of stream) yield event.type === "ERROR" ? event : convertedEvent(event, apiVersion);
    },
  };
}

function convertedEvent(event: StreamedEvent, apiVersion: string): StreamedEvent {
  const object = () => ({ ...event.object(), apiVersion });
  return { type: event.type, object, bytes: () => Buffer.from(JSON.stringify({ type: event.type, object: object() })) };
}
