/** What a connection sends: gathered until the end of the turn, held back by the other side's windows and by the socket. */
import type { StreamSocket } from "../../net/stream-socket.ts";
import { defaultWindow, frameBytes } from "./codes.ts";
import { FrameWriter } from "./frame-writer.ts";
import type { Http2Stream } from "./stream.ts";

/** It is written when there is so much, without waiting for the end of the turn. */
const writeAt = 32_768;
const noBytes = Buffer.alloc(0);

export class Output {
  readonly frames = new FrameWriter();
  readonly #socket: StreamSocket;
  readonly #soon: (run: () => void) => void;
  /** Streams with something that waits for a window or for the socket, in turn. */
  readonly #waiting = new Set<Http2Stream>();
  /** Of the connection. */
  window = defaultWindow;
  /** The largest payload that the other side takes. */
  peerFrameBytes = frameBytes;
  #blocked = false;
  #flushing = false;

  constructor(socket: StreamSocket, soon: (run: () => void) => void) {
    this.#socket = socket;
    this.#soon = soon;
  }

  /** Something waits for the other side to read. */
  get stalled(): boolean {
    return this.#waiting.size > 0 || this.#blocked;
  }

  /** What nobody reads has come to so many bytes. */
  get unread(): number {
    return this.#blocked ? this.frames.length : 0;
  }

  /** Of `bytes` what windows and socket take; gives how many those are. */
  data(stream: Http2Stream, bytes: Buffer): number {
    if (stream.id === 0 || this.#blocked) return 0;
    const most = Math.min(bytes.length, stream.sendWindow, this.window);
    for (let sent = 0; sent < most;) {
      const take = Math.min(most - sent, this.peerFrameBytes, frameBytes);
      this.frames.data(stream.id, take === bytes.length ? bytes : bytes.subarray(sent, sent + take), false);
      sent += take;
      stream.sendWindow -= take;
      this.window -= take;
      if (this.frames.length < writeAt) continue;
      this.flush();
      if (this.#blocked) return sent;
    }
    if (most > 0) this.flushSoon();
    return Math.max(0, most);
  }

  /** The end of a stream, in its last frame if that has not left yet. */
  end(stream: Http2Stream): void {
    if (!this.frames.endLast(stream.id)) this.frames.data(stream.id, noBytes, true);
    this.flushSoon();
  }

  waits(stream: Http2Stream): void {
    this.#waiting.add(stream);
  }

  forget(stream: Http2Stream): void {
    this.#waiting.delete(stream);
  }

  flushSoon(): void {
    if (this.#flushing || this.#blocked) return;
    this.#flushing = true;
    this.#soon(() => {
      this.#flushing = false;
      this.flush();
    });
  }

  flush(): void {
    if (this.frames.length === 0 || this.#socket.destroyed) return;
    const room = this.#socket.write(this.frames.take());
    if (this.#socket.writableLength > 0) this.frames.keep();
    if (!room) this.#blocked = true;
  }

  /** The socket has room again. */
  drained(): void {
    this.#blocked = false;
    this.flush();
    this.pumpAll();
  }

  /** One frame of each stream in turn, for as long as windows and socket take something. */
  pumpAll(): void {
    for (let moved = true; moved && !this.#blocked;) {
      moved = false;
      for (const stream of this.#waiting) {
        if (this.#blocked || this.window <= 0) return;
        moved = this.#pump(stream) || moved;
      }
    }
  }

  /** All of one stream that windows and socket take. */
  pump(stream: Http2Stream): void {
    while (!this.#blocked && !stream.idle && this.#pump(stream));
  }

  #pump(stream: Http2Stream): boolean {
    const moved = stream.pump(frameBytes);
    if (stream.idle) this.#waiting.delete(stream);
    return moved;
  }
}
