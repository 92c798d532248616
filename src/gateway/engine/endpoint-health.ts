/**
 * What answers say about an endpoint (Envoy calls it outlier detection): one that fails several times in a row is left out for a while,
 * each time for longer, as long as half of its backend stays. And how much may be tried again (Finagle's retry budget): when everything
 * fails, tries on top of tries only make it worse.
 */

/** Failures in a row before an endpoint is left out. */
const faultsInARow = 5;
const ejectionMs = 10_000;
const longestEjections = 6;
/** After so long without an ejection the next one is as short as the first. */
const forgetMs = 60_000;

export interface Judged {
  readonly health: EndpointHealth;
  /** Milliseconds; not chosen before that if another can be. */
  avoidUntil: number;
}

export class EndpointHealth {
  faults = 0;
  ejections = 0;
}

/** Answers that say that the endpoint, not the request, is at fault: 500 may be the request's own. */
export function isFault(status: number): boolean {
  return status === 502 || status === 503 || status === 504;
}

/** Takes in what became of a request at `endpoint`, one of `all`. `now`: milliseconds, monotonic. */
export function judge(endpoint: Judged, fault: boolean, all: readonly Judged[], now: number): void {
  const { health } = endpoint;
  if (!fault) {
    health.faults = 0;
    if (health.ejections > 0 && now - endpoint.avoidUntil > forgetMs) health.ejections = 0;
    return;
  }
  health.faults += 1;
  if (health.faults < faultsInARow) return;
  const out = all.filter((each) => each !== endpoint && each.avoidUntil > now).length;
  if ((out + 1) * 2 > all.length) return;
  health.faults = 0;
  health.ejections = Math.min(health.ejections + 1, longestEjections);
  endpoint.avoidUntil = now + ejectionMs * health.ejections;
}

/** Of requests, that may be tried once more. */
const share = 0.2;
/** Tries a second that are always allowed. */
const perSecond = 10;
const most = 100;

export class RetryBudget {
  #left = perSecond;
  #at: number;

  constructor(now: number) {
    this.#at = now;
  }

  /** A request has come. */
  deposit(): void {
    this.#left = Math.min(most, this.#left + share);
  }

  /** Whether one more try may be made, which is then taken from the budget. */
  withdraw(now: number): boolean {
    this.#left = Math.min(most, this.#left + ((now - this.#at) / 1000) * perSecond);
    this.#at = now;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
