/**
 * A store seen in another version of its kind, or by other names: what is read and watched is converted, lazily and once for all who hold it, and what
 * is written is stored in the one form.
 */
import type { KubeObject } from "../api/object.ts";
import type { StreamedEvent, WatchStream } from "../api/request.ts";
import type { CachedObject, ResourceStore, StoreList } from "./store.ts";

export interface Conversion {
  readonly toServed: (object: KubeObject) => KubeObject;
  readonly toStored: (object: KubeObject) => KubeObject;
}

/** Versions that differ in nothing but their name. */
export function versionedStore(store: ResourceStore, served: string, storage: string): ResourceStore {
  if (served === storage) return store;
  return convertedStore(store, {
    toServed: (object) => ({ ...object, apiVersion: served }),
    toStored: (object) => ({ ...object, apiVersion: storage }),
  });
}

export function convertedStore(store: ResourceStore, { toServed, toStored }: Conversion): ResourceStore {
  const known = new WeakMap<CachedObject, CachedObject>();
  const convert = (item: CachedObject): CachedObject => {
    const made = known.get(item) ?? converted(item, toServed);
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
    list: async (options) => list(await store.list(servedOptions(options, toServed))),
    watch: (options) => convertedWatch(store.watch(servedOptions(options, toServed)), toServed),
    async write(key, object, expect) {
      const result = await store.write(key, object === null ? null : toStored(object), expect);
      if (result.kind === "ok") return { kind: "ok", object: convert(result.object) };
      return { kind: "conflict", current: result.current && convert(result.current) };
    },
  };
}

type ToServed = Conversion["toServed"];

/** Selectors look at objects as they are served. */
function servedOptions<T extends { readonly match?: ((object: KubeObject) => boolean) | undefined }>(
  options: T | undefined,
  toServed: ToServed,
): T {
  const { match } = options ?? {};
  return (match === undefined ? (options ?? {}) : { ...options, match: (object: KubeObject) => match(toServed(object)) }) as T;
}

function converted(item: CachedObject, toServed: ToServed): CachedObject {
  let object: KubeObject | undefined;
  let bytes: Buffer | undefined;
  const own = () => (object ??= Object.freeze(toServed(item.object())));
  return {
    key: item.key,
    revision: item.revision,
    createRevision: item.createRevision,
    object: own,
    bytes: () => (bytes ??= Buffer.from(JSON.stringify(own()))),
  };
}

function convertedWatch(stream: WatchStream, toServed: ToServed): WatchStream {
  return {
    close: () => stream.close(),
    async *[Symbol.asyncIterator]() {
      for await (const event of stream) yield event.type === "ERROR" ? event : convertedEvent(event, toServed);
    },
  };
}

function convertedEvent(event: StreamedEvent, toServed: ToServed): StreamedEvent {
  const object = () => toServed(event.object() as KubeObject);
  return { type: event.type, object, bytes: () => Buffer.from(JSON.stringify({ type: event.type, object: object() })) };
}
