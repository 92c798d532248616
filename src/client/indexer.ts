/** The objects of an informer, found by key, by namespace and by what index functions say of them. */
import { objectKey, type KubeObject } from "../api/object.ts";
import type { Lister } from "./informer.ts";

type IndexFunction<T> = (object: T) => readonly string[];

/** value → key → object */
type Buckets<T> = Map<string, Map<string, T>>;

export class Indexer<T extends KubeObject> implements Lister<T> {
  readonly #objects = new Map<string, T>();
  readonly #indexes = new Map<string, { readonly values: IndexFunction<T>; readonly buckets: Buckets<T> }>();
  readonly #namespaces: Buckets<T> = new Map();
  /** `list()` of the present state: many readers ask for all between two changes. */
  #all: readonly T[] | undefined;

  addIndex(name: string, values: IndexFunction<T>): void {
    if (this.#indexes.has(name)) return;
    const buckets: Buckets<T> = new Map();
    for (const [key, object] of this.#objects) file(buckets, values(object), key, object);
    this.#indexes.set(name, { values, buckets });
  }

  /** Puts the object in the place of what had its key, and gives that. */
  put(object: T): T | undefined {
    const key = objectKey(object);
    const old = this.#objects.get(key);
    if (old !== undefined) this.#unfile(key, old);
    this.#objects.set(key, object);
    file(this.#namespaces, [object.metadata.namespace ?? ""], key, object);
    for (const { values, buckets } of this.#indexes.values()) file(buckets, values(object), key, object);
    this.#all = undefined;
    return old;
  }

  /** Gives what was there. */
  remove(key: string): T | undefined {
    const old = this.#objects.get(key);
    if (old === undefined) return undefined;
    this.#objects.delete(key);
    this.#unfile(key, old);
    this.#all = undefined;
    return old;
  }

  #unfile(key: string, old: T): void {
    unfile(this.#namespaces, [old.metadata.namespace ?? ""], key);
    for (const { values, buckets } of this.#indexes.values()) unfile(buckets, values(old), key);
  }

  keys(): IterableIterator<string> {
    return this.#objects.keys();
  }

  get(namespace: string | undefined, name: string): T | undefined {
    return this.#objects.get(namespace === undefined || namespace === "" ? name : `${namespace}/${name}`);
  }

  getByKey(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(namespace?: string): readonly T[] {
    if (namespace !== undefined && namespace !== "") return valuesOf(this.#namespaces.get(namespace));
    return (this.#all ??= valuesOf(this.#objects));
  }

  byIndex(index: string, value: string): readonly T[] {
    const found = this.#indexes.get(index);
    if (found === undefined) throw new Error(`there is no index ${index}`);
    return valuesOf(found.buckets.get(value));
  }
}

function valuesOf<T>(objects: Map<string, T> | undefined): readonly T[] {
  return objects === undefined ? [] : [...objects.values()];
}

function file<T>(buckets: Buckets<T>, values: readonly string[], key: string, object: T): void {
  for (const value of values) {
    const bucket = buckets.get(value);
    if (bucket === undefined) buckets.set(value, new Map([[key, object]]));
    else bucket.set(key, object);
  }
}

function unfile<T>(buckets: Buckets<T>, values: readonly string[], key: string): void {
  for (const value of values) {
    const bucket = buckets.get(value);
    bucket?.delete(key);
    if (bucket?.size === 0) buckets.delete(value);
  }
}
