/**
 * A connected TCP socket in an event loop. It knows what is possible (readable, writable) from edges and from short reads and
 * writes; it reads only in the loop's turns, so that listeners are never called from within another's. Half-open connections are
 * normal: each direction ends by itself, and the socket closes when both have.
 */
import * as c from "../../host/syscalls/constants.ts";
import { decodeSocketAddress } from "../../host/syscalls/socket-address.ts";
import { SystemError } from "../../host/syscalls/system-error.ts";
import type { EventLoop, Watcher } from "./event-loop.ts";
import { SocketEvents } from "./socket-events.ts";
import type { StreamSocket } from "../stream-socket.ts";

/** A socket that always has more to read lets others have their turn after this many full buffers. */
const readsAtOnce = 4;

export class EpollSocket extends SocketEvents implements StreamSocket, Watcher {
  readonly #loop: EventLoop;
  readonly #fd: number;
  readonly #peer: Uint8Array | undefined;
  #remoteAddress: string | undefined;
  #readable = false;
  #flowing = false;
  /** The peer's end is in the kernel, behind what is still to be read. */
  #endSeen = false;
  #reading = false;
  #resumeDeferred = false;
  #pending: Buffer[] = [];
  #corked = false;
  #ending = false;
  #writeEnded = false;
  #whenEnded: (() => void) | undefined;
  #destroyWhenSent = false;
  #connected: ((errno: number) => void) | undefined;
  #again: Buffer | undefined;
  readableEnded = false;
  destroyed = false;
  /** What is kept is copied. */
  readonly writableLength = 0;

  /**
   * `fd`: not blocking, connected, or with `connected` on its way there, which is called back once it is, or with the errno if it
   * cannot be; closed with the socket. `peer`: its `sockaddr`. Nothing is read before `resume`.
   */
  constructor(loop: EventLoop, fd: number, peer?: Uint8Array, connected?: (errno: number) => void) {
    super();
    this.#loop = loop;
    this.#fd = fd;
    this.#peer = peer;
    this.#connected = connected;
    loop.watch(fd, this);
  }

