/**
 * Writes statuses of the Gateway API's objects: what is there already is not written again, and what changed in between is looked at
 * anew. Lists are replaced whole by a merge patch, so each write names the version that it was made from.
 */
import { isDeepStrictEqual } from "node:util";
import type { KubeObject } from "../../api/object.ts";
import { apiVersionOf, type Resource } from "../../api/resources.ts";
import { isConflict, isNotFound } from "../../api/status.ts";
import type { Client } from "../../client/client.ts";
import type { EventRecorder } from "../../client/event-recorder.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Logger } from "../../lib/log.ts";
import { newFaults } from "./faults.ts";
import { KeyQueue } from "../key-queue.ts";

/** What is to be in the status; undefined: nothing is written. */
export interface WantedStatus {
  readonly resource: Resource<KubeObject>;
  readonly object: KubeObject & { readonly status?: unknown };
  readonly status: Readonly<Record<string, unknown>>;
}

export interface GatewayStatusWriterOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  /** By the key that was added. Asked when it is the key's turn: what is written is what is so then. */
  readonly wanted: (key: string) => WantedStatus | undefined;
  /** Absent: nothing is told by Events. */
  readonly recorder?: EventRecorder | undefined;
}

export class GatewayStatusWriter {
  readonly #options: GatewayStatusWriterOptions;
  readonly keys: KeyQueue;
  /** Key → what was written and has not come back by the watch yet: what the watch shows is older. */
  readonly #written = new Map<string, { readonly uid: string | undefined; readonly status: Readonly<Record<string, unknown>> }>();

  constructor(options: GatewayStatusWriterOptions) {
    this.#options = options;
    this.keys = new KeyQueue({ ...options, name: "gateway-api-status", workers: 4, write: (key) => this.#write(key) });
  }

  async #write(key: string): Promise<void> {
    const found = this.#options.wanted(key);
    if (found === undefined) return void this.#written.delete(key);
    const { resource, object, status } = found;
    const { namespace, name = "", uid, resourceVersion } = object.metadata;
    if (covers(object.status, status)) return void this.#written.delete(key);
    const last = this.#written.get(key);
    if (last !== undefined && last.uid === uid && sameButTimes(last.status, status)) return;
    try {
      await this.#options.client.patch(
        resource,
        { name, ...(namespace === undefined ? {} : { namespace }) },
        "application/merge-patch+json",
        { metadata: { resourceVersion }, status },
        { subresource: "status" },
      );
      this.#written.set(key, { uid, status });
      // What a list gives leaves out what every item of it is.
      const about = { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind };
      for (const { reason, message } of newFaults(last?.status ?? object.status, status))
        this.#options.recorder?.event(about, "Warning", reason, message);
    } catch (error) {
      // The watch brings the newer one, and with it another turn; a conflict may also be seen before that.
      if (isConflict(error)) return this.keys.again(key);
      if (!isNotFound(error)) throw error;
    }
  }
}

/** Every field that is wanted is there as it is wanted. */
function covers(actual: unknown, wanted: Readonly<Record<string, unknown>>): boolean {
  const have = (actual ?? {}) as Readonly<Record<string, unknown>>;
  return Object.entries(wanted).every(([name, value]) => isDeepStrictEqual(have[name], value));
}

function sameButTimes(a: unknown, b: unknown): boolean {
  const text = (value: unknown) => JSON.stringify(value, (name, each: unknown) => (name === "lastTransitionTime" ? undefined : each));
  return text(a) === text(b);
}
