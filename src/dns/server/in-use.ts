import { sleep, type Clock } from "../../lib/clock.ts";
import type { Configuration, ServerGroup } from "../corefile/configure.ts";
import type { Awaitable } from "../plugin.ts";
import { AnswerTable } from "./answer-table.ts";

/** A configuration that answers queries: it may stop once none of them is under way. */
export class InUse {
  readonly configuration: Configuration;
  /** By label. */
  readonly #groups: ReadonlyMap<string, { readonly group: ServerGroup; readonly table: AnswerTable }>;
  #active = 0;
  #waiting: (() => void)[] = [];

  constructor(configuration: Configuration) {
    this.configuration = configuration;
    this.#groups = new Map(configuration.servers.map((group) => [group.label, { group, table: new AnswerTable() }]));
  }

  /** Undefined when it does not listen there. */
  group(label: string) {
    return this.#groups.get(label);
  }

  /** After its last use. */
  close(): void {
    for (const { table } of this.#groups.values()) table.close();
  }

  get active(): number {
    return this.#active;
  }

  /** Counts `answer` as long as it is under way; one that is there at once costs nothing. */
  track<T>(answer: Awaitable<T>): Awaitable<T> {
    if (!(answer instanceof Promise)) return answer;
    this.#active++;
    return answer.finally(() => {
      if (--this.#active > 0) return;
      for (const resolve of this.#waiting.splice(0)) resolve();
    });
  }

  /** Resolves when nothing is under way, at the latest after `ms`. */
  async idle(clock: Clock, ms: number): Promise<void> {
    if (this.#active === 0) return;
    const limit = new AbortController();
    const idle = new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      await Promise.race([idle, sleep(clock, ms, limit.signal)]);
    } finally {
      limit.abort();
    }
  }
}
