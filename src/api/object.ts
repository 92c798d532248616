/** What every object of the API has, and the few helpers that everyone needs. Objects are frozen plain data. */
import type { ListMeta, ObjectMeta } from "./types.ts";

export interface KubeObject {
  readonly apiVersion?: string | undefined;
  readonly kind?: string | undefined;
  readonly metadata: ObjectMeta;
}

export interface KubeList<T> {
  readonly apiVersion?: string | undefined;
  readonly kind?: string | undefined;
  readonly metadata: ListMeta;
  readonly items: readonly T[];
}

/** A deeply mutable copy of a type, for code that fills in an object of its own (`structuredClone` gives one). */
export type Draft<T> = T extends readonly (infer Item)[] ? Draft<Item>[] : T extends object ? { -readonly [K in keyof T]: Draft<T[K]> } : T;

export function draft<T>(value: T): Draft<T> {
  return structuredClone(value) as Draft<T>;
}

/** `namespace/name`, or `name` without a namespace: the key of an object within its resource. */
export function objectKey(object: KubeObject): string {
  return keyOf(object.metadata.namespace, object.metadata.name ?? "");
}

export function keyOf(namespace: string | undefined, name: string): string {
  return namespace === undefined || namespace === "" ? name : `${namespace}/${name}`;
}

export function splitKey(key: string): { readonly namespace: string | undefined; readonly name: string } {
  const slash = key.indexOf("/");
  return slash < 0 ? { namespace: undefined, name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
