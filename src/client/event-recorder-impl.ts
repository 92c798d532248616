/**
 * Writes Events in the background, one after the other, in the order in which things happened. Telling is the least
 * important thing a component does: when the server refuses or falls behind, Events are lost and nothing else is.
 */
import type { KubeObject } from "../api/object.ts";
import { events } from "../api/resources.ts";
import { isNotFound } from "../api/status.ts";
import type { Event } from "../api/types.ts";
import { realClock, rfc3339, type Clock } from "../lib/clock.ts";
import { errorMessage } from "../lib/errors.ts";
import { silentLogger, type Logger } from "../lib/log.ts";
import type { Client } from "./client.ts";
import { EventCorrelator, type Correlation } from "./event-correlator.ts";
import type { EventRecorder } from "./event-recorder.ts";

export interface EventRecorderOptions {
  readonly clock?: Clock;
  readonly log?: Logger;
  /** The node, for components of a node. */
  readonly host?: string;
}

/** Occurrences that may wait to be written. */
const queueLimit = 1000;

interface Happened {
  readonly about: KubeObject;
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
  readonly at: number;
}

/** `component` is the Events' source: `replicaset-controller`. */
export function createEventRecorder(client: Client, component: string, options: EventRecorderOptions = {}): EventRecorder {
  return new Recorder(client, component, options);
}

class Recorder implements EventRecorder {
  readonly #client: Client;
  readonly #component: string;
  readonly #host: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #correlator = new EventCorrelator();
  readonly #queue: Happened[] = [];
  #writing = false;
  #lastSuffix = 0n;

  constructor(client: Client, component: string, options: EventRecorderOptions) {
    this.#client = client;
    this.#component = component;
    this.#host = options.host ?? "";
    this.#clock = options.clock ?? realClock;
    this.#log = options.log ?? silentLogger;
  }

  event(about: KubeObject, type: "Normal" | "Warning", reason: string, message: string): void {
    if (this.#queue.length >= queueLimit) {
      this.#log.warn("an event is lost: too many wait", { reason, message });
      return;
    }
    this.#queue.push({ about, type, reason, message, at: this.#clock.now() });
    if (!this.#writing) void this.#writeAll();
  }

  async #writeAll(): Promise<void> {
    this.#writing = true;
    for (let happened = this.#queue.shift(); happened !== undefined; happened = this.#queue.shift()) {
      try {
        await this.#write(happened);
      } catch (error) {
        this.#log.debug("an event could not be written", {
          reason: happened.reason,
          message: happened.message,
          error: errorMessage(error),
        });
      }
    }
    this.#writing = false;
  }

  async #write(happened: Happened): Promise<void> {
    const { about, type, reason, message, at } = happened;
    const { namespace = "", name = "", uid = "" } = about.metadata;
    const found = this.#correlator.correlate({ about: [about.kind, namespace, name, uid].join("/"), type, reason, message }, at);
    if (found.kind === "drop") return;
    if (found.kind === "create") return this.#create(happened, found);
    try {
      await this.#repeat(happened, found);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      // It has expired or was deleted: the next one starts over.
      this.#correlator.forget(found.key);
      await this.#create(happened, found);
    }
  }

  async #repeat({ at }: Happened, { key, message, event }: Extract<Correlation, { kind: "repeat" }>): Promise<void> {
    const patch = { count: event.count + 1, message, lastTimestamp: rfc3339(at) };
    await this.#client.patch(events, event, "application/merge-patch+json", patch);
    this.#correlator.recorded(key, { ...event, count: event.count + 1 });
  }

  async #create(happened: Happened, { key, message }: { readonly key: string; readonly message: string }): Promise<void> {
    const event = this.#eventOf(happened, message);
    await this.#client.create(events, event);
    const { namespace = "default", name = "" } = event.metadata;
    this.#correlator.recorded(key, { namespace, name, count: 1 });
  }

  #eventOf({ about, type, reason, at }: Happened, message: string): Event {
    const { namespace, name, uid, resourceVersion } = about.metadata;
    const host = this.#host === "" ? {} : { host: this.#host };
    return {
      apiVersion: "v1",
      kind: "Event",
      // Events about objects without a namespace live in `default`.
      metadata: { name: `${name}.${this.#suffix(at)}`, namespace: namespace ?? "default" },
      involvedObject: { apiVersion: about.apiVersion, kind: about.kind, namespace, name, uid, resourceVersion },
      type,
      reason,
      message,
      count: 1,
      firstTimestamp: rfc3339(at),
      lastTimestamp: rfc3339(at),
      source: { component: this.#component, ...host },
      reportingComponent: this.#component,
      reportingInstance: this.#host,
    };
  }

  /** Nanoseconds since the epoch in hexadecimal, as client-go; never the same twice. */
  #suffix(at: number): string {
    const now = BigInt(Math.round(at)) * 1_000_000n;
    this.#lastSuffix = now > this.#lastSuffix ? now : this.#lastSuffix + 1n;
    return this.#lastSuffix.toString(16);
  }
}
