/**
 * One stream of a connection (RFC 9113 5): what may still come and go, and what waits for a window or for the socket. Bytes that
 * came are given on at once, at most a window of them; whoever cannot take more says `pause`, and the other side is given no more room
 * until `resume`.
 */
import { errorCodes } from "./codes.ts";
import type { HeaderField } from "./hpack-table.ts";

/** Who has the stream. None is called after `reset`, or after both sides have ended. */
export interface StreamUser {
  /** An answer, one before it, or trailers. */
  onHeaders(fields: readonly HeaderField[]): void;
  /** May be overwritten afterwards. */
  onData(bytes: Buffer): void;
  /** The other side has sent all it will. */
  onEnd(): void;
  /** More can be written after `write` gave false. */
  onDrain(): void;
  /** Given up, by the other side or with its connection. */
  onReset(code: number): void;
}

/** What a stream needs of its connection. */
export interface StreamOwner {
  /** Sends of `bytes` what windows and socket take; gives how many those are. */
  sendData(stream: Http2Stream, bytes: Buffer): number;
  sendHeaders(stream: Http2Stream, parts: readonly Uint8Array[], endStream: boolean): void;
  /** After all that was sent of it. */
  sendEnd(stream: Http2Stream): void;
  sendReset(stream: Http2Stream, code: number): void;
  /** Something waits in it. */
  waits(stream: Http2Stream): void;
  /** The other side may send so many bytes more. */
  credit(stream: Http2Stream, bytes: number): void;
  /** Both sides have ended. */
  ended(stream: Http2Stream): void;
}

export class Http2Stream {
  /** 0: not open yet, as the other side takes no further stream now. */
  id: number;
  user: StreamUser | undefined;
  sendWindow: number;
  receiveWindow: number;
  /** Read and not told to the other side yet. */
  uncredited = 0;
  remoteEnded = false;
  /** Headers and all data are out, and their end. */
  localEnded = false;
  /** Of the body, as the other side said; counted down. */
  expected: number | undefined;
  readonly #owner: StreamOwner;
  #waiting: Buffer[] = [];
  #trailers: readonly Uint8Array[] | undefined;
  #ending = false;
  #resetAfter = false;
  #paused = false;
  #held = 0;
  #closed = false;

  constructor(owner: StreamOwner, id: number, windows: { readonly send: number; readonly receive: number }) {
    this.#owner = owner;
    this.id = id;
    this.sendWindow = windows.send;
    this.receiveWindow = windows.receive;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Nothing waits to be sent. */
  get idle(): boolean {
    return this.#waiting.length === 0 && (!this.#ending || this.localEnded);
  }

  // Sending.

  headers(...parts: readonly Uint8Array[]): void {
    if (!this.#closed && !this.localEnded) this.#owner.sendHeaders(this, parts, false);
  }

  /** What cannot go now is copied. False: more is better written after `onDrain`. */
  write(bytes: Buffer): boolean {
    if (this.#closed || this.#ending || this.localEnded || bytes.length === 0) return true;
    const sent = this.#waiting.length === 0 ? this.#owner.sendData(this, bytes) : 0;
    if (sent === bytes.length) return true;
    this.#waiting.push(Buffer.from(bytes.subarray(sent)));
    this.#owner.waits(this);
    return false;
  }

  /** `trailers`: parts of a header block. */
  end(trailers: readonly Uint8Array[] = []): void {
    if (this.#closed || this.#ending || this.localEnded) return;
    this.#trailers = trailers;
    this.#ending = true;
    if (this.#waiting.length === 0 && this.id !== 0) this.#finish();
    else this.#owner.waits(this);
  }

  /** Sends of what waits one frame's worth. False: nothing could be sent. */
  pump(mostBytes: number): boolean {
    if (this.id === 0) return false;
    const first = this.#waiting[0];
    if (first === undefined) {
      if (this.#ending && !this.localEnded) this.#finish();
      return false;
    }
    const piece = first.length > mostBytes ? first.subarray(0, mostBytes) : first;
    const sent = this.#owner.sendData(this, piece);
    if (sent === 0) return false;
    if (sent < first.length) this.#waiting[0] = first.subarray(sent);
    else this.#waiting.shift();
    if (this.#waiting.length > 0) return true;
    if (this.#ending) this.#finish();
    else this.user?.onDrain();
    return true;
  }

  #finish(): void {
    this.localEnded = true;
    const trailers = this.#trailers ?? [];
    if (trailers.length > 0) this.#owner.sendHeaders(this, trailers, true);
    else this.#owner.sendEnd(this);
    this.#bothEnded();
    if (this.#resetAfter) this.reset(errorCodes.none);
  }

  /** Gives the stream up. Its user hears nothing of it. */
  reset(code: number): void {
    if (this.#closed) return;
    this.#release();
    this.#owner.sendReset(this, code);
  }

  /** All was said: what still comes of the other side is of no use (RFC 9113 8.1). After what waits to be sent. */
  resetWhenSent(): void {
    if (this.localEnded) this.reset(errorCodes.none);
    else this.#resetAfter = true;
  }

  // Receiving, from the connection.

  received(bytes: Buffer, counted: number): void {
    if (this.#paused) this.#held += counted;
    else this.#owner.credit(this, counted);
    if (bytes.length > 0) this.user?.onData(bytes);
  }

  receivedEnd(): void {
    this.remoteEnded = true;
    this.user?.onEnd();
    this.#bothEnded();
  }

  /** The other side gave it up, or its connection is gone. */
  broken(code: number): void {
    if (this.#closed) return;
    const { user } = this;
    this.#release();
    user?.onReset(code);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    const held = this.#held;
    this.#held = 0;
    if (held > 0 && !this.#closed) this.#owner.credit(this, held);
  }

  #bothEnded(): void {
    if (!this.localEnded || !this.remoteEnded || this.#closed) return;
    this.#release();
    this.#owner.ended(this);
  }

  #release(): void {
    this.#closed = true;
    this.user = undefined;
    this.#waiting = [];
    // What nobody will read must not keep room from other streams.
    if (this.#held > 0) this.#owner.credit(this, this.#held);
    this.#held = 0;
  }
}
