/**
 * A local, indexed, live copy of one resource, in the manner of client-go's SharedIndexInformer: one list and watch
 * however many parts of the program look at it.
 */
import type { KubeObject } from "../api/object.ts";
import type { Resource } from "../api/resources.ts";

/** Reads from the local copy; objects are frozen and shared. */
export interface Lister<T extends KubeObject> {
  get(namespace: string | undefined, name: string): T | undefined;
  getByKey(key: string): T | undefined;
  /** Without a namespace: of all. Order is not defined. */
  list(namespace?: string): readonly T[];
  /** Objects that the index function filed under `value`. */
  byIndex(index: string, value: string): readonly T[];
}

export interface EventHandlers<T extends KubeObject> {
  /** `initial`: part of the first list. */
  readonly added?: (object: T, initial: boolean) => void;
  /** Also for a relist that finds a changed object; not when only a resync would repeat it. */
  readonly updated?: (object: T, old: T) => void;
  /** With the last state known. */
  readonly deleted?: (object: T) => void;
}

export interface Informer<T extends KubeObject> {
  readonly resource: Resource<T>;
  readonly lister: Lister<T>;
  /** Values under which an object is found by `byIndex`. Before `start`; the same name twice must be the same function. */
  addIndex(name: string, values: (object: T) => readonly string[]): void;
  /** Called for what is there already (as `added`, initial) and for each change. Gives the way to stop. */
  addHandlers(handlers: EventHandlers<T>): () => void;
  /** The first list is in and its handlers ran. */
  readonly synced: boolean;
  waitForSync(signal?: AbortSignal): Promise<void>;
}

/** The informers of a program, one per resource; started by whoever composes the program. */
export interface InformerFactory {
  informer<T extends KubeObject>(resource: Resource<T>): Informer<T>;
  /** Starts those asked for so far; those asked for later start at once. */
  start(): void;
  waitForSync(signal?: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}
