/**
 * An API in memory for the kubelet's tests: a `Client` and an `InformerFactory` over one map of objects, with what the
 * kubelet uses of the real ones: uids, graceful deletion of pods, patches. No watch, no lists.
 */
import { randomUUID } from "node:crypto";
import { keyOf, objectKey, type KubeObject } from "../api/object.ts";
import { applyPatch } from "../api/patch/index.ts";
import { pods, type Resource } from "../api/resources.ts";
import { alreadyExistsError, conflictError, notFoundError } from "../api/status.ts";
import type { Client, DeleteOptions, ObjectRef, PatchType } from "../client/client.ts";
import type { EventRecorder } from "../client/event-recorder.ts";
import type { EventHandlers, Informer, InformerFactory } from "../client/informer.ts";
import { deepFreeze } from "../lib/freeze.ts";

type Stored = Record<string, unknown> & KubeObject;

export interface RecordedEvent {
  readonly object: string;
  readonly type: string;
  readonly reason: string;
  readonly message: string;
}

export class FakeCluster {
  readonly events: RecordedEvent[] = [];
  readonly recorder: EventRecorder = {
    event: (object, type, reason, message) => this.events.push({ object: objectKey(object), type, reason, message }),
  };
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly #objects = new Map<string, Map<string, Stored>>();
  readonly #handlers = new Map<string, Set<EventHandlers<KubeObject>>>();
  #version = 0;

  constructor() {
    this.client = this.#makeClient();
    this.informers = this.#makeInformers();
  }

  get<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef): T | undefined {
    return this.#all(resource).get(keyOf(ref.namespace, ref.name)) as T | undefined;
  }

  create<T extends KubeObject>(resource: Resource<T>, object: T): T {
    const key = objectKey(object);
    if (this.#all(resource).has(key)) throw alreadyExistsError(resource, object.metadata.name ?? "");
    const creationTimestamp = new Date().toISOString();
    return this.#put(resource, {
      ...object,
      metadata: { creationTimestamp, ...object.metadata, uid: object.metadata.uid ?? randomUUID() },
    } as T);
  }

  update<T extends KubeObject>(resource: Resource<T>, object: T): T {
    return this.#put(resource, object);
  }

  /** As the API server deletes: a pod that runs gets its grace period first. */
  remove(resource: Resource, ref: ObjectRef, options: DeleteOptions = {}): void {
    const found = this.#require(resource, ref);
    if (options.preconditions?.uid !== undefined && options.preconditions.uid !== found.metadata.uid)
      throw conflictError(resource, ref.name, "uid");
    const grace =
      options.gracePeriodSeconds ??
      (found["spec"] as { terminationGracePeriodSeconds?: number } | undefined)?.terminationGracePeriodSeconds ??
      30;
    if (resource.plural === pods.plural && grace > 0) {
      this.#put(resource, {
        ...found,
        metadata: { ...found.metadata, deletionTimestamp: new Date().toISOString(), deletionGracePeriodSeconds: grace },
      });
      return;
    }
    this.#all(resource).delete(keyOf(ref.namespace, ref.name));
    for (const handlers of this.#handlersOf(resource)) handlers.deleted?.(found);
  }

  #require(resource: Resource, ref: ObjectRef): Stored {
    const found = this.#all(resource).get(keyOf(ref.namespace, ref.name));
    if (found === undefined) throw notFoundError(resource, ref.name);
    return found;
  }

  #put<T extends KubeObject>(resource: Resource<T>, object: T): T {
    const key = objectKey(object);
    const old = this.#all(resource).get(key);
    const stored = deepFreeze({
      ...structuredClone(object),
      metadata: { ...object.metadata, resourceVersion: String(++this.#version) },
    }) as unknown as Stored;
    this.#all(resource).set(key, stored);
    for (const handlers of this.#handlersOf(resource)) {
      if (old === undefined) handlers.added?.(stored, false);
      else handlers.updated?.(stored, old);
    }
    return stored as unknown as T;
  }

  #all(resource: Resource): Map<string, Stored> {
    let all = this.#objects.get(resource.plural);
    if (all === undefined) this.#objects.set(resource.plural, (all = new Map()));
    return all;
  }

  #handlersOf(resource: Resource): Set<EventHandlers<KubeObject>> {
    let all = this.#handlers.get(resource.plural);
    if (all === undefined) this.#handlers.set(resource.plural, (all = new Set()));
    return all;
  }

  #makeClient(): Client {
    const unsupported = () => Promise.reject(new Error("the fake has no such verb"));
    return {
      get: async <T extends KubeObject>(resource: Resource<T>, ref: ObjectRef) => this.#require(resource, ref) as unknown as T,
      create: async (resource, object) => this.create(resource, object),
      update: async (resource, object) => this.update(resource, object),
      updateStatus: async (resource, object) => this.update(resource, object),
      patch: async <T extends KubeObject>(resource: Resource<T>, ref: ObjectRef, type: PatchType, patch: unknown) => {
        const found = this.#require(resource, ref);
        const uid = (patch as { metadata?: { uid?: string } }).metadata?.uid;
        if (uid !== undefined && uid !== found.metadata.uid) throw conflictError(resource, ref.name, "uid");
        if (type === "application/apply-patch+yaml") throw new Error("the fake has no server-side apply");
        return this.#put(resource, applyPatch(found, patch, type, resource.kind) as T);
      },
      delete: async (resource, ref, options) => this.remove(resource, ref, options),
      list: unsupported,
      post: unsupported,
      raw: unsupported,
      watch: () => {
        throw new Error("the fake has no watch");
      },
      stream: () => {
        throw new Error("the fake has no streams");
      },
    };
  }

  #makeInformers(): InformerFactory {
    return {
      informer: <T extends KubeObject>(resource: Resource<T>) => this.#informer(resource),
      start: () => undefined,
      waitForSync: async () => undefined,
      stop: async () => undefined,
    };
  }

  #informer<T extends KubeObject>(resource: Resource<T>): Informer<T> {
    const all = this.#all(resource) as unknown as Map<string, T>;
    return {
      resource,
      synced: true,
      waitForSync: async () => undefined,
      addIndex: () => undefined,
      lister: {
        get: (namespace, name) => all.get(keyOf(namespace, name)),
        getByKey: (key) => all.get(key),
        list: (namespace) => [...all.values()].filter(({ metadata }) => namespace === undefined || metadata.namespace === namespace),
        byIndex: () => [],
      },
      addHandlers: (handlers) => {
        for (const object of all.values()) handlers.added?.(object, true);
        const set = this.#handlersOf(resource) as unknown as Set<EventHandlers<T>>;
        set.add(handlers);
        return () => set.delete(handlers);
      },
    };
  }
}
