/**
 * From what containers have used since their start to what they use now: the rate between two looks at them (as metrics-server does,
 * pkg/storage). Nobody looks without being asked: the first answer is the rate since the container's start.
 */
import type { Clock } from "../../lib/clock.ts";
import type { Usage } from "./process-table.ts";

export interface MeteredContainer {
  /** Unique. */
  readonly id: string;
  /** ms since the epoch */
  readonly startedAt: number;
}

export interface ContainerRate {
  readonly cpuNanoCores: number;
  readonly memoryBytes: number;
  /** Over which the CPU time was taken. */
  readonly windowMs: number;
}

interface Look {
  readonly at: number;
  readonly cpuNanoseconds: number;
}

/** Two looks that lie closer together say little: ticks of 10 ms. */
const leastWindowMs = 5_000;

export class UsageMeter {
  readonly #clock: Pick<Clock, "now">;
  /** id → the look from which the next rate counts, and the last one */
  readonly #looks = new Map<string, { readonly base: Look; readonly last: Look }>();

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  rate({ id, startedAt }: MeteredContainer, { cpuNanoseconds, memoryBytes }: Usage): ContainerRate {
    const now = this.#clock.now();
    const before = this.#looks.get(id);
    const isFar = before !== undefined && now - before.last.at >= leastWindowMs;
    const base = isFar ? before.last : (before?.base ?? { at: startedAt, cpuNanoseconds: 0 });
    const isNew = before === undefined || isFar;
    this.#looks.set(id, { base, last: isNew ? { at: now, cpuNanoseconds } : before.last });
    const windowMs = Math.max(1, now - base.at);
    return { cpuNanoCores: Math.max(0, Math.round(((cpuNanoseconds - base.cpuNanoseconds) * 1000) / windowMs)), memoryBytes, windowMs };
  }

  /** Forgets all others. */
  keep(ids: ReadonlySet<string>): void {
    for (const id of this.#looks.keys()) if (!ids.has(id)) this.#looks.delete(id);
  }
}
