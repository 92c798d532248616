/** Reads exact numbers of bytes from a socket that is not flowing; what is not asked for stays in the socket. */
import type { Socket } from "node:net";

export class ByteReader {
  readonly #socket: Socket;
  #wake: () => void = () => {};
  #ended = false;
  readonly #onReadable = () => this.#wake();
  readonly #onEnd = () => {
    this.#ended = true;
    this.#wake();
  };

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("readable", this.#onReadable);
    socket.on("end", this.#onEnd);
    socket.on("close", this.#onEnd);
  }

  /** Undefined when the other side ends before `count` bytes have come. One read at a time. */
  async read(count: number): Promise<Buffer | undefined> {
    if (count === 0) return Buffer.alloc(0);
    for (;;) {
      const bytes = this.#socket.read(count) as Buffer | null;
      if (bytes !== null) return bytes.length === count ? bytes : undefined;
      if (this.#ended || this.#socket.destroyed) return undefined;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Gives the socket back, so that it can flow. */
  release(): void {
    this.#socket.off("readable", this.#onReadable);
    this.#socket.off("end", this.#onEnd);
    this.#socket.off("close", this.#onEnd);
  }
}
