/** Counts who asks for what while somebody wants to know: nothing is counted, and nothing costs anything, until then. */
import type { QueryWatch } from "../plugin.ts";
import type { QueryTally, SeenQuery, TopReport } from "../../decide/dns/top/query-tally.ts";

export class TalliedWatch implements QueryWatch {
  readonly #make: () => QueryTally;
  #tally: QueryTally | undefined;
  #uses = 0;

  /** `make`: an empty tally. */
  constructor(make: () => QueryTally) {
    this.#make = make;
  }

  get on(): boolean {
    return this.#tally !== undefined;
  }

  /** Gives the way to end it; what was counted goes with the last. */
  begin(): () => void {
    this.#tally ??= this.#make();
    this.#uses++;
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      if (--this.#uses === 0) this.#tally = undefined;
    };
  }

  saw(query: SeenQuery, times = 1): void {
    this.#tally?.saw(query, times);
  }

  report(): TopReport | undefined {
    return this.#tally?.report();
  }
}

/** Where there are no clients. */
export const noWatch: QueryWatch = { on: false, begin: () => () => undefined, saw: () => undefined, report: () => undefined };
