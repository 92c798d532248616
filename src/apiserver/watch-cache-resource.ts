/**
 * The cache of one resource: its objects, the window of its recent events, its watchers. An event costs the watchers that
 * look at its key, its namespace or at everything, and no others.
 */
import type { KubeObject } from "../api/object.ts";
import type { StreamedEvent } from "../api/request.ts";
import type { Clock } from "../lib/clock.ts";
import { errorMessage } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Counter } from "../lib/metrics.ts";
import { longWork } from "./long-work.ts";
import type { StoreList, StoreListOptions, StoreWatchOptions } from "./store.ts";
import { after, decodeContinue, encodeContinue, type ContinueToken } from "./watch-cache-continue.ts";
import { continueExpiredError, listExpiredError, tooLargeRevisionError, watchExpiredError } from "./watch-cache-errors.ts";
import { CacheEvent, EventWindow, type WindowLimits } from "./watch-cache-events.ts";
import { KeyIndex, lowerBound } from "./watch-cache-index.ts";
import type { StoredVersion } from "./watch-cache-object.ts";
import { Watcher } from "./watch-cache-watcher.ts";

export interface ResourceCacheOptions {
  /** `deployments.apps`; for logs. */
  readonly name: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Everything after this revision will be in the window. */
  readonly floor: number;
  readonly window: WindowLimits;
  readonly watchQueue: number;
  /** The newest revision of the whole store. */
  readonly revision: () => number;
  readonly slowWatchers: Counter;
}

type Match = (object: KubeObject) => boolean;

const everything = "*";
/** As upstream's watch cache. */
const bookmarkMilliseconds = 60_000;

export class ResourceCache {
  readonly index = new KeyIndex();
  /** The revision of the last change. */
  changed: number;
  readonly #options: ResourceCacheOptions;
  readonly #window: EventWindow;
  /** `*`, `ns/` or a key → who watches it. */
  readonly #watchers = new Map<string, Set<Watcher>>();

  constructor(options: ResourceCacheOptions) {
    this.#options = options;
    this.#window = new EventWindow(options.window, options.floor);
    this.changed = options.floor;
  }

  /** Takes over a committed write; `current` undefined: deleted. */
  apply(key: string, revision: number, current: StoredVersion | undefined): void {
    const event = new CacheEvent(key, revision, this.index.get(key), current);
    if (current === undefined) this.index.remove(key);
    else this.index.put(current);
    this.#window.push(event);
    this.changed = revision;
    // For an object without a namespace the second is "", which nobody watches.
    for (const scope of [everything, key.slice(0, key.indexOf("/") + 1), key]) {
      for (const watcher of this.#watchers.get(scope) ?? []) this.#deliver(watcher, event);
    }
  }

  /** A watcher whose selector fails is its own problem and nobody else's. */
  #deliver(watcher: Watcher, event: CacheEvent): void {
    try {
      watcher.deliver(event);
    } catch (error) {
      this.#options.log.error("a watch failed", { resource: this.#options.name, key: event.key, error: errorMessage(error) });
      watcher.end("closed");
    }
  }

  async list(options: StoreListOptions): Promise<StoreList> {
    const token = options.continue === undefined || options.continue === "" ? undefined : decodeContinue(options.continue);
    const current = this.#options.revision();
    const revision = token === undefined ? (options.exactRevision ?? current) : token.revision < 0 ? current : token.revision;
    const wanted = Math.max(revision, options.minimumRevision ?? 0);
    if (wanted > current) throw tooLargeRevisionError(wanted, current);
    const limit = options.limit === undefined || options.limit <= 0 ? Number.POSITIVE_INFINITY : options.limit;
    if (options.match === undefined && revision === current) {
      const { items, remaining } = this.index.page(options.namespace, token?.start ?? "", limit);
      return page(items, remaining, revision);
    }
    const view = this.#viewAt(revision, options.namespace, token);
    const start = token === undefined ? 0 : lowerBound(view, token.start);
    if (options.match !== undefined) return this.#filtered(view, start, limit, revision, options.match);
    const end = Math.min(view.length, start + limit);
    return page(view.slice(start, end), view.length - end, revision);
  }

