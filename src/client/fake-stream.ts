/** A watch stream that is pushed to by hand; the fake API's. */
import type { StreamedEvent, WatchStream } from "../api/request.ts";

export class EventStream implements WatchStream {
  readonly #onClose: () => void;
  #queue: StreamedEvent[] = [];
  #wake: (() => void) | undefined;
  #closed = false;

  constructor(onClose: () => void, signal?: AbortSignal) {
    this.#onClose = onClose;
    if (signal?.aborted === true) this.#closed = true;
    signal?.addEventListener("abort", () => this.close(), { once: true });
  }

  push(event: StreamedEvent): void {
    this.#queue.push(event);
    this.#wake?.();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClose();
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<StreamedEvent> {
    try {
      while (!this.#closed || this.#queue.length > 0) {
        const event = this.#queue.shift();
        if (event !== undefined) yield event;
        else await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      this.close();
    }
  }
}
