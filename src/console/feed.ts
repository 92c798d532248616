/**
 * The live state of the cluster for one page, as lines of JSON. What waits is a set of keys, not of events: a page that reads slowly
 * gets the newest state of each object and never makes a queue grow beyond the number of objects.
 */
import { objectKey, type KubeObject } from "../api/object.ts";
import type { Informer } from "../client/informer.ts";
import type { FeedRecord, FollowedKind } from "./wire.ts";
import { isShown } from "./kinds.ts";
import { trimmed } from "./trim.ts";

/** A writable stream of text, as much as is needed of it. */
export interface Sink {
  /** False: wait for `drained` before the next. */
  write(text: string): boolean;
  onDrained(call: () => void): void;
}

export interface FeedOptions {
  readonly sink: Sink;
  /** Gives other work its turn. */
  readonly later?: (run: () => void) => void;
  /** Objects a record. Small enough that one costs a millisecond. Default 50. */
  readonly most?: number;
}

type Waiting = Map<string, KubeObject | undefined>;

export class Feed {
  readonly #sink: Sink;
  readonly #later: (run: () => void) => void;
  readonly #most: number;
  readonly #waiting = new Map<FollowedKind, Waiting>();
  readonly #followed = new Map<FollowedKind, Informer<KubeObject>>();
  readonly #unsubscribe: (() => void)[] = [];
  #scheduled = false;
  #blocked = false;
  #announced = false;
  #closed = false;

  constructor({ sink, later = (run) => void setImmediate(run), most = 50 }: FeedOptions) {
    this.#sink = sink;
    this.#later = later;
    this.#most = most;
    sink.onDrained(() => {
      this.#blocked = false;
      this.#schedule();
    });
  }

  follow(informer: Informer<KubeObject>): void {
    const kind = informer.resource.kind as FollowedKind;
    if (this.#followed.has(kind)) return;
    this.#followed.set(kind, informer);
    const put = (object: KubeObject) => this.#wait(kind, objectKey(object), object);
    this.#unsubscribe.push(
      informer.addHandlers({
        added: put,
        updated: put,
        deleted: (object) => this.#wait(kind, objectKey(object), undefined),
      }),
    );
    informer.waitForSync().then(
      () => this.#schedule(),
      () => undefined,
    );
  }

  /** Goes before what waits. */
  say(record: FeedRecord): void {
    if (this.#closed) return;
    if (!this.#sink.write(`${JSON.stringify(record)}\n`)) this.#blocked = true;
  }

  close(): void {
    this.#closed = true;
    for (const end of this.#unsubscribe.splice(0)) end();
  }

  #wait(kind: FollowedKind, key: string, object: KubeObject | undefined): void {
    if (object !== undefined && !isShown(kind, object)) return;
    let waiting = this.#waiting.get(kind);
    if (waiting === undefined) this.#waiting.set(kind, (waiting = new Map()));
    waiting.set(key, object);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#blocked || this.#closed) return;
    this.#scheduled = true;
    this.#later(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  /** One record, then others have their turn. */
  #flush(): void {
    if (this.#closed || this.#blocked) return;
    for (const [kind, waiting] of this.#waiting) {
      this.#send(kind, waiting);
      if (waiting.size === 0) this.#waiting.delete(kind);
      return this.#schedule();
    }
    if (this.#announced || ![...this.#followed.values()].every(({ synced }) => synced)) return;
    this.#announced = true;
    this.say({ kind: "synced" });
  }

  #send(kind: FollowedKind, waiting: Waiting): void {
    const objects: KubeObject[] = [];
    const keys: string[] = [];
    for (const [key, object] of waiting) {
      if (objects.length + keys.length >= this.#most) break;
      waiting.delete(key);
      if (object === undefined) keys.push(key);
      else objects.push(trimmed(object, kind));
    }
    if (objects.length > 0) this.say({ kind: "put", of: kind, objects });
    if (keys.length > 0) this.say({ kind: "gone", of: kind, keys });
  }
}
