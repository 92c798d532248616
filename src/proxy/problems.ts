/** Addresses that are not served: kept for `status`, told once by an Event, tried again while that may help. */
import type { Service } from "../api/types.ts";
import type { EventRecorder } from "../client/event-recorder.ts";
import type { Clock, Timer } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import type { AddressProblem } from "./backends/backend.ts";

export interface ProblemsOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly recorder: EventRecorder | undefined;
  /** Asks for the Service to be applied again. */
  readonly again: (key: string) => void;
  readonly retryMs?: number;
}

export class Problems {
  readonly #options: Required<ProblemsOptions>;
  readonly #byService = new Map<string, readonly AddressProblem[]>();
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: ProblemsOptions) {
    this.#options = { retryMs: 5000, ...options };
  }

  /** What the last attempt left; empty: all is well. */
  set(key: string, problems: readonly AddressProblem[], service: Service | undefined): void {
    const before = new Set((this.#byService.get(key) ?? []).map(({ message }) => message));
    if (problems.length === 0) this.#byService.delete(key);
    else this.#byService.set(key, problems);
    for (const problem of problems) if (!before.has(problem.message)) this.#tell(key, problem, service);
    if (problems.some(({ retry }) => retry)) this.#arm();
  }

  get(key: string): readonly AddressProblem[] {
    return this.#byService.get(key) ?? [];
  }

  entries(): Iterable<readonly [string, readonly AddressProblem[]]> {
    return this.#byService.entries();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #tell(key: string, { severity, reason, message, standIn }: AddressProblem, service: Service | undefined): void {
    const { log, recorder } = this.#options;
    if (severity === "info") return log.debug(message, { service: key });
    log.warn(message, { service: key, reason });
    // With a stand-in the address is served after all.
    if (service !== undefined) recorder?.event(service, standIn === undefined ? "Warning" : "Normal", reason, message);
  }

  #arm(): void {
    if (this.#stopped) return;
    this.#timer ??= this.#options.clock.after(this.#options.retryMs, () => {
      this.#timer = undefined;
      for (const [key, problems] of this.#byService) if (problems.some(({ retry }) => retry)) this.#options.again(key);
    });
  }
}
