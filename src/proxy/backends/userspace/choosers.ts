/**
 * Ways to choose an endpoint for a new connection. Each is made for a set of endpoints and thrown away with it. Pure but for
 * a counter; hashes depend on the endpoints' addresses alone, so that two proxies choose alike.
 */
import type { Algorithm } from "../../../decide/proxy/index.ts";

export interface ChosenEndpoint {
  readonly ip: string;
  readonly port: number;
}

export interface ChooserContext<T> {
  /** In [0, 1). */
  readonly random: () => number;
  /** Connections that are open to the endpoint. */
  readonly open: (endpoint: T) => number;
  /** Whose turn it is, kept over changes of the endpoints: who comes first in the list would else be asked first after each. */
  readonly turn: { next: number };
}

/** `failed`: those that this connection has tried already. Undefined: none is left. */
export type Chooser<T> = (client: string, failed: ReadonlySet<ChosenEndpoint> | undefined) => T | undefined;

export function createChooser<T extends ChosenEndpoint>(
  algorithm: Algorithm,
  endpoints: readonly T[],
  { random, open, turn }: ChooserContext<T>,
): Chooser<T> {
  switch (algorithm) {
    case "round-robin":
      return roundRobin(endpoints, turn);
    case "random":
      return (_, failed) => from(endpoints, Math.floor(random() * endpoints.length), failed);
    case "least-connections":
      return leastConnections(endpoints, open, turn);
    case "source-hash": {
      const sorted = byKey(endpoints);
      return (client, failed) => from(sorted, hash(client, 0) % Math.max(1, sorted.length), failed);
    }
    case "maglev":
      return maglev(endpoints);
  }
}

/** The one at the index, or the next after it that has not failed. */
function from<T extends ChosenEndpoint>(endpoints: readonly T[], index: number, failed: ReadonlySet<ChosenEndpoint> | undefined) {
  for (let step = 0; step < endpoints.length; step++) {
    const endpoint = endpoints[(index + step) % endpoints.length] as T;
    if (failed?.has(endpoint) !== true) return endpoint;
  }
  return undefined;
}

function roundRobin<T extends ChosenEndpoint>(endpoints: readonly T[], turn: { next: number }): Chooser<T> {
  return (_, failed) => {
    for (let tried = 0; tried < endpoints.length; tried++) {
      const endpoint = endpoints[turn.next % endpoints.length] as T;
      turn.next = (turn.next + 1) % endpoints.length;
      if (failed?.has(endpoint) !== true) return endpoint;
    }
    return undefined;
  };
}

/** Ties go round, so that quiet endpoints share. */
function leastConnections<T extends ChosenEndpoint>(
  endpoints: readonly T[],
  open: (endpoint: T) => number,
  turn: { next: number },
): Chooser<T> {
  return (_, failed) => {
    let best: T | undefined;
    let bestAt = 0;
    for (let step = 0; step < endpoints.length; step++) {
      const at = (turn.next + step) % endpoints.length;
      const endpoint = endpoints[at] as T;
      if (failed?.has(endpoint) === true || (best !== undefined && open(endpoint) >= open(best))) continue;
      [best, bestAt] = [endpoint, at];
    }
    turn.next = bestAt + 1;
    return best;
  };
}

/** Primes; the table has at least a hundred places for each endpoint, up to the largest. */
const tableSizes = [251, 509, 1021, 2039, 4093, 8191, 16_381, 32_749, 65_537];

/**
 * Maglev hashing (Eisenbud et al., NSDI 2016, 3.4): every endpoint has an order of all places of a table and they take turns to
 * claim the next free one of theirs. Shares are even, and a change of endpoints moves few clients of the others.
 */
function maglev<T extends ChosenEndpoint>(endpoints: readonly T[]): Chooser<T> {
  const sorted = byKey(endpoints);
  const table = maglevTable(sorted.map(keyOf));
  return (client, failed) => {
    if (sorted.length === 0) return undefined;
    const place = hash(client, 0) % table.length;
    const chosen = sorted[table[place] as number] as T;
    return failed?.has(chosen) === true ? from(sorted, table[place] as number, failed) : chosen;
  };
}

/** Place → index of the key. */
export function maglevTable(keys: readonly string[]): Uint32Array {
  if (keys.length === 0) return new Uint32Array(0);
  const size = tableSizes.find((each) => each >= keys.length * 100) ?? (tableSizes.at(-1) as number);
  const table = new Uint32Array(size).fill(0xffff_ffff);
  const orders = keys.map((key) => ({ at: hash(key, 1) % size, skip: (hash(key, 2) % (size - 1)) + 1 }));
  for (let filled = 0; filled < size;) {
    for (const [index, order] of orders.entries()) {
      while (table[order.at] !== 0xffff_ffff) order.at = (order.at + order.skip) % size;
      table[order.at] = index;
      filled += 1;
      if (filled === size) break;
    }
  }
  return table;
}

function byKey<T extends ChosenEndpoint>(endpoints: readonly T[]): readonly T[] {
  return endpoints.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

export const keyOf = ({ ip, port }: ChosenEndpoint): string => `${ip} ${port}`;

/** FNV-1a with the finish of MurmurHash3: 32 bits. */
export function hash(text: string, seed: number): number {
  let value = (0x811c_9dc5 ^ Math.imul(seed, 0x9e37_79b1)) >>> 0;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x0100_0193);
  value = Math.imul(value ^ (value >>> 16), 0x85eb_ca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2_ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
