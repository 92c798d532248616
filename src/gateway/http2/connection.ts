/**
 * A connection of HTTP/2 (RFC 9113), either end of it, on any stream socket: what each frame means. Strict: what the RFC calls a
 * connection error ends it, what it calls a stream error ends the stream. Bounded: streams, header blocks, what waits to be written,
 * and what costs the other side nothing to send again and again. Priorities mean nothing (5.3.2); nothing is ever pushed.
 */
import type { StreamSocket } from "../../net/stream-socket.ts";
import { defaultWindow, errorCodes, flags, frameTypes, maxWindow, preface, settings } from "./codes.ts";
import { Allowance } from "./floods.ts";
import { FrameReader } from "./frame-reader.ts";
import { HeaderBlocks, type BlockResult } from "./header-blocks.ts";
import type { HeaderBlock, HeaderLimits } from "./hpack-decoder.ts";
import type { HeaderField } from "./hpack-table.ts";
import { Output } from "./output.ts";
import { readSettings } from "./peer-settings.ts";
import { StreamTable, streamWindow } from "./stream-table.ts";
import type { Http2Stream, StreamOwner, StreamUser } from "./stream.ts";

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

/** Of all streams together: what may be under way to consumers that do not read. */
const connectionWindow = 1 << 22;
/** Answers to pings and the like that wait for a client that does not read. */
const maxUnread = 1 << 16;
const resets = { most: 200, perSecond: 33 };
const idleFrames = { most: 1000, perSecond: 100 };

/** The code of a connection error; undefined: all is well. */
type Fault = number | undefined;

export class Http2Connection implements StreamOwner {
  readonly #options: ConnectionOptions;
  readonly #socket: StreamSocket;
  readonly #isServer: boolean;
  readonly #reader = new FrameReader();
  readonly #blocks: HeaderBlocks;
  readonly #streams: StreamTable;
  readonly #out: Output;
  readonly #resets: Allowance;
  readonly #idleFrames: Allowance;
  readonly #onFrame = (type: number, bits: number, id: number, payload: Buffer) => this.#frame(type, bits, id, payload);
  #prefaceLeft: number;
  #settingsSeen = false;
  #receiveWindow = connectionWindow;
  /** Read and not told to the other side yet. */
  #uncredited = 0;
  #goingAway = false;
  #closed = false;

