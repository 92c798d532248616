/** Connections to one server over TCP or TLS: kept for the next question while they are young, one question at a time on each. */
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Clock } from "../../../lib/clock.ts";
import type { UpstreamTarget } from "./targets.ts";

export interface StreamOptions {
  readonly target: UpstreamTarget;
  readonly clock: Clock;
  /** A connection that was idle for longer is not used again, in ms. */
  readonly expireMs: number;
  /** A connection that is older is not used again; 0: however old. */
  readonly maxAgeMs: number;
  /** Idle connections that are kept; 0: any number. */
  readonly maxIdle: number;
  readonly sourceAddress: string | undefined;
  /** Called for each question: whether a kept connection served it. */
  readonly reused: (was: boolean) => void;
}

interface Kept {
  readonly socket: Socket;
  /** Monotonic ms. */
  readonly opened: number;
  readonly idleSince: number;
}

export class Streams {
  readonly #options: StreamOptions;
  readonly #idle: Kept[] = [];
  readonly #busy = new Set<Socket>();
  #stopped = false;

  constructor(options: StreamOptions) {
    this.#options = options;
  }

  /** The answer's bytes for which `take` says that they are the answer. A kept connection that turns out dead is replaced once. */
  async ask(query: Uint8Array, timeoutMs: number, take: (packet: Buffer) => boolean): Promise<void> {
    const kept = this.#pick();
    this.#options.reused(kept !== undefined);
    if (kept !== undefined) {
      try {
        return await this.#exchange(kept.socket, kept.opened, query, timeoutMs, take);
      } catch (error) {
        // The server may close what is idle at any time; a time-out is its answer all the same.
        if (error instanceof TimeoutError) throw error;
      }
    }
    return await this.#exchange(this.#open(), this.#options.clock.monotonic(), query, timeoutMs, take);
  }

  #pick(): Kept | undefined {
    const { clock, expireMs, maxAgeMs } = this.#options;
    const now = clock.monotonic();
    for (let kept = this.#idle.pop(); kept !== undefined; kept = this.#idle.pop()) {
      const old = maxAgeMs > 0 && now - kept.opened > maxAgeMs;
      if (!kept.socket.destroyed && now - kept.idleSince < expireMs && !old) return kept;
      kept.socket.destroy();
    }
    return undefined;
  }

  #open(): Socket {
    const { target, sourceAddress } = this.#options;
    const local = sourceAddress === undefined ? {} : { localAddress: sourceAddress };
    const { host, port, tls } = target;
    const socket =
      tls === undefined
        ? connect({ host, port, noDelay: true, ...local })
        : connectTls({ host, port, ...tls, ...local, ALPNProtocols: ["dot"] });
    socket.on("error", () => socket.destroy());
    return socket;
  }

  #exchange(socket: Socket, opened: number, query: Uint8Array, timeoutMs: number, take: (packet: Buffer) => boolean): Promise<void> {
    const { clock, target } = this.#options;
    this.#busy.add(socket);
    return new Promise((resolve, reject) => {
      let received = Buffer.alloc(0);
      const end = (error?: Error) => {
        timer.cancel();
        this.#busy.delete(socket);
        socket.off("data", data).off("close", closed).off("error", failed);
        if (error !== undefined) {
          socket.destroy();
          return reject(error);
        }
        this.#keep(socket, opened);
        resolve();
      };
      const closed = () => end(new Error(`${target.label} closed the connection without an answer`));
      const failed = (error: Error) => end(error);
      const data = (chunk: Buffer) => {
        received = Buffer.concat([received, chunk]);
        while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
          const size = received.readUInt16BE(0);
          const packet = received.subarray(2, 2 + size);
          received = received.subarray(2 + size);
          if (take(packet)) return end();
        }
      };
      const timer = clock.after(timeoutMs, () => end(new TimeoutError(`${target.label} did not answer within ${timeoutMs} ms`)));
      socket.on("data", data).on("close", closed).on("error", failed);
      const framed = Buffer.allocUnsafe(query.length + 2);
      framed.writeUInt16BE(query.length);
      framed.set(query, 2);
      socket.ref();
      socket.write(framed);
    });
  }

  #keep(socket: Socket, opened: number): void {
    const { clock, maxIdle } = this.#options;
    if (this.#stopped || socket.destroyed || (maxIdle > 0 && this.#idle.length >= maxIdle)) return void socket.destroy();
    socket.unref();
    this.#idle.push({ socket, opened, idleSince: clock.monotonic() });
  }

  stop(): void {
    this.#stopped = true;
    for (const { socket } of this.#idle.splice(0)) socket.destroy();
    for (const socket of this.#busy) socket.destroy();
  }
}

export class TimeoutError extends Error {}
