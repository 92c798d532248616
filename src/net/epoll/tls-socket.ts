/**
 * TLS over a socket of the event loop, by OpenSSL on memory: what comes is fed to the session, what the session has for the other side
 * is sent. A `StreamSocket` like the one below it, so that whatever runs on one runs on both.
 */
import type { HandshakeHooks, Openssl, TlsContext, TlsSession } from "../../host/syscalls/openssl.ts";
import type { StreamSocket } from "../stream-socket.ts";
import type { EventLoop } from "./event-loop.ts";
import { SocketEvents } from "./socket-events.ts";
import { RecordEdges } from "./tls-records.ts";

export interface TlsSocketOptions {
  readonly loop: EventLoop;
  readonly openssl: Openssl;
  /** Connected and paused; belongs to this socket from here on. */
  readonly below: StreamSocket;
  readonly context: TlsContext;
  readonly role: "server" | "client";
  /** Server: what is picked by what a client asks for. */
  readonly hooks?: HandshakeHooks;
  /** Client. */
  readonly asks?: { readonly serverName: string | undefined; readonly protocols: readonly string[] };
  readonly timeoutMs: number;
  /** Once: the socket is paused, and its handshake done or failed (then it is destroyed). */
  readonly done: (secured: boolean) => void;
}

/** What sessions write into and read from: one at a time, for the length of a call. A whole turn's reading fits with what TLS adds. */
const cipherBytes = 81_920;
const plainBytes = 65_536;

interface Buffers {
  readonly cipher: Buffer;
  readonly plain: Buffer;
}

const buffersOf = new WeakMap<EventLoop, Buffers>();

function buffersFor(loop: EventLoop): Buffers {
  let buffers = buffersOf.get(loop);
  if (buffers === undefined)
    buffersOf.set(loop, (buffers = { cipher: Buffer.allocUnsafeSlow(cipherBytes), plain: Buffer.allocUnsafeSlow(plainBytes) }));
  return buffers;
}

export class TlsSocket extends SocketEvents implements StreamSocket {
  readonly #options: TlsSocketOptions;
  readonly #below: StreamSocket;
  readonly #buffers: Buffers;
  readonly #edges = new RecordEdges();
  #session: TlsSession | undefined;
  #timer: { cancel(): void } | undefined;
  #handshaking = true;
  #flowing = false;
  /** There may be decrypted bytes that nobody was given yet. */
  #more = false;
  #reading = false;
  #deferred = false;
  #belowEnded = false;
  #again: Buffer | undefined;
  #corked: Buffer[] | undefined;
  #writeEnded = false;
  readableEnded = false;
  destroyed = false;
  readonly writableLength = 0;

