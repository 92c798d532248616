/** Answers that are kept, the oldest going first when there is no more room. */
import type { Message } from "../../wire/message.ts";
import type { Kept, Popularity } from "./policy.ts";

export interface Entry extends Kept, Popularity {
  readonly message: Message;
  readonly plugin: string;
  readonly prefetched: boolean;
  /** A refresh is under way, or the last one failed so lately that none is tried: until then (monotonic ms). */
  busyUntil: number;
}

export interface PoolSettings {
  /** Answers kept at most. */
  capacity: number;
  /** Seconds. */
  maxTtl: number;
  minTtl: number;
  /** Zones whose answers are not kept. */
  except: readonly string[];
}

export class EntryPool {
  readonly settings: PoolSettings;
  readonly #entries = new Map<string, Entry>();

  constructor(settings: PoolSettings) {
    this.settings = settings;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  /** Whether another one had to go. */
  set(key: string, entry: Entry): boolean {
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (this.#entries.size <= this.settings.capacity) return false;
    this.#entries.delete(this.#entries.keys().next().value as string);
    return true;
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}
