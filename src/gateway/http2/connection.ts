/**
 * A connection of HTTP/2 (RFC 9113), either end of it, on any stream socket. Strict: what the RFC calls a connection error ends it,
 * what it calls a stream error ends the stream. Bounded: streams, header blocks, what waits to be written, and what costs
 * the other side nothing to send again and again. Priorities mean nothing (RFC 9113 5.3.2); nothing is ever pushed.
 */
import type { StreamSocket } from "../../net/stream-socket.ts";
import { defaultWindow, errorCodes, flags, frameBytes, frameTypes, maxWindow, preface, settings } from "./codes.ts";
import { Allowance } from "./floods.ts";
import { FrameReader } from "./frame-reader.ts";
import { FrameWriter } from "./frame-writer.ts";
import { HpackDecoder, type HeaderBlock, type HeaderLimits } from "./hpack-decoder.ts";
import type { HeaderField } from "./hpack-table.ts";
import { Http2Stream, type StreamOwner, type StreamUser } from "./stream.ts";

export interface ConnectionOptions {
  readonly socket: StreamSocket;
  readonly role: "server" | "client";
  readonly headerLimits: HeaderLimits;
  /** Requests at once that a client may have under way. */
  readonly maxStreams: number;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  /** Runs it when the events of this turn have been dealt with: what they wrote then leaves together. */
  readonly soon: (run: () => void) => void;
  /** Server: a request. Gives who has the stream; undefined: it was dealt with. */
  readonly onRequest?: (stream: Http2Stream, block: HeaderBlock, endStream: boolean) => StreamUser | undefined;
  /** Something came. */
  readonly onActive?: () => void;
  /** Client: it takes no further request. */
  readonly onGoaway?: () => void;
  /** Nothing goes over it any more; what the other side still sends is read and thrown away until it ends too. */
  readonly onEnding?: () => void;
  readonly onClosed: () => void;
}

/** Of a stream: what may be under way to a consumer that does not read. */
const streamWindow = 1 << 18;
/** Of all streams together. */
const connectionWindow = 1 << 22;
/** Output is written when there is so much. */
const writeAt = 32_768;
/** Answers to pings and the like that wait for a client that does not read. */
const maxUnread = 1 << 16;
const maxBlockBytes = 65_536;
const maxContinuations = 32;
/** Streams that we gave up and of which more may be under way. */
const maxForgotten = 256;
const resets = { most: 200, perSecond: 33 };
const idleFrames = { most: 1000, perSecond: 100 };

interface Opening {
  readonly stream: Http2Stream;
  readonly parts: readonly Uint8Array[];
}