  constructor(options: ConnectionOptions) {
    const { socket, role, headerLimits, soon, now } = options;
    this.#options = options;
    this.#socket = socket;
    this.#isServer = role === "server";
    this.#blocks = new HeaderBlocks(headerLimits);
    this.#streams = new StreamTable(this, role);
    this.#out = new Output(socket, soon);
    this.#prefaceLeft = this.#isServer ? preface.length : 0;
    this.#resets = new Allowance(resets, now());
    this.#idleFrames = new Allowance(idleFrames, now());
    this.#greet();
    socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
    socket.on("drain", this.#onDrain);
    socket.on("error", noticedAtClose);
    socket.on("close", this.#onClose);
    socket.resume();
  }

  #greet(): void {
    const { maxStreams, headerLimits } = this.#options;
    const { frames } = this.#out;
    if (!this.#isServer) frames.raw(preface);
    frames.settings([
      this.#isServer ? [settings.maxConcurrentStreams, maxStreams] : [settings.enablePush, 0],
      [settings.initialWindowSize, streamWindow],
      [settings.maxHeaderListSize, headerLimits.bytes],
    ]);
    frames.windowUpdate(0, connectionWindow - defaultWindow);
    this.#out.flushSoon();
  }

  /** Requests under way. */
  get streams(): number {
    return this.#streams.size + this.#streams.waiting;
  }

  /** No further request can be made. */
  get closed(): boolean {
    return this.#closed || this.#goingAway;
  }

  /** We have said our last. */
  get isOver(): boolean {
    return this.#closed;
  }

  /** A header block has begun and not ended. */
  get midBlock(): boolean {
    return this.#blocks.stream !== 0 || this.#prefaceLeft > 0;
  }

  /** Something waits for the other side to read. */
  get stalled(): boolean {
    return this.#out.stalled;
  }

  /** Bytes that were read from the socket before. */
  read(bytes: Buffer): void {
    this.#onData(bytes);
  }

  /** Client: a request; `parts` of its header block. It waits while the server takes no further one. */
  request(parts: readonly Uint8Array[], user: StreamUser): Http2Stream {
    const stream = this.#streams.prepare(parts, user);
    this.#openSome();
    return stream;
  }

  #openSome(): void {
    if (this.closed) return;
    for (let next = this.#streams.openNext(); next !== undefined; next = this.#streams.openNext()) {
      this.sendHeaders(next.stream, next.parts, false);
      this.#out.pump(next.stream);
    }
  }

  /** No further stream; ends when those that there are have ended. */
  goAway(): void {
    if (this.closed) return;
    this.#goingAway = true;
    this.#out.frames.goaway(this.#streams.lastRemote, errorCodes.none);
    this.#out.flushSoon();
    this.#endIfIdle();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  // What streams ask for.

  sendHeaders(stream: Http2Stream, parts: readonly Uint8Array[], endStream: boolean): void {
    this.#out.frames.headers(stream.id, parts, endStream);
    this.#out.flushSoon();
  }

  sendData(stream: Http2Stream, bytes: Buffer): number {
    return this.#out.data(stream, bytes);
  }

  sendEnd(stream: Http2Stream): void {
    this.#out.end(stream);
  }

  sendReset(stream: Http2Stream, code: number): void {
    this.#remove(stream);
    if (stream.id !== 0 && !this.#closed) this.#resetById(stream.id, code);
  }

  #resetById(id: number, code: number): void {
    this.#streams.forget(id);
    this.#out.frames.reset(id, code);
    this.#out.flushSoon();
  }

  waits(stream: Http2Stream): void {
    this.#out.waits(stream);
  }

  credit(stream: Http2Stream, bytes: number): void {
    if (this.#closed) return;
    this.#creditConnection(bytes);
    if (stream.closed || stream.remoteEnded) return;
    stream.uncredited += bytes;
    if (stream.uncredited < streamWindow / 4) return;
    this.#out.frames.windowUpdate(stream.id, stream.uncredited);
    stream.receiveWindow += stream.uncredited;
    stream.uncredited = 0;
    this.#out.flushSoon();
  }

  #creditConnection(bytes: number): void {
    this.#uncredited += bytes;
    if (this.#uncredited < connectionWindow / 4) return;
    this.#out.frames.windowUpdate(0, this.#uncredited);
    this.#receiveWindow += this.#uncredited;
    this.#uncredited = 0;
    this.#out.flushSoon();
  }

  ended(stream: Http2Stream): void {
    this.#remove(stream);
  }

  #remove(stream: Http2Stream): void {
    this.#streams.remove(stream);
    this.#out.forget(stream);
    this.#openSome();
    this.#endIfIdle();
  }

  #endIfIdle(): void {
    if (this.#goingAway && this.streams === 0 && !this.#closed) this.#finish();
  }

  // Reading.

  readonly #onDrain = () => this.#out.drained();

  readonly #onData = (bytes: Buffer) => {
    if (this.#closed) return;
    this.#options.onActive?.();
    const rest = this.#prefaceLeft > 0 ? this.#readPreface(bytes) : bytes;
    if (rest === undefined || rest.length === 0) return;
    this.#reader.push(rest, this.#onFrame, () => this.#fail(errorCodes.frameSize));
    if (this.#out.unread > maxUnread) this.#fail(errorCodes.enhanceYourCalm);
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

  /** A frame that may not come now. */
  #outOfPlace(type: number, bits: number, id: number): Fault {
    const { stream } = this.#blocks;
    if (stream !== 0) return type === frameTypes.continuation && id === stream ? undefined : errorCodes.protocol;
    if (type === frameTypes.continuation) return errorCodes.protocol;
    if (this.#settingsSeen) return undefined;
    return type === frameTypes.settings && (bits & flags.ack) === 0 ? undefined : errorCodes.protocol;
  }

  #take(type: number, bits: number, id: number, payload: Buffer): Fault {
    switch (type) {
      case frameTypes.data:
        return this.#takeData(bits, id, payload);
      case frameTypes.headers:
        return this.#takeHeaders(bits, id, payload);
      case frameTypes.continuation:
        return this.#takeBlock(id, this.#blocks.goOn(bits, payload));
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

  #drawIdle(): Fault {
    return this.#idleFrames.draw(this.#options.now()) ? undefined : errorCodes.enhanceYourCalm;
  }

  /** Undefined: more padding than there is room. */
  #unpadded(bits: number, payload: Buffer): Buffer | undefined {
    if ((bits & flags.padded) === 0) return payload;
    const padding = payload[0] ?? payload.length;
    return padding < payload.length ? payload.subarray(1, payload.length - padding) : undefined;
  }

  #takeData(bits: number, id: number, payload: Buffer): Fault {
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

  #strayData(id: number, counted: number): Fault {
    if (this.#streams.isIdle(id)) return errorCodes.protocol;
    if (!this.#streams.isForgotten(id)) return errorCodes.streamClosed;
    this.#creditConnection(counted);
    return undefined;
  }

  #streamError(stream: Http2Stream, code: number, counted = 0): Fault {
    if (counted > 0) this.#creditConnection(counted);
    const { user } = stream;
    stream.reset(code);
    user?.onReset(code);
    return this.#drawReset();
  }

  #drawReset(): Fault {
    return this.#resets.draw(this.#options.now()) ? undefined : errorCodes.enhanceYourCalm;
  }

  #takeHeaders(bits: number, id: number, payload: Buffer): Fault {
    if (id === 0) return errorCodes.protocol;
    const block = this.#unpadded(bits, payload);
    return block === undefined ? errorCodes.protocol : this.#takeBlock(id, this.#blocks.begin(id, bits, block));
  }

  #takeBlock(id: number, result: BlockResult): Fault {
    if (typeof result !== "object") return result;
    const { block, endStream } = result;
    const stream = this.#streams.get(id);
    if (stream !== undefined) return this.#takeLaterBlock(stream, block, endStream);
    if (this.#streams.isForgotten(id)) return undefined;
    if (!this.#isServer) return this.#streams.isIdle(id) ? errorCodes.protocol : errorCodes.streamClosed;
    if ((id & 1) === 0) return errorCodes.protocol;
    return this.#streams.isIdle(id) ? this.#open(id, block, endStream) : errorCodes.streamClosed;
  }

  #open(id: number, block: HeaderBlock, endStream: boolean): Fault {
    this.#streams.lastRemote = id;
    if (this.#goingAway || this.#streams.size >= this.#options.maxStreams) {
      this.#resetById(id, errorCodes.refusedStream);
      return this.#drawReset();
    }
    const stream = this.#streams.accept(id);
    const user = this.#options.onRequest?.(stream, block, endStream);
    if (stream.closed) return undefined;
    stream.user = user;
    if (endStream) stream.receivedEnd();
    return undefined;
  }

  /** An answer, or trailers. */
  #takeLaterBlock(stream: Http2Stream, block: HeaderBlock, endStream: boolean): Fault {
    if (stream.remoteEnded) return this.#streamError(stream, errorCodes.streamClosed);
    if (block.kind !== "headers") return this.#streamError(stream, errorCodes.protocol);
    if (this.#isServer && !this.#mayEndRequest(stream, block.fields, endStream)) return this.#streamError(stream, errorCodes.protocol);
    stream.user?.onHeaders(block.fields);
    if (endStream && !stream.closed) stream.receivedEnd();
    return undefined;
  }

  /** Trailers end a request (RFC 9113 8.1), and a body that is shorter than was said is none. */
  #mayEndRequest({ expected = 0 }: Http2Stream, fields: readonly HeaderField[], endStream: boolean): boolean {
    return endStream && expected === 0 && areTrailers(fields);
  }