  get remoteAddress(): string | undefined {
    if (this.#peer === undefined) return undefined;
    return (this.#remoteAddress ??= decodeSocketAddress(this.#peer)?.address.replace(/^::ffff:(?=\d+\.)/, ""));
  }

  get remotePort(): number | undefined {
    return this.#peer === undefined ? undefined : ((this.#peer[2] as number) << 8) | (this.#peer[3] as number);
  }

  onEvents(events: number): void {
    if (this.#connected !== undefined) return this.#connects(events);
    if ((events & c.EPOLLERR) !== 0) return this.#fail(this.#socketError());
    if ((events & (c.EPOLLRDHUP | c.EPOLLHUP)) !== 0) this.#endSeen = true;
    if ((events & c.EPOLLOUT) !== 0 && this.#pending.length > 0) this.#flush();
    if ((events & (c.EPOLLIN | c.EPOLLRDHUP | c.EPOLLHUP)) === 0) return;
    this.#readable = true;
    if (this.#flowing) this.#read();
  }

  #connects(events: number): void {
    const connected = this.#connected;
    this.#connected = undefined;
    if ((events & (c.EPOLLERR | c.EPOLLHUP)) !== 0) {
      const errno = this.#socketError();
      this.#close();
      connected?.(errno === 0 ? c.ECONNRESET : errno);
    } else {
      connected?.(0);
      // What came with it: an endpoint that speaks first.
      if ((events & ~c.EPOLLOUT) !== 0 && !this.destroyed) this.onEvents(events);
    }
  }

  #socketError(): number {
    const value = this.#loop.libc.getsockopt(this.#fd, c.SOL_SOCKET, c.SO_ERROR, new Uint8Array(4));
    return new DataView(value.buffer).getInt32(0, true);
  }

  #read(): void {
    if (this.#reading || this.destroyed) return;
    this.#reading = true;
    const { libc, readBuffer } = this.#loop;
    const again = this.#again;
    this.#again = undefined;
    if (again !== undefined) this.tellData(again);
    for (let reads = 0; this.#flowing && this.#readable && !this.destroyed; reads++) {
      if (reads === readsAtOnce) {
        this.#readSoon();
        break;
      }
      const got = libc.recv(this.#fd, readBuffer, 0);
      if (got > 0) {
        // A short read has emptied the kernel's buffer: the next bytes come with an edge of their own. Unless it was the end that cut it short.
        if (got < readBuffer.length && !this.#endSeen) this.#readable = false;
        this.tellData(this.#loop.read(got));
      } else if (got === 0) this.#end();
      else if (got === -c.EAGAIN) this.#readable = false;
      else {
        this.#fail(-got);
        break;
      }
    }
    this.#reading = false;
  }

  #end(): void {
    this.#readable = false;
    this.readableEnded = true;
    this.tellEnd();
    if (this.#writeEnded) this.destroy();
  }

  pause(): void {
    this.#flowing = false;
  }

  resume(): void {
    if (this.#flowing || this.readableEnded) return;
    this.#flowing = true;
    if (this.#readable || this.#again !== undefined) this.#readSoon();
  }

  unshift(bytes: Buffer): void {
    this.#again = this.#again === undefined ? Buffer.from(bytes) : Buffer.concat([bytes, this.#again]);
  }

  #readSoon(): void {
    if (this.#resumeDeferred) return;
    this.#resumeDeferred = true;
    this.#loop.defer(() => {
      this.#resumeDeferred = false;
      if (this.#flowing && (this.#readable || this.#again !== undefined)) this.#read();
    });
  }

  write(data: Buffer | string, _encoding?: "latin1"): boolean {
    if (this.destroyed || this.#ending) return true;
    const bytes = typeof data === "string" ? this.#encoded(data) : data;
    if (this.#pending.length > 0) {
      this.#pending.push(Buffer.from(bytes));
      return false;
    }
    const sent = this.#send(bytes);
    if (sent === bytes.length) return true;
    if (sent >= 0) this.#pending.push(Buffer.from(bytes.subarray(sent)));
    return false;
  }

  writeBoth(text: string, bytes: Buffer): boolean {
    return this.write(this.#loop.joined(text, bytes));
  }

  #encoded(text: string): Buffer {
    const { textBuffer } = this.#loop;
    if (text.length > textBuffer.length) return Buffer.from(text, "latin1");
    return this.#loop.text(textBuffer.write(text, 0, "latin1"));
  }

  /** How many bytes the kernel took; -1: the socket is broken, which was told. */
  #send(bytes: Buffer): number {
    if (bytes.length === 0) return 0;
    const sent = this.#loop.libc.send(this.#fd, bytes, this.#corked ? c.MSG_NOSIGNAL | c.MSG_MORE : c.MSG_NOSIGNAL);
    if (sent >= 0) return sent;
    if (sent === -c.EAGAIN) return 0;
    this.#fail(-sent);
    return -1;
  }

  #flush(): void {
    while (this.#pending.length > 0) {
      const first = this.#pending[0] as Buffer;
      const sent = this.#send(first);
      if (sent < 0) return;
      if (sent < first.length) {
        this.#pending[0] = first.subarray(sent);
        return;
      }
      this.#pending.shift();
    }
    if (this.#ending) this.#endWriting();
    else this.tellDrain();
  }

  cork(): void {
    this.#corked = true;
  }

  /** What the kernel still holds back for more to come goes out. */
  uncork(): void {
    this.#corked = false;
    if (!this.destroyed) this.setNoDelay(true);
  }

  end(done?: () => void): void {
    if (done !== undefined) this.#whenEnded = done;
    if (this.#ending || this.destroyed) return;
    this.#ending = true;
    if (this.#pending.length === 0) this.#endWriting();
  }

  #endWriting(): void {
    this.#writeEnded = true;
    const over = this.readableEnded || this.#destroyWhenSent;
    // To close says it too. It fails only when the connection is gone, which its own event tells.
    if (!over) this.#loop.libc.shutdown(this.#fd, c.SHUT_WR);
    this.#whenEnded?.();
    if (over) this.destroy();
  }

  #fail(errno: number): void {
    if (this.destroyed) return;
    this.#close();
    process.nextTick(() => {
      this.tellError(new SystemError("read", errno === 0 ? c.ECONNRESET : errno));
      this.tellClose(true);
    });
  }

  destroy(): void {
    if (this.destroyed) return;
    this.#close();
    process.nextTick(() => this.tellClose(false));
  }

  destroySoon(): void {
    if (this.#pending.length === 0) this.destroy();
    else {
      this.#destroyWhenSent = true;
      this.end();
    }
  }

  resetAndDestroy(): void {
    if (this.destroyed) return;
    // SO_LINGER on, for no time (socket(7)): close(2) sends a reset.
    this.#loop.libc.setsockopt(this.#fd, c.SOL_SOCKET, c.SO_LINGER, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0));
    this.destroy();
  }

  #close(): void {
    this.destroyed = true;
    this.#flowing = false;
    this.#readable = false;
    this.#pending = [];
    this.#loop.forget(this.#fd);
    this.#loop.libc.close(this.#fd);
  }

  setNoDelay(on: boolean): void {
    if (!this.destroyed) this.#loop.libc.setsockopt(this.#fd, c.IPPROTO_TCP, c.TCP_NODELAY, on ? 1 : 0);
  }

  setKeepAlive(on: boolean, afterMs: number): void {
    if (this.destroyed) return;
    const { libc } = this.#loop;
    libc.setsockopt(this.#fd, c.SOL_SOCKET, c.SO_KEEPALIVE, on ? 1 : 0);
    if (on) libc.setsockopt(this.#fd, c.IPPROTO_TCP, c.TCP_KEEPIDLE, Math.ceil(afterMs / 1000));
  }
}
