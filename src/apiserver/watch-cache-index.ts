/**
 * The objects of one resource in the order of their keys. A namespace is a range of it, so lists of one namespace look
 * at nothing else, and a page begins where the last one ended.
 */
import type { CacheEvent } from "./watch-cache-events.ts";
import type { StoredVersion } from "./watch-cache-object.ts";

export class KeyIndex {
  #items: StoredVersion[] = [];
  readonly #byKey = new Map<string, StoredVersion>();

  get size(): number {
    return this.#items.length;
  }

  get(key: string): StoredVersion | undefined {
    return this.#byKey.get(key);
  }

  /** Many at once, in any order. */
  load(items: readonly StoredVersion[]): void {
    for (const item of items) this.#byKey.set(item.key, item);
    this.#items = [...this.#byKey.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  put(item: StoredVersion): void {
    replace(this.#items, item.key, item);
    this.#byKey.set(item.key, item);
  }

  remove(key: string): void {
    if (this.#byKey.delete(key)) replace(this.#items, key, undefined);
  }

  /** A copy of a namespace, or of all, as of now. */
  range(namespace: string | undefined): StoredVersion[] {
    if (namespace === undefined || namespace === "") return this.#items.slice();
    // "0" is what follows "/".
    return this.#items.slice(lowerBound(this.#items, `${namespace}/`), lowerBound(this.#items, `${namespace}0`));
  }

  /** The same as of before `events`, which are the newest ones, oldest first. */
  rangeBefore(namespace: string | undefined, events: readonly CacheEvent[]): StoredVersion[] {
    const items = this.range(namespace);
    const prefix = namespace === undefined || namespace === "" ? "" : `${namespace}/`;
    const undone = new Set<string>();
    for (const { key, previous } of events) {
      if (undone.has(key) || !key.startsWith(prefix)) continue;
      undone.add(key);
      replace(items, key, previous);
    }
    return items;
  }
}

/** The index of the first key that is not less than `key`. */
export function lowerBound(items: readonly { readonly key: string }[], key: string): number {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((items[middle] as { key: string }).key < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Puts `item` in the place of `key`, or with undefined takes away what is there. */
function replace(items: StoredVersion[], key: string, item: StoredVersion | undefined): void {
  const at = lowerBound(items, key);
  const present = items[at]?.key === key ? 1 : 0;
  if (item === undefined) items.splice(at, present);
  else if (present === 1) items[at] = item;
  else items.splice(at, 0, item);
}
