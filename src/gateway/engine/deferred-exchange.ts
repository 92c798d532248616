/** A request that waits until somebody has said whether it may go on. What comes of its body meanwhile is one piece: then the client is paused. */
import type { Field } from "../http1/fields.ts";
import type { ClientSide, Exchange } from "./client-side.ts";

export class DeferredExchange implements Exchange {
  readonly #client: Pick<ClientSide, "resumeBody">;
  readonly #gone: () => void;
  readonly #kept: Buffer[] = [];
  #trailers: readonly Field[] | undefined;
  #target: Exchange | undefined;
  #over = false;

  /** `gone`: the client has left before it was known. */
  constructor(client: Pick<ClientSide, "resumeBody">, gone: () => void) {
    this.#client = client;
    this.#gone = gone;
  }

  /** The client has left, or was answered: nothing goes on. */
  get over(): boolean {
    return this.#over;
  }

  /** It goes on there, with all that has come. */
  become(target: Exchange): void {
    this.#target = target;
    let room = true;
    for (const bytes of this.#kept.splice(0)) room = target.write(bytes);
    if (this.#trailers !== undefined) target.end(this.#trailers);
    else if (room) this.#client.resumeBody();
  }

  /** It was answered otherwise. */
  drop(): void {
    this.#over = true;
    this.#kept.length = 0;
  }

  write(bytes: Buffer): boolean {
    if (this.#target !== undefined) return this.#target.write(bytes);
    if (this.#over) return true;
    this.#kept.push(Buffer.from(bytes));
    return false;
  }

  end(trailers: readonly Field[]): void {
    this.#trailers = trailers;
    this.#target?.end(trailers);
  }

  resume(): void {
    this.#target?.resume();
  }

  abort(): void {
    if (this.#target !== undefined) return this.#target.abort();
    if (this.#over) return;
    this.#over = true;
    this.#gone();
  }
}