  constructor(options: TlsSocketOptions) {
    super();
    const { loop, openssl, context, role, below, asks, timeoutMs } = options;
    this.#options = options;
    this.#below = below;
    this.#buffers = buffersFor(loop);
    this.#session = openssl.newSession(context, role);
    if (asks !== undefined) openssl.ask(this.#session, asks.serverName, asks.protocols);
    this.#timer = loop.clock.after(timeoutMs, () => this.#handshakeOver(false));
    this.on("error", noticedAtClose);
    below.on("data", this.#onData);
    below.on("end", this.#onEnd);
    below.on("drain", this.#onDrain);
    below.on("error", this.#onError);
    below.on("close", this.#onClose);
    below.resume();
    if (role === "client") this.#handshake();
  }

  get remoteAddress(): string | undefined {
    return this.#below.remoteAddress;
  }

  get remotePort(): number | undefined {
    return this.#below.remotePort;
  }

  /** Lower case; "": none. */
  get serverName(): string {
    return this.#session === undefined ? "" : this.#options.openssl.serverName(this.#session);
  }

  get protocol(): string | undefined {
    return this.#session === undefined ? undefined : this.#options.openssl.protocol(this.#session);
  }

  /** DER. */
  get peerCertificate(): Buffer | undefined {
    return this.#session === undefined ? undefined : this.#options.openssl.peerCertificate(this.#session);
  }

  // The handshake.

  #handshake(): void {
    const session = this.#session;
    if (session === undefined) return;
    const result = this.#options.openssl.handshake(session, this.#options.hooks);
    this.#sendWhatIsToGo();
    if (result !== "more") this.#handshakeOver(result === "done");
  }

  #handshakeOver(secured: boolean): void {
    if (!this.#handshaking) return;
    this.#handshaking = false;
    this.#timer?.cancel();
    if (secured && !this.destroyed) {
      this.#more = true;
      this.#below.pause();
    } else this.destroySoon();
    this.#options.done(secured && !this.destroyed);
  }

  // Reading.

  readonly #onData = (bytes: Buffer) => {
    const session = this.#session;
    if (session === undefined) return;
    const one = this.#edges.push(bytes);
    this.#options.openssl.feed(session, bytes);
    if (this.#handshaking) this.#handshake();
    else this.#read(one);
  };

  /** `one`: there is one record, so that after its bytes nothing is left to ask for. */
  #read(one: boolean): void {
    if (this.#reading) return;
    this.#reading = true;
    const { openssl } = this.#options;
    const { plain } = this.#buffers;
    const again = this.#again;
    this.#again = undefined;
    if (again !== undefined) this.tellData(again);
    this.#more = true;
    while (this.#flowing && this.#session !== undefined && this.#more) {
      const got = openssl.read(this.#session, plain);
      if (typeof got === "number") {
        if (one) this.#more = false;
        this.tellData(plain.subarray(0, got));
      } else {
        this.#more = false;
        if (got === "ended") this.#end();
        else if (got === "failed") this.#fail();
        else if (this.#belowEnded) this.#end();
      }
    }
    this.#reading = false;
  }

  #end(): void {
    if (this.readableEnded) return;
    this.readableEnded = true;
    this.tellEnd();
    if (this.#writeEnded) this.destroySoon();
  }

  #fail(): void {
    this.#sendWhatIsToGo();
    this.tellError(Object.assign(new Error("TLS: the connection is broken"), { code: "EPROTO" }));
    this.destroySoon();
  }

  readonly #onEnd = () => {
    this.#belowEnded = true;
    if (this.#handshaking) this.#handshakeOver(false);
    else this.#readSoon();
  };

  pause(): void {
    this.#flowing = false;
    if (!this.#handshaking) this.#below.pause();
  }

  resume(): void {
    if (this.#flowing || this.readableEnded) return;
    this.#flowing = true;
    this.#below.resume();
    if (this.#more || this.#belowEnded || this.#again !== undefined) this.#readSoon();
  }

  #readSoon(): void {
    if (this.#deferred) return;
    this.#deferred = true;
    this.#options.loop.defer(() => {
      this.#deferred = false;
      if (this.#flowing) this.#read(false);
    });
  }

  unshift(bytes: Buffer): void {
    this.#again = this.#again === undefined ? Buffer.from(bytes) : Buffer.concat([bytes, this.#again]);
  }

  // Writing.

  write(data: Buffer | string, _encoding?: "latin1"): boolean {
    const session = this.#session;
    if (session === undefined || this.#writeEnded) return true;
    const bytes = typeof data === "string" ? this.#encoded(data) : data;
    if (bytes.length === 0) return true;
    if (this.#corked !== undefined) {
      this.#corked.push(Buffer.from(bytes));
      return true;
    }
    if (this.#options.openssl.write(session, bytes)) return this.#sendWhatIsToGo();
    this.destroy();
    return true;
  }

  writeBoth(text: string, bytes: Buffer): boolean {
    return this.write(this.#options.loop.joined(text, bytes));
  }

  #encoded(text: string): Buffer {
    const { textBuffer } = this.#options.loop;
    if (text.length > textBuffer.length) return Buffer.from(text, "latin1");
    return this.#options.loop.text(textBuffer.write(text, 0, "latin1"));
  }

  /** False: the socket below is full. */
  #sendWhatIsToGo(): boolean {
    const { cipher } = this.#buffers;
    let room = true;
    while (this.#session !== undefined) {
      const length = this.#options.openssl.drain(this.#session, cipher);
      if (length === 0) break;
      room = this.#below.write(cipher.subarray(0, length));
      if (length < cipher.length) break;
    }
    return room;
  }

  cork(): void {
    this.#corked ??= [];
  }

  uncork(): void {
    const corked = this.#corked;
    this.#corked = undefined;
    if (corked !== undefined && corked.length > 0) this.write(corked.length === 1 ? (corked[0] as Buffer) : Buffer.concat(corked));
  }

  end(done?: () => void): void {
    if (this.#session === undefined || this.#writeEnded) return;
    this.#writeEnded = true;
    this.#options.openssl.shutdown(this.#session);
    this.#sendWhatIsToGo();
    this.#below.end(done);
    if (this.readableEnded) this.destroySoon();
  }

  readonly #onDrain = () => this.tellDrain();

  // The end.

  readonly #onError = (error: Error) => this.tellError(error);

  readonly #onClose = (failed: boolean) => {
    if (this.#handshaking) this.#handshakeOver(false);
    this.#release();
    this.tellClose(failed);
  };

  destroy(): void {
    this.#release();
    this.#below.destroy();
  }

  destroySoon(): void {
    if (this.#session !== undefined && !this.#handshaking && !this.#writeEnded) {
      this.#options.openssl.shutdown(this.#session);
      this.#sendWhatIsToGo();
    }
    this.#release();
    this.#below.destroySoon();
  }

  resetAndDestroy(): void {
    this.#release();
    this.#below.resetAndDestroy();
  }

  #release(): void {
    this.#timer?.cancel();
    this.destroyed = true;
    this.#flowing = false;
    const session = this.#session;
    this.#session = undefined;
    if (session !== undefined) this.#options.openssl.freeSession(session);
  }

  setNoDelay(on: boolean): void {
    this.#below.setNoDelay(on);
  }

  setKeepAlive(on: boolean, afterMs: number): void {
    this.#below.setKeepAlive(on, afterMs);
  }
}

function noticedAtClose(): void {
  // `close` follows.
}