export class Http2Connection implements StreamOwner {
  readonly #options: ConnectionOptions;
  readonly #socket: StreamSocket;
  readonly #reader = new FrameReader();
  readonly #out = new FrameWriter();
  readonly #decoder: HpackDecoder;
  readonly #streams = new Map<number, Http2Stream>();
  /** Streams with something that waits for a window or for the socket, in turn. */
  readonly #waiting = new Set<Http2Stream>();
  /** Requests beyond what the server takes at once. */
  readonly #openings: Opening[] = [];
  /** Given up by us: what still comes of them is no fault. */
  readonly #forgotten = new Set<number>();
  readonly #resets: Allowance;
  readonly #idleFrames: Allowance;
  readonly #onFrame = (type: number, bits: number, id: number, payload: Buffer) => this.#frame(type, bits, id, payload);
  #prefaceLeft: number;
  #settingsSeen = false;
  #sendWindow = defaultWindow;
  #receiveWindow = connectionWindow;
  #uncredited = 0;
  #initialSendWindow = defaultWindow;
  #peerFrameBytes = frameBytes;
  #peerStreams = 100;
  #lastRemote = 0;
  #nextLocal = 1;
  /** Of a header block in several frames. */
  #block: Buffer[] = [];
  #blockBytes = 0;
  #blockStream = 0;
  #blockEnds = false;
  #lastBlock: { readonly bytes: Buffer; readonly version: number; readonly read: HeaderBlock } | undefined;
  #blocked = false;
  #flushing = false;
  #goingAway = false;
  #closed = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#socket = options.socket;
    this.#decoder = new HpackDecoder(options.headerLimits);
    this.#prefaceLeft = options.role === "server" ? preface.length : 0;
    this.#resets = new Allowance(resets, options.now());
    this.#idleFrames = new Allowance(idleFrames, options.now());
    this.#greet();
    const { socket } = options;
    socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
    socket.on("drain", this.#onDrain);
    socket.on("error", noticedAtClose);
    socket.on("close", this.#onClose);
    socket.resume();
  }

  #greet(): void {
    const { role, maxStreams, headerLimits } = this.#options;
    if (role === "client") this.#out.raw(preface);
    this.#out.settings([
      role === "client" ? [settings.enablePush, 0] : [settings.maxConcurrentStreams, maxStreams],
      [settings.initialWindowSize, streamWindow],
      [settings.maxHeaderListSize, headerLimits.bytes],
    ]);
    this.#out.windowUpdate(0, connectionWindow - defaultWindow);
    this.#flushSoon();
  }

  /** Requests under way. */
  get streams(): number {
    return this.#streams.size + this.#openings.length;
  }

  get closed(): boolean {
    return this.#closed || this.#goingAway;
  }

  /** We have said our last. */
  get isOver(): boolean {
    return this.#closed;
  }

  /** A header block has begun and not ended. */
  get midBlock(): boolean {
    return this.#blockStream !== 0 || this.#prefaceLeft > 0;
  }

  /** Something waits for the other side to read. */
  get stalled(): boolean {
    return this.#waiting.size > 0 || this.#blocked;
  }

  /** Bytes that were read from the socket before. */
  read(bytes: Buffer): void {
    this.#onData(bytes);
  }

  /** Client: a request; `parts` of its header block. It waits while the server takes no further one. */
  request(parts: readonly Uint8Array[], user: StreamUser): Http2Stream {
    const stream = new Http2Stream(this, 0, { send: this.#initialSendWindow, receive: streamWindow });
    stream.user = user;
    this.#openings.push({ stream, parts });
    this.#openSome();
    return stream;
  }

  #openSome(): void {
    while (this.#openings.length > 0 && this.#streams.size < this.#peerStreams && !this.closed) {
      const { stream, parts } = this.#openings.shift() as Opening;
      if (stream.closed) continue;
      stream.id = this.#nextLocal;
      this.#nextLocal += 2;
      stream.sendWindow = this.#initialSendWindow;
      this.#streams.set(stream.id, stream);
      this.#out.headers(stream.id, parts, false);
      this.#flushSoon();
      if (!stream.idle) this.#pump(stream);
    }
  }

  /** No further stream; ends when those that there are have ended. */
  goAway(): void {
    if (this.closed) return;
    this.#goingAway = true;
    this.#out.goaway(this.#lastRemote, errorCodes.none);
    this.#flushSoon();
    this.#endIfIdle();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  // What streams ask for.

  sendHeaders(stream: Http2Stream, parts: readonly Uint8Array[], endStream: boolean): void {
    this.#out.headers(stream.id, parts, endStream);
    this.#flushSoon();
  }

  sendData(stream: Http2Stream, bytes: Buffer): number {
    if (stream.id === 0 || this.#blocked) return 0;
    const most = Math.min(bytes.length, stream.sendWindow, this.#sendWindow);
    for (let sent = 0; sent < most;) {
      const take = Math.min(most - sent, this.#peerFrameBytes, frameBytes);
      this.#out.data(stream.id, take === bytes.length ? bytes : bytes.subarray(sent, sent + take), false);
      sent += take;
      stream.sendWindow -= take;
      this.#sendWindow -= take;
      if (this.#out.length < writeAt) continue;
      this.#flush();
      if (this.#blocked) return sent;
    }
    if (most > 0) this.#flushSoon();
    return Math.max(0, most);
  }

  sendEnd(stream: Http2Stream): void {
    if (!this.#out.endLast(stream.id)) this.#out.data(stream.id, noBytes, true);
    this.#flushSoon();
  }

  sendReset(stream: Http2Stream, code: number): void {
    this.#remove(stream);
    if (stream.id === 0 || this.#closed) return;
    this.#resetById(stream.id, code);
  }

  #resetById(id: number, code: number): void {
    this.#forgotten.add(id);
    if (this.#forgotten.size > maxForgotten) for (const oldest of this.#forgotten) if (this.#forgotten.delete(oldest)) break;
    this.#out.reset(id, code);
    this.#flushSoon();
  }

  waits(stream: Http2Stream): void {
    this.#waiting.add(stream);
  }

  credit(stream: Http2Stream, bytes: number): void {
    if (this.#closed) return;
    this.#creditConnection(bytes);
    if (stream.closed || stream.remoteEnded) return;
    stream.uncredited += bytes;
    if (stream.uncredited < streamWindow / 4) return;
    this.#out.windowUpdate(stream.id, stream.uncredited);
    stream.receiveWindow += stream.uncredited;
    stream.uncredited = 0;
    this.#flushSoon();
  }

  ended(stream: Http2Stream): void {
    this.#remove(stream);
  }

  #remove(stream: Http2Stream): void {
    this.#streams.delete(stream.id);
    this.#waiting.delete(stream);
    this.#openSome();
    this.#endIfIdle();
  }

  #endIfIdle(): void {
    if (this.#goingAway && this.streams === 0 && !this.#closed) this.#finish();
  }

  // Writing.

  #flushSoon(): void {
    if (this.#flushing || this.#blocked) return;
    this.#flushing = true;
    this.#options.soon(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#out.length === 0 || this.#socket.destroyed) return;
    const room = this.#socket.write(this.#out.take());
    if (this.#socket.writableLength > 0) this.#out.keep();
    if (!room) this.#blocked = true;
  }

  readonly #onDrain = () => {
    this.#blocked = false;
    this.#flush();
    this.#pumpAll();
  };

  /** One frame of each stream in turn, for as long as windows and socket take something. */
  #pumpAll(): void {
    for (let moved = true; moved && !this.#blocked;) {
      moved = false;
      for (const stream of this.#waiting) {
        if (this.#blocked || this.#sendWindow <= 0) return;
        moved = this.#pump(stream) || moved;
      }
    }
  }

  #pump(stream: Http2Stream): boolean {
    const moved = stream.pump(frameBytes);
    if (stream.idle) this.#waiting.delete(stream);
    return moved;
  }

  // Reading.

  readonly #onData = (bytes: Buffer) => {
    if (this.#closed) return;
    this.#options.onActive?.();
    const rest = this.#prefaceLeft > 0 ? this.#readPreface(bytes) : bytes;
    if (rest === undefined || rest.length === 0) return;
    this.#reader.push(rest, this.#onFrame, () => this.#fail(errorCodes.frameSize));
    if (this.#blocked && this.#out.length > maxUnread) this.#fail(errorCodes.enhanceYourCalm);
  };

  #readPreface(bytes: Buffer): Buffer | undefined {
    const take = Math.min(this.#prefaceLeft, bytes.length);
    const from = preface.length - this.#prefaceLeft;
    if (!bytes.subarray(0, take).equals(preface.subarray(from, from + take))) {
      this.#fail(errorCodes.protocol);
      return undefined;
    }
    this.#prefaceLeft -= take;
    return bytes.subarray(take);
  }

  /** False: the connection is over. */
  #frame(type: number, bits: number, id: number, payload: Buffer): boolean {
    const wrong = this.#outOfPlace(type, bits, id) ?? this.#take(type, bits, id, payload);
    if (wrong !== undefined) this.#fail(wrong);
    return !this.#closed;
  }

  /** The error of a frame that may not come now. */
  #outOfPlace(type: number, bits: number, id: number): number | undefined {
    if (this.#blockStream !== 0) return type === frameTypes.continuation && id === this.#blockStream ? undefined : errorCodes.protocol;
    if (type === frameTypes.continuation) return errorCodes.protocol;
    if (this.#settingsSeen) return undefined;
    return type === frameTypes.settings && (bits & flags.ack) === 0 ? undefined : errorCodes.protocol;
  }

  #take(type: number, bits: number, id: number, payload: Buffer): number | undefined {
    switch (type) {
      case frameTypes.data:
        return this.#takeData(bits, id, payload);
      case frameTypes.headers:
        return this.#takeHeaders(bits, id, payload);
      case frameTypes.continuation:
        return this.#takeContinuation(bits, payload);
      case frameTypes.priority:
        return this.#takePriority(id, payload);
      case frameTypes.reset:
        return this.#takeReset(id, payload);
      case frameTypes.settings:
        return this.#takeSettings(bits, id, payload);
      case frameTypes.pushPromise:
        return errorCodes.protocol;
      case frameTypes.ping:
        return this.#takePing(bits, id, payload);
      case frameTypes.goaway:
        return this.#takeGoaway(id, payload);
      case frameTypes.windowUpdate:
        return this.#takeWindowUpdate(id, payload);
      default:
        // Of an extension that we do not know (RFC 9113 5.5).
        return this.#drawIdle();
    }
  }

  #drawIdle(): number | undefined {
    return this.#idleFrames.draw(this.#options.now()) ? undefined : errorCodes.enhanceYourCalm;
  }

  /** Undefined: more padding than there is room. */
  #unpadded(bits: number, payload: Buffer): Buffer | undefined {
    if ((bits & flags.padded) === 0) return payload;
    const padding = payload[0] ?? payload.length;
    return padding < payload.length ? payload.subarray(1, payload.length - padding) : undefined;
  }

  #takeData(bits: number, id: number, payload: Buffer): number | undefined {
    if (id === 0) return errorCodes.protocol;
    const bytes = this.#unpadded(bits, payload);
    if (bytes === undefined) return errorCodes.protocol;
    this.#receiveWindow -= payload.length;
    if (this.#receiveWindow < 0) return errorCodes.flowControl;
    const ends = (bits & flags.endStream) !== 0;
    const stream = this.#streams.get(id);
    if (stream === undefined) return this.#strayData(id, payload.length);
    if (stream.remoteEnded) return this.#streamError(stream, errorCodes.streamClosed, payload.length);
    stream.receiveWindow -= payload.length;
    if (stream.receiveWindow < 0) return this.#streamError(stream, errorCodes.flowControl, payload.length);
    if (stream.expected !== undefined && !this.#isExpected(stream, bytes.length, ends))
      return this.#streamError(stream, errorCodes.protocol, payload.length);
    if (bytes.length === 0 && !ends && this.#drawIdle() !== undefined) return errorCodes.enhanceYourCalm;
    stream.received(bytes, payload.length);
    if (ends && !stream.closed) stream.receivedEnd();
    return undefined;
  }

  /** RFC 9113 8.1.1: a body that is not as long as was said. */
  #isExpected(stream: Http2Stream, bytes: number, ends: boolean): boolean {
    stream.expected = (stream.expected as number) - bytes;
    return ends ? stream.expected === 0 : stream.expected >= 0;
  }

  #strayData(id: number, counted: number): number | undefined {
    if (this.#isIdle(id)) return errorCodes.protocol;
    if (!this.#forgotten.has(id)) return errorCodes.streamClosed;
    this.#creditConnection(counted);
    return undefined;
  }

  #creditConnection(bytes: number): void {
    this.#uncredited += bytes;
    if (this.#uncredited < connectionWindow / 4) return;
    this.#out.windowUpdate(0, this.#uncredited);
    this.#receiveWindow += this.#uncredited;
    this.#uncredited = 0;
    this.#flushSoon();
  }

  /** Never used by either side. */
  #isIdle(id: number): boolean {
    const own = (id & 1) === (this.#options.role === "client" ? 1 : 0);
    return own ? id >= this.#nextLocal : id > this.#lastRemote;
  }

  #streamError(stream: Http2Stream, code: number, counted = 0): number | undefined {
    if (counted > 0) this.#creditConnection(counted);
    const { user } = stream;
    stream.reset(code);
    user?.onReset(code);
    return this.#drawReset();
  }

  #drawReset(): number | undefined {
    return this.#resets.draw(this.#options.now()) ? undefined : errorCodes.enhanceYourCalm;
  }

  #takeHeaders(bits: number, id: number, payload: Buffer): number | undefined {
    if (id === 0) return errorCodes.protocol;
    let block = this.#unpadded(bits, payload);
    if (block === undefined) return errorCodes.protocol;
    if ((bits & flags.priority) !== 0) {
      if (block.length < 5) return errorCodes.frameSize;
      if ((block.readUInt32BE(0) & 0x7fff_ffff) === id) return errorCodes.protocol;
      block = block.subarray(5);
    }
    const ends = (bits & flags.endStream) !== 0;
    if ((bits & flags.endHeaders) !== 0) return this.#takeBlock(id, block, ends);
    this.#blockStream = id;
    this.#blockEnds = ends;
    this.#blockBytes = block.length;
    this.#block = [Buffer.from(block)];
    return undefined;
  }

  #takeContinuation(bits: number, payload: Buffer): number | undefined {
    this.#block.push(Buffer.from(payload));
    this.#blockBytes += payload.length;
    if (this.#blockBytes > maxBlockBytes || this.#block.length > maxContinuations) return errorCodes.enhanceYourCalm;
    if ((bits & flags.endHeaders) === 0) return undefined;
    const id = this.#blockStream;
    const block = Buffer.concat(this.#block);
    this.#block = [];
    this.#blockStream = 0;
    return this.#takeBlock(id, block, this.#blockEnds);
  }

  #takeBlock(id: number, bytes: Buffer, ends: boolean): number | undefined {
    const block = this.#readBlock(bytes);
    if (block.kind === "malformed") return errorCodes.compression;
    const stream = this.#streams.get(id);
    if (stream !== undefined) return this.#takeLaterBlock(stream, block, ends);
    if (this.#forgotten.has(id)) return undefined;
    if (this.#options.role === "client") return this.#isIdle(id) ? errorCodes.protocol : errorCodes.streamClosed;
    if ((id & 1) === 0) return errorCodes.protocol;
    if (id <= this.#lastRemote) return errorCodes.streamClosed;
    return this.#open(id, block, ends);
  }

  #readBlock(bytes: Buffer): HeaderBlock {
    const last = this.#lastBlock;
    const { version } = this.#decoder;
    if (last !== undefined && last.version === version && last.bytes.equals(bytes)) return last.read;
    const read = this.#decoder.decode(bytes);
    if (version === this.#decoder.version) this.#lastBlock = { bytes: Buffer.from(bytes), version, read };
    return read;
  }

  #open(id: number, block: HeaderBlock, ends: boolean): number | undefined {
    this.#lastRemote = id;
    if (this.#goingAway || this.#streams.size >= this.#options.maxStreams) {
      this.#resetById(id, errorCodes.refusedStream);
      return this.#drawReset();
    }
    const stream = new Http2Stream(this, id, { send: this.#initialSendWindow, receive: streamWindow });
    this.#streams.set(id, stream);
    const user = this.#options.onRequest?.(stream, block, ends);
    if (stream.closed) return undefined;
    stream.user = user;
    if (ends) stream.receivedEnd();
    return undefined;
  }

  /** An answer, or trailers. */
  #takeLaterBlock(stream: Http2Stream, block: HeaderBlock, ends: boolean): number | undefined {
    if (stream.remoteEnded) return this.#streamError(stream, errorCodes.streamClosed);
    // Trailers end a request (RFC 9113 8.1), and a body that is shorter than was said is none.
    const unfit = this.#options.role === "server" && !ends;
    const short = ends && stream.expected !== undefined && stream.expected > 0 && this.#options.role === "server";
    if (unfit || short || block.kind !== "headers" || (this.#options.role === "server" && !areTrailers(block.fields)))
      return this.#streamError(stream, errorCodes.protocol);
    stream.user?.onHeaders(block.fields);
    if (ends && !stream.closed) stream.receivedEnd();
    return undefined;
  }

  #takePriority(id: number, payload: Buffer): number | undefined {
    if (id === 0) return errorCodes.protocol;
    if (payload.length !== 5) return this.#errorOf(id, errorCodes.frameSize);
    if ((payload.readUInt32BE(0) & 0x7fff_ffff) === id) return this.#errorOf(id, errorCodes.protocol);
    return this.#drawIdle();
  }

  #errorOf(id: number, code: number): number | undefined {
    const stream = this.#streams.get(id);
    if (stream !== undefined) return this.#streamError(stream, code);
    this.#resetById(id, code);
    return this.#drawReset();
  }

  #takeReset(id: number, payload: Buffer): number | undefined {
    if (payload.length !== 4) return errorCodes.frameSize;
    if (id === 0 || this.#isIdle(id)) return errorCodes.protocol;
    const stream = this.#streams.get(id);
    if (stream === undefined) return this.#drawIdle();
    stream.broken(payload.readUInt32BE(0));
    this.#remove(stream);
    return this.#options.role === "server" ? this.#drawReset() : undefined;
  }

  #takeSettings(bits: number, id: number, payload: Buffer): number | undefined {
    if (id !== 0) return errorCodes.protocol;
    if ((bits & flags.ack) !== 0) return payload.length === 0 ? undefined : errorCodes.frameSize;
    if (payload.length % 6 !== 0) return errorCodes.frameSize;
    this.#settingsSeen = true;
    for (let at = 0; at < payload.length; at += 6) {
      const wrong = this.#takeSetting(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
      if (wrong !== undefined) return wrong;
    }
    this.#out.settingsAck();
    this.#flushSoon();
    this.#openSome();
    this.#pumpAll();
    return this.#drawIdle();
  }

  #takeSetting(id: number, value: number): number | undefined {
    switch (id) {
      case settings.enablePush:
        return value > 1 || (this.#options.role === "client" && value === 1) ? errorCodes.protocol : undefined;
      case settings.maxConcurrentStreams:
        this.#peerStreams = value;
        return undefined;
      case settings.initialWindowSize:
        return this.#takeInitialWindow(value);
      case settings.maxFrameSize:
        if (value < frameBytes || value > 0xff_ffff) return errorCodes.protocol;
        this.#peerFrameBytes = value;
        return undefined;
      default:
        // The size of its table does not matter: we put nothing in. Unknown ones mean nothing (6.5.2).
        return undefined;
    }
  }

  /** Streams that there are get the difference (6.9.2), which may leave them with less than nothing. */
  #takeInitialWindow(value: number): number | undefined {
    if (value > maxWindow) return errorCodes.flowControl;
    const more = value - this.#initialSendWindow;
    this.#initialSendWindow = value;
    for (const stream of this.#streams.values()) {
      stream.sendWindow += more;
      if (stream.sendWindow > maxWindow) return errorCodes.flowControl;
    }
    return undefined;
  }

  #takePing(bits: number, id: number, payload: Buffer): number | undefined {
    if (id !== 0) return errorCodes.protocol;
    if (payload.length !== 8) return errorCodes.frameSize;
    if ((bits & flags.ack) !== 0) return undefined;
    this.#out.pingAck(payload);
    this.#flushSoon();
    return undefined;
  }

  #takeGoaway(id: number, payload: Buffer): number | undefined {
    if (id !== 0) return errorCodes.protocol;
    if (payload.length < 8) return errorCodes.frameSize;
    if (this.#options.role === "server") return undefined;
    const last = payload.readUInt32BE(0) & 0x7fff_ffff;
    this.#goingAway = true;
    this.#options.onGoaway?.();
    // The server has not looked at these, and will not.
    const unseen = [...this.#streams.values()].filter(({ id }) => id > last);
    for (const { stream } of this.#openings.splice(0)) stream.broken(errorCodes.refusedStream);
    for (const stream of unseen) {
      stream.broken(errorCodes.refusedStream);
      this.#remove(stream);
    }
    this.#endIfIdle();
    return undefined;
  }

  #takeWindowUpdate(id: number, payload: Buffer): number | undefined {
    if (payload.length !== 4) return errorCodes.frameSize;
    const more = payload.readUInt32BE(0) & 0x7fff_ffff;
    if (id === 0) {
      this.#sendWindow += more;
      if (more === 0) return errorCodes.protocol;
      if (this.#sendWindow > maxWindow) return errorCodes.flowControl;
      this.#pumpAll();
      return undefined;
    }
    if (this.#isIdle(id)) return errorCodes.protocol;
    const stream = this.#streams.get(id);
    if (stream === undefined) return undefined;
    stream.sendWindow += more;
    if (more === 0) return this.#streamError(stream, errorCodes.protocol);
    if (stream.sendWindow > maxWindow) return this.#streamError(stream, errorCodes.flowControl);
    while (!this.#blocked && !stream.idle && this.#pump(stream));
    return undefined;
  }

  // The end.

  /** A connection error (RFC 9113 5.4.1). */
  #fail(code: number): void {
    if (this.#closed) return;
    this.#out.goaway(this.#lastRemote, code);
    this.#finish(code);
  }

  /** What was written still leaves. */
  #finish(code: number = errorCodes.internal): void {
    this.#flush();
    this.#over(code);
    // Not destroyed at once: bytes on their way to us would be answered with a reset, which takes our last words from the other side.
    this.#socket.end();
    this.#options.onEnding?.();
  }

  readonly #onEnd = () => {
    // In HTTP/2 the end of one side is the end of both.
    this.#finish(errorCodes.cancel);
  };

  readonly #onClose = () => {
    this.#over(errorCodes.internal);
    this.#options.onClosed();
  };

  #over(code: number): void {
    if (this.#closed) return;
    this.#closed = true;
    const all = [...this.#streams.values(), ...this.#openings.map(({ stream }) => stream)];
    this.#streams.clear();
    this.#openings.length = 0;
    this.#waiting.clear();
    for (const stream of all) stream.broken(code);
  }
}

const noBytes = Buffer.alloc(0);

/** RFC 9113 8.1, 8.2.1: no pseudo-header fields, names in lower case. */
function areTrailers(fields: readonly HeaderField[]): boolean {
  return fields.every(({ name }) => !/^:|[A-Z]/.test(name));
}

function noticedAtClose(): void {
  // An error is always followed by `close`; without a listener it would end the process.
}
