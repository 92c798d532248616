/**
 * The shell of a controller: keys of what changed go into a queue, workers reconcile them one by one, failures come back
 * with back-off. One object that cannot be reconciled never stops the others.
 */
import type { KubeObject } from "../api/object.ts";
import { isConflict, isNotFound } from "../api/status.ts";
import type { Informer } from "../client/informer.ts";
import { createWorkQueue, type WorkQueue } from "../client/workqueue.ts";
import { isReady, type Component, type Readiness } from "../component/component.ts";
import { errorMessage } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { Breather } from "./breather.ts";
import type { ControllerContext } from "./controller.ts";
import { isNamespaceTerminating } from "./failures.ts";
import { Pacing } from "./pacing.ts";

/** What watchers and reconcilers may do with the queue. */
export type KeyQueue = Pick<WorkQueue, "add" | "addAfter">;

export interface KeyControllerSpec {
  readonly name: string;
  readonly context: Pick<ControllerContext, "clock" | "log" | "metrics">;
  /** All must have synced before the first key is worked on. */
  readonly informers: readonly Pick<Informer<KubeObject>, "waitForSync" | "resource">[];
  /** Subscribes own-write records; before `watch`, so that they are up to date when a key is added. */
  readonly follow?: () => readonly (() => void)[];
  /** Subscribes to what adds keys. Gives the ways to stop. */
  readonly watch: (queue: KeyQueue) => readonly (() => void)[];
  /** Throws when it should be tried again. */
  readonly reconcile: (key: string, queue: KeyQueue) => Promise<void>;
  /** Lets the event loop come round between keys. Default `setImmediate`. */
  readonly turn?: () => Promise<unknown>;
  /** Keys worked on at once. Default 5, as most of upstream's `--concurrent-*-syncs`. */
  readonly workers?: number;
}

export function createKeyController(spec: KeyControllerSpec): Component {
  return new KeyController(spec);
}

class KeyController implements Component {
  readonly name: string;
  readonly #spec: KeyControllerSpec;
  readonly #log: Logger;
  readonly #queue: WorkQueue;
  readonly #breather: Breather;
  readonly #pacing: Pacing;
  readonly #stopping = new AbortController();
  #unsubscribe: readonly (() => void)[] = [];
  #work: Promise<unknown> = Promise.resolve();
  #synced = false;

  constructor(spec: KeyControllerSpec) {
    this.name = spec.name;
    this.#spec = spec;
    this.#log = spec.context.log.child(spec.name);
    const { clock, metrics } = spec.context;
    this.#breather = new Breather(clock, spec.turn);
    this.#pacing = new Pacing(clock);
    this.#queue = createWorkQueue({ name: spec.name, clock, log: this.#log, ...(metrics === undefined ? {} : { metrics }) });
  }

  async start(): Promise<void> {
    this.#unsubscribe = [...(this.#spec.follow?.() ?? []), ...this.#spec.watch(this.#queue)];
    // Not awaited: the informers may be started after the controllers.
    this.#work = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error("controller stopped"));
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#unsubscribe = [];
    this.#queue.shutDown();
    await this.#work;
  }

  ready(): Readiness {
    return this.#synced
      ? isReady
      : { ready: false, reason: `waiting for ${this.#spec.informers.map(({ resource }) => resource.plural).join(", ")}` };
  }

  async #run(): Promise<void> {
    try {
      await Promise.all(this.#spec.informers.map((informer) => informer.waitForSync(this.#stopping.signal)));
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.#log.error("informers did not sync", { error: errorMessage(error) });
      return;
    }
    this.#synced = true;
    await Promise.all(Array.from({ length: this.#spec.workers ?? 5 }, () => this.#worker()));
  }

  async #worker(): Promise<void> {
    for (let key = await this.#queue.get(); key !== undefined; key = await this.#queue.get()) {
      const wait = this.#pacing.left(key);
      if (wait > 0) {
        this.#queue.done(key);
        this.#queue.addAfter(key, wait);
        continue;
      }
      try {
        await this.#breather.pause();
        await this.#pacing.run(key, () => this.#spec.reconcile(key, this.#queue));
        this.#queue.forget(key);
      } catch (error) {
        this.#failed(key, error);
      } finally {
        this.#queue.done(key);
      }
    }
  }

  /** Somebody else was quicker, or the namespace is going and takes no more: that is how things go, and no reason to alarm anyone. */
  #failed(key: string, error: unknown): void {
    if (this.#stopping.signal.aborted) return;
    const fields = { key, retries: this.#queue.retries(key), error: errorMessage(error) };
    if (isConflict(error) || isNotFound(error) || isNamespaceTerminating(error)) this.#log.debug("will try again", fields);
    else this.#log.warn("will try again", fields);
    this.#queue.addRateLimited(key);
  }
}
