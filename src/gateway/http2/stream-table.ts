/** The streams of a connection (RFC 9113 5.1): which there are, which there were, and which wait to be opened. */
import { defaultWindow, maxWindow } from "./codes.ts";
import { Http2Stream, type StreamOwner, type StreamUser } from "./stream.ts";

/** Of a stream: what may be under way to a consumer that does not read. */
export const streamWindow = 1 << 18;
/** Streams that were given up and of which more may be under way. */
const maxForgotten = 256;

interface Opening {
  readonly stream: Http2Stream;
  readonly parts: readonly Uint8Array[];
}

export class StreamTable {
  readonly #owner: StreamOwner;
  /** Those that this side opens are odd, or even. */
  readonly #ownParity: 0 | 1;
  readonly #open = new Map<number, Http2Stream>();
  /** Requests beyond what the other side takes at once. */
  #openings: Opening[] = [];
  readonly #forgotten = new Set<number>();
  #nextOwn = 1;
  #sendWindow = defaultWindow;
  /** Until it has said how many. */
  peerStreams = 100;
  lastRemote = 0;

  constructor(owner: StreamOwner, role: "server" | "client") {
    this.#owner = owner;
    this.#ownParity = role === "client" ? 1 : 0;
  }

  get size(): number {
    return this.#open.size;
  }

  get waiting(): number {
    return this.#openings.length;
  }

  get(id: number): Http2Stream | undefined {
    return this.#open.get(id);
  }

  /** Never used by either side. */
  isIdle(id: number): boolean {
    return (id & 1) === this.#ownParity ? id >= this.#nextOwn : id > this.lastRemote;
  }

  isForgotten(id: number): boolean {
    return this.#forgotten.has(id);
  }

  /** What still comes of it is no fault. */
  forget(id: number): void {
    this.#forgotten.add(id);
    if (this.#forgotten.size > maxForgotten) for (const oldest of this.#forgotten) if (this.#forgotten.delete(oldest)) break;
  }

  accept(id: number): Http2Stream {
    const stream = this.#make(id);
    this.#open.set(id, stream);
    return stream;
  }

  #make(id: number): Http2Stream {
    return new Http2Stream(this.#owner, id, { send: this.#sendWindow, receive: streamWindow });
  }

  /** A stream of ours, which waits for `openNext`. */
  prepare(parts: readonly Uint8Array[], user: StreamUser): Http2Stream {
    const stream = this.#make(0);
    stream.user = user;
    this.#openings.push({ stream, parts });
    return stream;
  }

  /** The next one that the other side has room for, with its number. */
  openNext(): Opening | undefined {
    while (this.#openings.length > 0 && this.#open.size < this.peerStreams) {
      const opening = this.#openings.shift() as Opening;
      const { stream } = opening;
      if (stream.closed) continue;
      stream.id = this.#nextOwn;
      stream.sendWindow = this.#sendWindow;
      this.#nextOwn += 2;
      this.#open.set(stream.id, stream);
      return opening;
    }
    return undefined;
  }

  remove(stream: Http2Stream): void {
    this.#open.delete(stream.id);
  }

  /** Streams that there are get the difference (6.9.2), which may leave them with less than nothing. False: more than there can be. */
  setSendWindow(bytes: number): boolean {
    const more = bytes - this.#sendWindow;
    this.#sendWindow = bytes;
    for (const stream of this.#open.values()) {
      stream.sendWindow += more;
      if (stream.sendWindow > maxWindow) return false;
    }
    return true;
  }

  /** Takes out those of ours beyond `last`, and all that wait. */
  takeBeyond(last: number): readonly Http2Stream[] {
    const beyond = [...this.#open.values()].filter(({ id }) => id > last);
    for (const stream of beyond) this.#open.delete(stream.id);
    return [...beyond, ...this.#takeWaiting()];
  }

  takeAll(): readonly Http2Stream[] {
    const all = [...this.#open.values(), ...this.#takeWaiting()];
    this.#open.clear();
    return all;
  }

  #takeWaiting(): readonly Http2Stream[] {
    const waiting = this.#openings.map(({ stream }) => stream);
    this.#openings = [];
    return waiting;
  }
}
