/**
 * The server's side of one SPDY/3.1 connection over any byte stream: a connection that was upgraded, or a WebSocket that carries it
 * (KEP-4006). Each stream is a Node Duplex. SPDY's windows are not kept: no client of Kubernetes' sends WINDOW_UPDATE
 * (moby/spdystream), so who reads slowly slows the whole connection down.
 */
import { Duplex } from "node:stream";
import { errorMessage } from "../../../lib/errors.ts";
import {
  encodeData,
  encodeGoAway,
  encodePing,
  encodeRstStream,
  encodeSynReply,
  FrameReader,
  type Frame,
  type FrameFault,
} from "./frames.ts";
import { HeaderCompressor, HeaderDecompressor, type Headers } from "./header-block.ts";

export interface SpdyOptions {
  readonly transport: Duplex;
  /** A stream of the client's. Destroying it refuses it. */
  readonly onStream: (stream: SpdyStream) => void;
  readonly maxStreams?: number;
  readonly onFault?: (message: string) => void;
}

const status = { protocolError: 1, refused: 3, cancel: 5, streamClosed: 9 } as const;
const defaultMaxStreams = 1000;

export class SpdyConnection {
  readonly #options: SpdyOptions;
  readonly #streams = new Map<number, SpdyStream>();
  readonly #reader = new FrameReader();
  readonly #compressor = new HeaderCompressor();
  readonly #decompressor = new HeaderDecompressor();
  readonly #held = new Set<SpdyStream>();
  #taken: Promise<void> = Promise.resolve();
  #lastStream = 0;
  #closed = false;
  /** Settles when the transport is gone, whoever ended it. */
  readonly closed: Promise<void>;

  constructor(options: SpdyOptions) {
    this.#options = options;
    const { transport } = options;
    this.closed = new Promise((resolve) => {
      transport.once("close", () => {
        this.#release();
        resolve();
      });
    });
    transport.on("error", () => transport.destroy());
    transport.once("end", () => transport.destroy());
    // Listened to rather than iterated over: a connection that was upgraded under an HTTP parser gives no `readable` any more.
    transport.on("data", (chunk: Buffer) => void this.#take(chunk));
    transport.resume();
  }

  /** One chunk after the other: the next comes when the streams have taken this one. */
  async #take(chunk: Buffer): Promise<void> {
    const { transport, onFault } = this.#options;
    transport.pause();
    try {
      await (this.#taken = this.#taken.then(() => this.#receiveAll(chunk)));
      transport.resume();
    } catch (error) {
      if (!this.#closed) onFault?.(errorMessage(error));
      transport.destroy();
    }
  }

  async #receiveAll(chunk: Buffer): Promise<void> {
    for (const frame of this.#reader.read(chunk)) {
      if (this.#closed) return;
      await this.#receive(frame);
    }
  }

  async #receive(frame: Frame | FrameFault): Promise<void> {
    switch (frame.kind) {
      case "fault":
        throw new Error(frame.message);
      case "syn-stream":
        return this.#open(frame.stream, await this.#decompressor.decompress(frame.block), frame.fin);
      case "headers":
      case "syn-reply":
        // Read for the sake of the compression's state; no client opens streams with us as their peer.
        await this.#decompressor.decompress(frame.block);
        return;
      case "data":
        return this.#deliver(frame.stream, frame.data, frame.fin);
      case "rst-stream":
        this.#streams.get(frame.stream)?.receiveReset();
        return;
      case "ping":
        // Even numbers are answers to pings of ours, of which there are none.
        if (frame.id % 2 === 1) this.write(encodePing(frame.id));
        return;
      case "goaway":
      case "other":
        return;
      default:
        return frame satisfies never;
    }
  }

  #open(id: number, headers: Headers, fin: boolean): void {
    if (id % 2 === 0 || id <= this.#lastStream) throw new Error(`stream ${id} after ${this.#lastStream}`);
    this.#lastStream = id;
    if (this.#streams.size >= (this.#options.maxStreams ?? defaultMaxStreams)) return void this.write(encodeRstStream(id, status.refused));
    const stream = new SpdyStream(id, headers, this);
    this.#streams.set(id, stream);
    stream.once("close", () => this.#streams.delete(id));
    this.write(encodeSynReply(id, this.#compressor.compress({})));
    this.#options.onStream(stream);
    if (fin) stream.receiveEnd();
  }

  async #deliver(id: number, data: Buffer, fin: boolean): Promise<void> {
    const stream = this.#streams.get(id);
    // What still comes for a stream that has ended here is lost, as with any connection.
    if (stream === undefined) return;
    if (data.length > 0 && !stream.push(data)) await this.#drained(stream);
    if (fin) stream.receiveEnd();
  }

  #drained(stream: SpdyStream): Promise<void> {
    this.#held.add(stream);
    return new Promise((resolve) => {
      const done = () => {
        this.#held.delete(stream);
        stream.off("drained", done);
        stream.off("close", done);
        resolve();
      };
      stream.once("drained", done);
      stream.once("close", done);
    });
  }

  /** False: wait for `afterDrain`. */
  write(bytes: Buffer): boolean {
    const { transport } = this.#options;
    return transport.writable && transport.write(bytes);
  }

  /** Calls back when the transport takes more, or is gone. */
  afterDrain(callback: () => void): void {
    const { transport } = this.#options;
    if (!transport.writable || !transport.writableNeedDrain) return callback();
    const done = () => {
      transport.off("drain", done);
      transport.off("close", done);
      callback();
    };
    transport.once("drain", done);
    transport.once("close", done);
  }

  /** Says goodbye and ends the transport once everything written is out. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.write(encodeGoAway(this.#lastStream));
    this.#options.transport.end();
    this.#release();
  }

  #release(): void {
    this.#closed = true;
    this.#decompressor.close();
    for (const stream of this.#streams.values()) stream.destroy();
  }
}

/** Destroying a stream that has not ended both ways resets it. */
export class SpdyStream extends Duplex {
  readonly id: number;
  /** Names in lower case. */
  readonly headers: Headers;
  readonly #connection: SpdyConnection;
  #wasReset = false;

  constructor(id: number, headers: Headers, connection: SpdyConnection) {
    super({ allowHalfOpen: true, readableHighWaterMark: 256 * 1024 });
    this.id = id;
    this.headers = headers;
    this.#connection = connection;
  }

  receiveEnd(): void {
    if (!this.readableEnded) this.push(null);
  }

  receiveReset(): void {
    this.#wasReset = true;
    this.destroy();
  }

  override _read(): void {
    this.emit("drained");
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    if (this.#connection.write(encodeData(this.id, chunk))) callback();
    else this.#connection.afterDrain(callback);
  }

  override _final(callback: () => void): void {
    this.#connection.write(encodeData(this.id, Buffer.alloc(0), true));
    callback();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    if (!this.#wasReset && !(this.readableEnded && this.writableFinished)) this.#connection.write(encodeRstStream(this.id, status.cancel));
    callback(error);
  }
}