  #viewAt(revision: number, namespace: string | undefined, token: ContinueToken | undefined): StoredVersion[] {
    if (revision >= this.#options.revision()) return this.index.range(namespace);
    if (revision >= this.#window.floor) return this.index.rangeBefore(namespace, this.#window.since(revision));
    throw token === undefined ? listExpiredError() : continueExpiredError(encodeContinue({ revision: -1, start: token.start }));
  }

  async #filtered(view: readonly StoredVersion[], start: number, limit: number, revision: number, match: Match): Promise<StoreList> {
    const items: StoredVersion[] = [];
    for (let i = start; i < view.length; i++) {
      const item = view[i] as StoredVersion;
      if (match(item.object())) {
        // Upstream, too, finds out that there is more only by finding it.
        if (items.length === limit) return { items, revision, continue: tokenAfter(items, revision) };
        items.push(item);
      }
      if (longWork.isOver) await longWork.next();
    }
    return { items, revision };
  }

  /** `bookmark` makes a bookmark of a revision, in the version of the API that the watch asked for. */
  watch(options: StoreWatchOptions, bookmark: (revision: number, initialEventsEnd: boolean) => StreamedEvent): Watcher {
    const current = this.#options.revision();
    const after = options.after ?? 0;
    if (after > current) throw tooLargeRevisionError(after, current);
    const resumes = after > 0 && options.sendInitial !== true;
    if (resumes && after < this.#window.floor) throw watchExpiredError(after, this.#window.floor);

    const scope = scopeOf(options);
    const watcher: Watcher = new Watcher({
      backlog:
        options.sendInitial === true
          ? this.#present(options)
          : resumes
            ? this.#window.since(after).filter((event) => inScope(event.key, scope))
            : [],
      backlogEnd: options.sendInitial === true && options.initialEventsEnd === true ? bookmark(current, true) : undefined,
      match: options.match,
      signal: options.signal,
      queueLimit: this.#options.watchQueue,
      clock: this.#options.clock,
      onEnd: (why) => this.#ended(scope, watcher, why),
    });
    this.#register(scope, watcher);
    if (options.bookmarks === true) watcher.every(bookmarkMilliseconds, () => bookmark(this.#options.revision(), false));
    return watcher;
  }

  endWatches(): void {
    for (const watcher of [...this.#watchers.values()].flatMap((set) => [...set])) watcher.end("closed");
  }

  #present({ key, namespace }: StoreWatchOptions): readonly StoredVersion[] {
    if (key === undefined) return this.index.range(namespace);
    const item = this.index.get(key);
    return item === undefined ? [] : [item];
  }

  #register(scope: string, watcher: Watcher): void {
    const set = this.#watchers.get(scope);
    if (set === undefined) this.#watchers.set(scope, new Set([watcher]));
    else set.add(watcher);
  }

  #ended(scope: string, watcher: Watcher, why: "closed" | "slow"): void {
    const set = this.#watchers.get(scope);
    set?.delete(watcher);
    if (set?.size === 0) this.#watchers.delete(scope);
    if (why === "closed") return;
    this.#options.slowWatchers.inc();
    this.#options.log.warn("a watch was ended: its client does not keep up", { resource: this.#options.name, scope });
  }
}

/** What a watch looks at: everything, a namespace as `ns/`, or one key. */
function scopeOf({ key, namespace }: StoreWatchOptions): string {
  return key ?? (namespace === undefined || namespace === "" ? everything : `${namespace}/`);
}

function inScope(key: string, scope: string): boolean {
  return scope === everything || key === scope || (scope.endsWith("/") && key.startsWith(scope));
}

function tokenAfter(items: readonly StoredVersion[], revision: number): string {
  return encodeContinue({ revision, start: after((items.at(-1) as StoredVersion).key) });
}

function page(items: readonly StoredVersion[], remaining: number, revision: number): StoreList {
  return remaining > 0 ? { items, revision, continue: tokenAfter(items, revision), remaining } : { items, revision };
}
