/**
 * A controller's own writes, laid over the informer's copy until that has caught up. A controller that decides from a
 * copy older than its last write would write twice: create pods again that it has just created. Upstream guards against
 * this with "expectations" that make it wait; knowing what was written, it can go on at once and with the truth.
 *
 * Relies on resource versions of one resource being comparable numbers (KEP-5504), and on a watch giving them in order:
 * once the informer has seen version N, it has seen every write up to N.
 */
import { objectKey, type KubeObject } from "../api/object.ts";
import type { Informer } from "../client/informer.ts";
import { rfc3339, type Clock } from "../lib/clock.ts";

interface Write<T> {
  readonly object: T;
  /** NaN: a delete, over when the informer shows the object going or gone. */
  readonly revision: number;
  readonly expires: number;
}

/** A write that the informer never shows (it relisted past it) is forgotten after so long; upstream's expectations do the same. */
const forgetAfterMs = 5 * 60_000;

export class OwnWrites<T extends KubeObject> {
  readonly #informer: Informer<T>;
  readonly #clock: Clock;
  readonly #pending = new Map<string, Write<T>>();
  #seen = 0;

  constructor(informer: Informer<T>, clock: Clock) {
    this.#informer = informer;
    this.#clock = clock;
  }

  /** Begins to follow the informer; before the controller adds handlers of its own. Gives the way to stop. */
  follow(): () => void {
    return this.#informer.addHandlers({
      added: (object) => this.#observe(object, false),
      updated: (object) => this.#observe(object, false),
      deleted: (object) => this.#observe(object, true),
    });
  }

  /** The answer to a create, update or patch. */
  wrote(object: T): void {
    const revision = revisionOf(object);
    if (!(revision <= this.#seen)) this.#pending.set(objectKey(object), { object, revision, expires: this.#clock.now() + forgetAfterMs });
  }

  /** A write whose answer does not show the object (a binding) was acknowledged: until any newer version comes, this is it. */
  assume(object: T): void {
    const revision = revisionOf(object) + 1;
    const current = this.#informer.lister.getByKey(objectKey(object));
    if (current === undefined || revisionOf(current) >= revision) return;
    this.#pending.set(objectKey(object), { object, revision, expires: this.#clock.now() + forgetAfterMs });
  }

  /** A delete was acknowledged: from now on the object counts as terminating. */
  deleted(object: T): void {
    const current = this.#informer.lister.getByKey(objectKey(object));
    if (current?.metadata.uid !== object.metadata.uid || current?.metadata.deletionTimestamp !== undefined) return;
    const going = { ...object, metadata: { ...object.metadata, deletionTimestamp: rfc3339(this.#clock.now()) } };
    this.#pending.set(objectKey(object), { object: going, revision: Number.NaN, expires: this.#clock.now() + forgetAfterMs });
  }

  /** The newest form known of one object. */
  newest(object: T): T {
    return this.#live(objectKey(object))?.object ?? object;
  }

  get(namespace: string | undefined, name: string): T | undefined {
    const key = namespace === undefined || namespace === "" ? name : `${namespace}/${name}`;
    return this.#live(key)?.object ?? this.#informer.lister.getByKey(key);
  }

  /** What the informer gave, each in its newest form, and what it does not know yet of those that `belongs` holds of. */
  over(objects: readonly T[], belongs: (object: T) => boolean): readonly T[] {
    if (this.#pending.size === 0) return objects;
    const result = new Map(objects.map((object) => [objectKey(object), object]));
    const now = this.#clock.now();
    for (const key of this.#pending.keys()) {
      const write = this.#live(key, now);
      if (write === undefined) continue;
      if (belongs(write.object)) result.set(key, write.object);
      else result.delete(key);
    }
    return [...result.values()];
  }

  #live(key: string, now = this.#clock.now()): Write<T> | undefined {
    const write = this.#pending.get(key);
    if (write === undefined || write.expires > now) return write;
    this.#pending.delete(key);
    return undefined;
  }

  #observe(object: T, gone: boolean): void {
    this.#seen = Math.max(this.#seen, revisionOf(object));
    if (this.#pending.size === 0) return;
    const key = objectKey(object);
    const write = this.#pending.get(key);
    if (write === undefined) return;
    const same = write.object.metadata.uid === object.metadata.uid;
    const caughtUp = Number.isNaN(write.revision)
      ? !same || gone || object.metadata.deletionTimestamp !== undefined
      : revisionOf(object) >= write.revision || (same && gone);
    if (caughtUp) this.#pending.delete(key);
  }
}

function revisionOf(object: KubeObject): number {
  return Number(object.metadata.resourceVersion ?? 0);
}
