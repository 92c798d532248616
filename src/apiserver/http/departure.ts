/**
 * That a client has gone, for who asks. An `AbortSignal` with its event costs as much as the rest of a small request's
 * bookkeeping, and most answers are whole before anybody wants to know: so it is made on demand.
 */

/** Shared: an error of its own for each request would cost a stack trace each. */
const reason = new DOMException("the client has gone, or the server stops", "AbortError");

export class Departure {
  #controller: AbortController | undefined;
  #gone = false;

  get gone(): boolean {
    return this.#gone;
  }

  /** The same each time. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#gone) this.#controller.abort(reason);
    }
    return this.#controller.signal;
  }

  /** Idempotent. */
  end(): void {
    this.#gone = true;
    this.#controller?.abort(reason);
  }
}