  #takePriority(id: number, payload: Buffer): Fault {
    if (id === 0) return errorCodes.protocol;
    if (payload.length !== 5) return this.#errorOf(id, errorCodes.frameSize);
    if ((payload.readUInt32BE(0) & 0x7fff_ffff) === id) return this.#errorOf(id, errorCodes.protocol);
    return this.#drawIdle();
  }

  #errorOf(id: number, code: number): Fault {
    const stream = this.#streams.get(id);
    if (stream !== undefined) return this.#streamError(stream, code);
    this.#resetById(id, code);
    return this.#drawReset();
  }

  #takeReset(id: number, payload: Buffer): Fault {
    if (payload.length !== 4) return errorCodes.frameSize;
    if (id === 0 || this.#streams.isIdle(id)) return errorCodes.protocol;
    const stream = this.#streams.get(id);
    if (stream === undefined) return this.#drawIdle();
    stream.broken(payload.readUInt32BE(0));
    this.#remove(stream);
    return this.#isServer ? this.#drawReset() : undefined;
  }

  #takeSettings(bits: number, id: number, payload: Buffer): Fault {
    if (id !== 0) return errorCodes.protocol;
    if ((bits & flags.ack) !== 0) return payload.length === 0 ? undefined : errorCodes.frameSize;
    const read = readSettings(payload, this.#isServer ? "client" : "server");
    if (typeof read === "number") return read;
    this.#settingsSeen = true;
    const { maxConcurrentStreams, initialWindowSize, maxFrameSize } = read;
    if (maxConcurrentStreams !== undefined) this.#streams.peerStreams = maxConcurrentStreams;
    if (maxFrameSize !== undefined) this.#out.peerFrameBytes = maxFrameSize;
    if (initialWindowSize !== undefined && !this.#streams.setSendWindow(initialWindowSize)) return errorCodes.flowControl;
    this.#out.frames.settingsAck();
    this.#out.flushSoon();
    this.#openSome();
    this.#out.pumpAll();
    return this.#drawIdle();
  }

  #takePing(bits: number, id: number, payload: Buffer): Fault {
    if (id !== 0) return errorCodes.protocol;
    if (payload.length !== 8) return errorCodes.frameSize;
    if ((bits & flags.ack) !== 0) return undefined;
    this.#out.frames.pingAck(payload);
    this.#out.flushSoon();
    return undefined;
  }

  #takeGoaway(id: number, payload: Buffer): Fault {
    if (id !== 0) return errorCodes.protocol;
    if (payload.length < 8) return errorCodes.frameSize;
    if (this.#isServer) return undefined;
    this.#goingAway = true;
    this.#options.onGoaway?.();
    // The server has not looked at these, and will not.
    for (const stream of this.#streams.takeBeyond(payload.readUInt32BE(0) & 0x7fff_ffff)) {
      this.#out.forget(stream);
      stream.broken(errorCodes.refusedStream);
    }
    this.#endIfIdle();
    return undefined;
  }

  #takeWindowUpdate(id: number, payload: Buffer): Fault {
    if (payload.length !== 4) return errorCodes.frameSize;
    const more = payload.readUInt32BE(0) & 0x7fff_ffff;
    if (id === 0) return this.#widen(more);
    if (this.#streams.isIdle(id)) return errorCodes.protocol;
    const stream = this.#streams.get(id);
    if (stream === undefined) return undefined;
    stream.sendWindow += more;
    if (more === 0) return this.#streamError(stream, errorCodes.protocol);
    if (stream.sendWindow > maxWindow) return this.#streamError(stream, errorCodes.flowControl);
    this.#out.pump(stream);
    return undefined;
  }

  #widen(more: number): Fault {
    this.#out.window += more;
    if (more === 0) return errorCodes.protocol;
    if (this.#out.window > maxWindow) return errorCodes.flowControl;
    this.#out.pumpAll();
    return undefined;
  }

  // The end.

  /** A connection error (RFC 9113 5.4.1). */
  #fail(code: number): void {
    if (this.#closed) return;
    this.#out.frames.goaway(this.#streams.lastRemote, code);
    this.#finish(code);
  }

  /** What was written still leaves. */
  #finish(code: number = errorCodes.internal): void {
    this.#out.flush();
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
    for (const stream of this.#streams.takeAll()) {
      this.#out.forget(stream);
      stream.broken(code);
    }
  }
}

/** RFC 9113 8.1, 8.2.1: no pseudo-header fields, names in lower case. */
function areTrailers(fields: readonly HeaderField[]): boolean {
  return fields.every(({ name }) => !/^:|[A-Z]/.test(name));
}

function noticedAtClose(): void {
  // An error is always followed by `close`; without a listener it would end the process.
}
