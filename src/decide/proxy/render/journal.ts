/** Maps that remember what they were, so that a transaction which the kernel refuses leaves no trace in what we believe it holds. */
export class Journal {
  /** Map, key, whether it was there, its value, again and again: an object for each of a first sync's changes would be hundreds of thousands. */
  #undo: unknown[] = [];

  set<K, V>(map: Map<K, V>, key: K, value: V): void {
    this.#keep(map, key);
    map.set(key, value);
  }

  delete<K, V>(map: Map<K, V>, key: K): void {
    this.#keep(map, key);
    map.delete(key);
  }

  /** From here on. */
  commit(): void {
    this.#undo = [];
  }

  /** Back to the last `commit`. */
  rollback(): void {
    for (let at = this.#undo.length - 4; at >= 0; at -= 4) {
      const [map, key, had, old] = this.#undo.slice(at, at + 4) as [Map<unknown, unknown>, unknown, boolean, unknown];
      if (had) map.set(key, old);
      else map.delete(key);
    }
    this.#undo = [];
  }

  #keep<K, V>(map: Map<K, V>, key: K): void {
    this.#undo.push(map, key, map.has(key), map.get(key));
  }
}
