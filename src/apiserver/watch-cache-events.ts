/** Events as all watchers share them, and the window of recent ones from which a watch can resume. */
import type { StreamedEvent, WatchEventType } from "../api/request.ts";
import type { CachedObject } from "./store.ts";
import { LastVersion, type StoredVersion } from "./watch-cache-object.ts";

/** An event of one type, with a line that is made once for all watchers that want bytes at the time. */
class SharedEvent implements StreamedEvent {
  readonly type: WatchEventType;
  readonly #of: CachedObject;
  #line: WeakRef<Buffer> | undefined;

  constructor(type: WatchEventType, of: CachedObject) {
    this.type = type;
    this.#of = of;
  }

  object(): object {
    return this.#of.object();
  }

  bytes(): Buffer {
    const kept = this.#line?.deref();
    if (kept !== undefined) return kept;
    const line = Buffer.concat([Buffer.from(`{"type":"${this.type}","object":`), this.#of.bytes(), Buffer.from("}")]);
    this.#line = new WeakRef(line);
    return line;
  }
}

export function addedEvent(object: CachedObject): StreamedEvent {
  return new SharedEvent("ADDED", object);
}

/** `initialEventsEnd` marks the end of what was there when the watch began (KEP-3157). */
export function bookmarkEvent(
  type: { readonly apiVersion: string; readonly kind: string },
  revision: number,
  initialEventsEnd = false,
): StreamedEvent {
  const annotations = initialEventsEnd ? { annotations: { "k8s.io/initial-events-end": "true" } } : {};
  const object = Object.freeze({
    kind: type.kind,
    apiVersion: type.apiVersion,
    metadata: Object.freeze({ resourceVersion: String(revision), creationTimestamp: null, ...annotations }),
  });
  return { type: "BOOKMARK", object: () => object, bytes: () => Buffer.from(JSON.stringify({ type: "BOOKMARK", object })) };
}

/** One write, as seen from every point of view. */
export class CacheEvent {
  readonly key: string;
  readonly revision: number;
  readonly previous: StoredVersion | undefined;
  /** undefined: deleted. */
  readonly current: StoredVersion | undefined;
  #added: StreamedEvent | undefined;
  #modified: StreamedEvent | undefined;
  #deleted: StreamedEvent | undefined;

  constructor(key: string, revision: number, previous: StoredVersion | undefined, current: StoredVersion | undefined) {
    this.key = key;
    this.revision = revision;
    this.previous = previous;
    this.current = current;
  }

  /** What it is to a watcher that saw the object before or not, and sees it now or not; undefined: nothing. */
  seen(before: boolean, now: boolean): StreamedEvent | undefined {
    if (now && this.current !== undefined) {
      if (before) return (this.#modified ??= new SharedEvent("MODIFIED", this.current));
      return (this.#added ??= new SharedEvent("ADDED", this.current));
    }
    if (!before || this.previous === undefined) return undefined;
    return (this.#deleted ??= new SharedEvent("DELETED", new LastVersion(this.previous, this.revision)));
  }

  /** What it keeps in memory that nothing else does. */
  get size(): number {
    return this.previous?.size ?? 0;
  }
}

export interface WindowLimits {
  readonly events: number;
  readonly bytes: number;
}

/** The recent events of one resource, oldest first, bounded by number and by the old versions that they hold. */
export class EventWindow {
  readonly #limits: WindowLimits;
  /** Those before `#first` are dropped, and cut off when they are as many as the others. */
  #events: (CacheEvent | undefined)[] = [];
  #first = 0;
  #bytes = 0;
  /** Everything after this revision is in the window. */
  #floor: number;

  constructor(limits: WindowLimits, floor: number) {
    this.#limits = limits;
    this.#floor = floor;
  }

  get floor(): number {
    return this.#floor;
  }

  push(event: CacheEvent): void {
    this.#events.push(event);
    this.#bytes += event.size;
    while (this.#events.length - this.#first > this.#limits.events || this.#bytes > this.#limits.bytes) this.#drop();
    if (this.#first > 100 && this.#first * 2 > this.#events.length) {
      this.#events = this.#events.slice(this.#first);
      this.#first = 0;
    }
  }

  #drop(): void {
    const oldest = this.#events[this.#first] as CacheEvent;
    this.#events[this.#first++] = undefined;
    this.#bytes -= oldest.size;
    this.#floor = oldest.revision;
  }

  /** The events after `revision`, which must not be below `floor`. */
  since(revision: number): readonly CacheEvent[] {
    let [low, high] = [this.#first, this.#events.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#events[middle] as CacheEvent).revision <= revision) low = middle + 1;
      else high = middle;
    }
    return this.#events.slice(low) as CacheEvent[];
  }
}
