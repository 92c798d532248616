/**
 * One connection of DNS over TCP or TLS: messages with their length in front, several under way at once, answered as they are
 * ready (RFC 7766 6.2). A client that stalls, dribbles or does not read is bounded in time and memory.
 */
import type { Socket } from "node:net";
import type { ClientAddress, ListenSettings } from "../plugin.ts";
import type { Answer } from "./answer.ts";
import { defaultIdleMs, defaultReadMs, ignore, type AnswerPacket } from "./listener.ts";

/** Questions of one connection that wait at once; beyond it reading stops. */
const maxPipelined = 64;
/** Answers that a client does not take: beyond it none of its questions are read. */
const maxUnsentBytes = 256 * 1024;

export class StreamConnection {
  readonly #socket: Socket;
  readonly #client: ClientAddress;
  readonly #answer: AnswerPacket;
  readonly #readMs: number;
  #received: Buffer;
  #waiting = 0;
  #left: number;
  /** Runs while a message has begun and is not whole: bytes that trickle in do not prolong it. */
  #reading: NodeJS.Timeout | undefined;

  /** `begun`: bytes that were read already. */
  constructor(socket: Socket, client: ClientAddress, answer: AnswerPacket, settings: ListenSettings, begun: Buffer = Buffer.alloc(0)) {
    this.#socket = socket;
    this.#client = client;
    this.#answer = answer;
    this.#readMs = settings.readMs ?? defaultReadMs;
    this.#received = begun;
    const queries = settings.maxTcpQueries ?? -1;
    this.#left = queries < 0 ? Number.POSITIVE_INFINITY : queries;
    socket.setTimeout(settings.idleMs ?? defaultIdleMs, () => socket.destroy());
    socket.on("error", ignore);
    socket.on("close", () => clearTimeout(this.#reading));
    socket.on("drain", () => {
      socket.resume();
      this.#take();
    });
    socket.on("data", (chunk: Buffer) => {
      this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
      this.#take();
    });
    if (begun.length > 0) this.#take();
  }

  #take(): void {
    const socket = this.#socket;
    while (this.#received.length >= 2 && this.#waiting < maxPipelined && socket.writableLength < maxUnsentBytes) {
      const length = this.#received.readUInt16BE(0);
      if (this.#received.length < 2 + length) break;
      const packet = this.#received.subarray(2, 2 + length);
      this.#received = this.#received.subarray(2 + length);
      if (--this.#left < 0) return void socket.destroy();
      this.#waiting++;
      Promise.resolve(this.#answer(packet, this.#client)).then(
        (bytes) => this.#send(bytes),
        () => socket.destroy(),
      );
    }
    if (this.#waiting >= maxPipelined || socket.writableLength >= maxUnsentBytes) socket.pause();
    this.#watch();
  }

  #watch(): void {
    if (this.#received.length === 0 || this.#socket.isPaused()) {
      clearTimeout(this.#reading);
      this.#reading = undefined;
    } else this.#reading ??= setTimeout(() => this.#socket.destroy(), this.#readMs).unref();
  }

  #send(bytes: Answer): void {
    this.#waiting--;
    const socket = this.#socket;
    if (bytes !== undefined && !socket.destroyed)
      for (const one of bytes instanceof Uint8Array ? [bytes] : bytes) socket.write(framed(one));
    if (socket.isPaused() && socket.writableLength < maxUnsentBytes) socket.resume();
    clearTimeout(this.#reading);
    this.#reading = undefined;
    this.#take();
  }
}

function framed(bytes: Uint8Array): Buffer {
  const whole = Buffer.allocUnsafe(bytes.length + 2);
  whole.writeUInt16BE(bytes.length);
  whole.set(bytes, 2);
  return whole;
}
