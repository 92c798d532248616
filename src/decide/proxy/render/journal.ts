/** Maps that remember what they were, so that a transaction which the kernel refuses leaves no trace in what we believe it holds. */
export class Journal {
  #undo: (() => void)[] = [];

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
    for (const undo of this.#undo.reverse()) undo();
    this.#undo = [];
  }

  #keep<K, V>(map: Map<K, V>, key: K): void {
    const had = map.has(key);
    const old = map.get(key);
    this.#undo.push(() => void (had ? map.set(key, old as V) : map.delete(key)));
  }
}
