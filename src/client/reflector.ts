/**
 * Keeps a copy of a resource in step with the server: list, then watch from the list's revision, again and again. A
 * watch that ends is resumed where it ended; one that cannot be resumed (410) begins with a new list; errors are waited out
 * with growing, scattered pauses. The rules are client-go's (`tools/cache/reflector.go`).
 */
import type { KubeObject } from "../api/object.ts";
import type { Resource } from "../api/resources.ts";
import { isGone, StatusError } from "../api/status.ts";
import { sleep, type Clock } from "../lib/clock.ts";
import { errorMessage } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { BackOff } from "./back-off.ts";
import type { Client, ListOptions } from "./client.ts";

/** Only what they select is copied. */
export type Selectors = Pick<ListOptions, "labelSelector" | "fieldSelector">;

/** Where the copy is kept. */
export interface ReflectorStore<T extends KubeObject> {
  /** Everything there is; what is missing is gone. */
  replace(objects: readonly T[]): void;
  /** Added or changed. */
  put(object: T): void;
  /** With its last state. */
  remove(object: T): void;
}

export interface ReflectorOptions<T extends KubeObject> {
  readonly client: Client;
  readonly resource: Resource<T>;
  readonly namespace?: string | undefined;
  readonly selectors?: Selectors | undefined;
  readonly store: ReflectorStore<T>;
  readonly clock: Clock;
  readonly log: Logger;
  /** In [0, 1). */
  readonly random: () => number;
  /** Objects a page of the list. */
  readonly pageSize: number;
  /** The first state comes as events of the watch (KEP-3157): one request, and no list in memory on the server. */
  readonly watchList: boolean;
  /** Called once for each object that comes, before the next page is read. */
  readonly transform?: (object: T) => T;
}

/** A watch is asked to end after 5 to 10 minutes, so that connections spread over the servers again. */
const watchSeconds = { least: 300, spread: 300 };
/** A watch that ended sooner than this with nothing to say is an error in disguise. */
const shortestWatch = 1000;

export class Reflector<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>;
  readonly #stopped = new AbortController();
  readonly #backOff: BackOff;
  readonly #transform: (object: T) => T;
  /** The newest revision seen; "" before the first list. */
  #revision = "";
  #watchList: boolean;
  #running: Promise<void> | undefined;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#watchList = options.watchList;
    this.#transform = options.transform ?? ((object) => object);
    this.#backOff = new BackOff({ random: options.random });
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Resolves when the last request has ended. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      try {
        if (this.#revision === "" && !this.#watchList) await this.#list();
        await this.#watch();
      } catch (error) {
        await this.#recover(error);
      }
    }
  }

  async #recover(error: unknown): Promise<void> {
    if (this.#stopped.signal.aborted) return;
    const { resource, log } = this.#options;
    if (isGone(error) || isFuture(error)) {
      log.debug("begins anew", { resource: resource.plural, reason: errorMessage(error) });
      this.#revision = "";
      if (isGone(error)) return;
    } else if (this.#watchList && this.#revision === "" && refusesWatchList(error)) {
      this.#watchList = false;
      return;
    }
    const pause = this.#backOff.next();
    log.warn("will try again", { resource: resource.plural, milliseconds: Math.round(pause), error: errorMessage(error) });
    await this.#pause(pause);
  }

  async #pause(milliseconds: number): Promise<void> {
    try {
      await sleep(this.#options.clock, milliseconds, this.#stopped.signal);
    } catch (error) {
      if (!this.#stopped.signal.aborted) throw error;
    }
  }

  async #list(): Promise<void> {
    const { client, resource, namespace, pageSize, store, selectors } = this.#options;
    const items: T[] = [];
    const common = { namespace, ...selectors, limit: pageSize, signal: this.#stopped.signal };
    let page: ListOptions = common;
    for (;;) {
      const { items: some, metadata } = await client.list(resource, page);
      for (const item of some) items.push(this.#transform(item));
      if (metadata.continue === undefined || metadata.continue === "") {
        if (this.#stopped.signal.aborted) return;
        store.replace(items);
        this.#revision = metadata.resourceVersion ?? "";
        this.#backOff.reset();
        return;
      }
      page = { ...common, continue: metadata.continue };
    }
  }

  async #watch(): Promise<void> {
    const { client, resource, namespace, clock, random, selectors } = this.#options;
    const begun = clock.monotonic();
    const initial: T[] | undefined = this.#revision === "" ? [] : undefined;
    let events = 0;
    let first = initial;
    const stream = client.watch(resource, {
      namespace,
      ...selectors,
      ...(this.#revision === "" ? { sendInitialEvents: true } : { resourceVersion: this.#revision }),
      allowWatchBookmarks: true,
      timeoutSeconds: Math.round(watchSeconds.least + random() * watchSeconds.spread),
      signal: this.#stopped.signal,
    });
    for await (const { type, object } of stream) {
      if (this.#stopped.signal.aborted) return;
      events += 1;
      if (first === undefined) this.#take(type, object);
      else if (type !== "BOOKMARK") first.push(this.#transform(object));
      else if (endsInitialEvents(object)) {
        this.#options.store.replace(first);
        first = undefined;
      } else continue;
      if (first !== undefined) continue;
      this.#revision = object.metadata.resourceVersion ?? this.#revision;
      this.#backOff.reset();
    }
    if (events === 0 && clock.monotonic() - begun < shortestWatch) throw new Error("the watch ended at once, without an event");
  }

  #take(type: string, object: T): void {
    if (type === "DELETED") this.#options.store.remove(this.#transform(object));
    else if (type !== "BOOKMARK") this.#options.store.put(this.#transform(object));
  }
}

function endsInitialEvents(object: KubeObject): boolean {
  return object.metadata.annotations?.["k8s.io/initial-events-end"] === "true";
}

/** The server is behind what we saw: it was set back, or is another one. */
function isFuture(error: unknown): boolean {
  return error instanceof StatusError && error.status.details?.causes?.some(({ reason }) => reason === "ResourceVersionTooLarge") === true;
}

/** A server without WatchList answers 422, one that never heard of it 400. */
function refusesWatchList(error: unknown): boolean {
  return error instanceof StatusError && (error.code === 422 || error.code === 400);
}
