/** Says of each query that could not be answered why; many of a kind can be told as one line (CoreDNS `plugin/errors`). */
import { rcodeName, typeName } from "../../../decide/dns/records.ts";
import type { Timer } from "../../../lib/clock.ts";
import type { LogLevel } from "../../../lib/log.ts";
import { after, type DnsRequest, type Handler, type PluginEnvironment } from "../../plugin.ts";
import { formatDuration } from "../../corefile/duration.ts";

/** Errors that match are counted for `periodMs` after the first, then told in one line. */
export interface Consolidation {
  readonly pattern: RegExp;
  readonly periodMs: number;
  readonly level: Exclude<LogLevel, "debug"> | "debug";
  /** The first is told at once, in full. */
  readonly showFirst: boolean;
}

export class ErrorsHandler implements Handler {
  readonly name = "errors";
  readonly repeatable = true;
  readonly #consolidations: readonly Consolidation[];
  readonly #environment: Pick<PluginEnvironment, "clock" | "log">;
  readonly #counts = new Map<Consolidation, { count: number; readonly timer: Timer }>();

  constructor(consolidations: readonly Consolidation[], { clock, log }: Pick<PluginEnvironment, "clock" | "log">) {
    this.#consolidations = consolidations;
    this.#environment = { clock, log: log.child("plugin/errors") };
  }

  serveDNS(request: DnsRequest, next: Parameters<Handler["serveDNS"]>[1]): ReturnType<Handler["serveDNS"]> {
    return after(next(request), (outcome) => {
      if (outcome.kind === "none" && outcome.error !== undefined) this.#tell(request, outcome.rcode, outcome.error.message);
      return outcome;
    });
  }

  #tell({ question }: DnsRequest, rcode: number, message: string): void {
    const matching = this.#consolidations.find(({ pattern }) => pattern.test(message));
    if (matching !== undefined && this.#count(matching)) return;
    const fields = { name: question.name, type: typeName(question.type), rcode: rcodeName(rcode) };
    this.#environment.log[matching?.level ?? "error"](message, fields);
  }

  /** Whether it is only counted. */
  #count(consolidation: Consolidation): boolean {
    const running = this.#counts.get(consolidation);
    if (running !== undefined) {
      running.count++;
      return true;
    }
    const timer = this.#environment.clock.after(consolidation.periodMs, () => this.#summarize(consolidation));
    this.#counts.set(consolidation, { count: 1, timer });
    return !consolidation.showFirst;
  }

  #summarize(consolidation: Consolidation): void {
    const { pattern, periodMs, level, showFirst } = consolidation;
    const { count = 0, timer } = this.#counts.get(consolidation) ?? {};
    this.#counts.delete(consolidation);
    timer?.cancel();
    if (count > (showFirst ? 1 : 0)) {
      this.#environment.log[level](`${count} errors like '${pattern.source}' occurred in last ${formatDuration(periodMs)}`);
    }
  }

  /** What was counted so far is told. */
  stop(): void {
    for (const consolidation of this.#counts.keys()) this.#summarize(consolidation);
  }
}
