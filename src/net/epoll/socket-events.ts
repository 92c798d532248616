/**
 * Who listens to a socket. Node's EventEmitter does more, and takes its time for it: a socket of ours lives for as little as one request,
 * with two dozen listeners that come and go.
 */

export type SocketEvent = "data" | "end" | "drain" | "error" | "close";

/** Each event has one value at most. */
type Listener = (value: never) => void;
type Listeners = Listener | readonly Listener[] | undefined;

export abstract class SocketEvents {
  #data: Listeners;
  #end: Listeners;
  #drain: Listeners;
  #error: Listeners;
  #close: Listeners;

  on(event: SocketEvent, listener: Listener): this {
    this.#change(event, listener, added);
    return this;
  }

  /** Not to be taken back: `off` knows the listener by another name. */
  once(event: SocketEvent, listener: Listener): this {
    const first = (value: never) => {
      this.off(event, first);
      listener(value);
    };
    return this.on(event, first);
  }

  off(event: SocketEvent, listener: Listener): this {
    this.#change(event, listener, removed);
    return this;
  }

  #change(event: SocketEvent, listener: Listener, change: (all: Listeners, one: Listener) => Listeners): void {
    switch (event) {
      case "data":
        this.#data = change(this.#data, listener);
        return;
      case "end":
        this.#end = change(this.#end, listener);
        return;
      case "drain":
        this.#drain = change(this.#drain, listener);
        return;
      case "error":
        this.#error = change(this.#error, listener);
        return;
      case "close":
        this.#close = change(this.#close, listener);
        return;
    }
  }

  protected tellData(bytes: Buffer): void {
    tell(this.#data, bytes);
  }

  protected tellEnd(): void {
    tell(this.#end, undefined);
  }

  protected tellDrain(): void {
    tell(this.#drain, undefined);
  }

  /** Throws the error if nobody listens, as Node's sockets do. */
  protected tellError(error: Error): void {
    if (this.#error === undefined) throw error;
    tell(this.#error, error);
  }

  protected tellClose(failed: boolean): void {
    tell(this.#close, failed);
  }
}

/** Those who listened when it began, whatever they do to the list. */
function tell(all: Listeners, value: unknown): void {
  if (all === undefined) return;
  if (typeof all === "function") all(value as never);
  else for (const each of all) each(value as never);
}

function added(all: Listeners, one: Listener): Listeners {
  if (all === undefined) return one;
  return typeof all === "function" ? [all, one] : [...all, one];
}

/** Once, however often it was added. */
function removed(all: Listeners, one: Listener): Listeners {
  if (all === undefined || all === one) return undefined;
  if (typeof all === "function") return all;
  const at = all.lastIndexOf(one);
  if (at < 0) return all;
  return all.length === 2 ? all[1 - at] : all.toSpliced(at, 1);
}
