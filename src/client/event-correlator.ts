/**
 * Decides what becomes of an occurrence: a new Event, one more of an Event that exists, or nothing because there were too
 * many. The rules and numbers are client-go's (`tools/record/events_cache.go`).
 */
import { BoundedMap } from "./bounded-map.ts";

export interface Occurrence {
  /** The object concerned: kind, namespace, name and uid as one text. */
  readonly about: string;
  readonly type: string;
  readonly reason: string;
  readonly message: string;
}

/** An Event on the server. */
export interface RecordedEvent {
  readonly namespace: string;
  readonly name: string;
  readonly count: number;
}

export type Correlation =
  | { readonly kind: "create"; readonly key: string; readonly message: string }
  | { readonly kind: "repeat"; readonly key: string; readonly message: string; readonly event: RecordedEvent }
  | { readonly kind: "drop" };

/** More different messages of one reason about one object than this within the period are told as one. */
const similar = { most: 10, periodMs: 600_000 };
/** Events about one object: so many at once, then one more per interval. */
const budget = { burst: 25, refillMs: 300_000 };
const remembered = 4096;

interface Similar {
  readonly messages: Set<string>;
  readonly last: number;
}

interface Budget {
  readonly tokens: number;
  readonly at: number;
}

export class EventCorrelator {
  readonly #events = new BoundedMap<RecordedEvent>(remembered);
  readonly #similar = new BoundedMap<Similar>(remembered);
  readonly #budgets = new BoundedMap<Budget>(remembered);

  /** `now` in milliseconds. */
  correlate(occurrence: Occurrence, now: number): Correlation {
    if (!this.#affordable(occurrence.about, now)) return { kind: "drop" };
    const combined = this.#tooManySimilar(occurrence, now);
    const message = combined ? `(combined from similar events): ${occurrence.message}` : occurrence.message;
    const key = [occurrence.about, occurrence.type, occurrence.reason, combined ? "" : message].join("\n");
    const event = this.#events.get(key);
    return event === undefined ? { kind: "create", key, message } : { kind: "repeat", key, message, event };
  }

  /** The Event of `key` is this now. */
  recorded(key: string, event: RecordedEvent): void {
    this.#events.set(key, event);
  }

  forget(key: string): void {
    this.#events.delete(key);
  }

  #affordable(about: string, now: number): boolean {
    const { tokens, at } = this.#budgets.get(about) ?? { tokens: budget.burst, at: now };
    const refilled = Math.min(budget.burst, tokens + (now - at) / budget.refillMs);
    this.#budgets.set(about, { tokens: refilled >= 1 ? refilled - 1 : refilled, at: now });
    return refilled >= 1;
  }

  #tooManySimilar({ about, type, reason, message }: Occurrence, now: number): boolean {
    const key = [about, type, reason].join("\n");
    const before = this.#similar.get(key);
    const messages = before === undefined || now - before.last > similar.periodMs ? new Set<string>() : before.messages;
    if (messages.size <= similar.most) messages.add(message);
    this.#similar.set(key, { messages, last: now });
    return messages.size > similar.most;
  }
}
