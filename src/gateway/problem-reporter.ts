/** Tells people what cannot be used: one Event and one log line for each new problem of an object, none for repeats. */
import type { Ingress } from "../api/types.ts";
import type { EventRecorder } from "../client/event-recorder.ts";
import type { RouteProblem, RouteReason } from "../decide/routes/index.ts";
import type { Logger } from "../lib/log.ts";

/** Comes and goes with every roll-out and start: `status` and answers name it, Events would only be noise. */
const passing: ReadonlySet<RouteReason> = new Set(["NoEndpoints"]);

export class ProblemReporter {
  readonly #told = new Map<string, ReadonlySet<string>>();
  readonly #recorder: EventRecorder | undefined;
  readonly #log: Logger;

  constructor(recorder: EventRecorder | undefined, log: Logger) {
    this.#recorder = recorder;
    this.#log = log;
  }

  /** All problems that an Ingress has now. */
  report(key: string, ingress: Ingress | undefined, problems: readonly RouteProblem[]): void {
    const before = this.#told.get(key) ?? new Set();
    const now = new Set<string>();
    for (const { reason, severity, message, source } of problems) {
      const text = source.field === "" ? message : `${source.field}: ${message}`;
      now.add(text);
      if (before.has(text) || passing.has(reason) || ingress === undefined) continue;
      this.#log[severity === "error" ? "warn" : "info"](text, { ingress: key, reason });
      this.#recorder?.event(ingress, "Warning", reason, text);
    }
    if (now.size === 0) this.#told.delete(key);
    else this.#told.set(key, now);
  }
}
