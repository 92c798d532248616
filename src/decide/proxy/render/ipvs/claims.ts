/** Who wants what: several Services may want one address, one set entry or one virtual server, and the first by name has it. */
export class Claims<V> {
  readonly #claims = new Map<string, Map<string, V>>();

  /** What `key` is to be; undefined: nobody wants it. */
  get(key: string): V | undefined {
    const owners = this.#claims.get(key);
    if (owners === undefined) return undefined;
    let first: string | undefined;
    for (const owner of owners.keys()) if (first === undefined || owner < first) first = owner;
    return first === undefined ? undefined : owners.get(first);
  }

  set(key: string, owner: string, value: V): void {
    const owners = this.#claims.get(key);
    if (owners === undefined) this.#claims.set(key, new Map([[owner, value]]));
    else owners.set(owner, value);
  }

  delete(key: string, owner: string): void {
    const owners = this.#claims.get(key);
    owners?.delete(owner);
    if (owners?.size === 0) this.#claims.delete(key);
  }

  keys(): IterableIterator<string> {
    return this.#claims.keys();
  }

  get size(): number {
    return this.#claims.size;
  }
}
