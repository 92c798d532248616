/**
 * UDP sockets in an event loop. A bound one receives and sends in batches: what is sent within a turn leaves in one call, in order.
 * Messages given to a listener may be overwritten after it returns.
 */
import { EventEmitter } from "node:events";
import * as c from "../../host/syscalls/constants.ts";
import { MessageVector } from "../../host/syscalls/message-vector.ts";
import { decodeSocketAddress, encodeSocketAddress } from "../../host/syscalls/socket-address.ts";
import { SystemError } from "../../host/syscalls/system-error.ts";
import type { BindFailure } from "../listener.ts";
import type { DatagramSocket, Sender } from "../udp-relay.ts";
import { addressOf } from "./addresses.ts";
import type { EventLoop, Watcher } from "./event-loop.ts";

const batch = 32;
/** The largest datagram that IP can carry. */
const messageBytes = 65_536;
/** Others get their turn after this many batches. */
const batchesAtOnce = 4;
const maxSenders = 4096;

/**
 * One set of batches serves all sockets of a loop. What one of them sends waits in `out` until the end of the turn, the batch is full,
 * or another one sends.
 */
class Batches {
  readonly #loop: EventLoop;
  readonly in: MessageVector;
  readonly #out: MessageVector;
  #fd = -1;
  #count = 0;
  readonly #flush = () => this.flush();

  constructor(loop: EventLoop) {
    this.#loop = loop;
    this.in = new MessageVector(loop.libc, batch, messageBytes);
    this.#out = new MessageVector(loop.libc, batch, messageBytes);
  }

  send(fd: number, message: Buffer, to: Uint8Array): void {
    if (this.#count === batch || (this.#count > 0 && this.#fd !== fd)) this.flush();
    if (this.#count === 0) this.#loop.defer(this.#flush);
    this.#fd = fd;
    (this.#out.messages[this.#count] as Uint8Array).set(message);
    this.#out.addressTo(this.#count, message.length, to);
    this.#count += 1;
  }

  /** What the kernel has no room for is lost, as datagrams are. One that cannot be sent does not hold up the others. */
  flush(): void {
    for (let sent = 0; sent < this.#count;) {
      const headers = sent === 0 ? this.#out.headers : this.#out.headers.subarray(sent * 64);
      const done = this.#loop.libc.sendmmsg(this.#fd, headers, this.#count - sent, c.MSG_DONTWAIT);
      sent += done <= 0 ? 1 : done;
    }
    this.#count = 0;
  }
}

const batchesOf = new WeakMap<EventLoop, Batches>();

function batchesFor(loop: EventLoop): Batches {
  let batches = batchesOf.get(loop);
  if (batches === undefined) batchesOf.set(loop, (batches = new Batches(loop)));
  return batches;
}

export interface EpollBindOptions {
  readonly host: string;
  /** 0: the kernel chooses. */
  readonly port: number;
  readonly onMessage: (message: Buffer, from: Sender) => void;
}

export interface EpollDatagramListener {
  readonly kind: "ok";
  readonly host: string;
  readonly port: number;
  readonly socket: { send(message: Buffer, port: number, address: string): void };
  close(): Promise<void>;
}

export function bindEpollUdp(loop: EventLoop, { host, port, onMessage }: EpollBindOptions): EpollDatagramListener | BindFailure {
  const { libc } = loop;
  let fd = -1;
  try {
    fd = libc.socket(host.includes(":") ? c.AF_INET6 : c.AF_INET, c.SOCK_DGRAM | c.SOCK_NONBLOCK, 0);
    libc.bind(fd, encodeSocketAddress(host, port));
    const socket = new BoundSocket(loop, fd, onMessage);
    const bound = decodeSocketAddress(libc.getsockname(fd))?.port ?? port;
    return { kind: "ok", host, port: bound, socket, close: async () => socket.close() };
  } catch (error) {
    if (fd >= 0) libc.close(fd);
    if (!(error instanceof SystemError)) throw error;
    return { kind: "failed", code: error.code, message: `${error.message} ${host}:${port}` };
  }
}

/** A sender with its address as the kernel gave it. */
interface KnownSender extends Sender {
  readonly raw: Uint8Array;
}

class BoundSocket implements Watcher {
  readonly #loop: EventLoop;
  readonly #fd: number;
  readonly #batches: Batches;
  readonly #onMessage: EpollBindOptions["onMessage"];
  /** By the bytes of their address: a client sends more than once. */
  readonly #senders = new Map<number | string, KnownSender>();
  readonly #byPort = new Map<number, KnownSender>();
  #closed = false;

  constructor(loop: EventLoop, fd: number, onMessage: EpollBindOptions["onMessage"]) {
    this.#loop = loop;
    this.#fd = fd;
    this.#batches = batchesFor(loop);
    this.#onMessage = onMessage;
    loop.watch(fd, this, c.EPOLLIN);
  }

  onEvents(): void {
    const vector = this.#batches.in;
    for (let times = 0; times < batchesAtOnce && !this.#closed; times++) {
      vector.clear();
      const received = this.#loop.libc.recvmmsg(this.#fd, vector.headers, batch, 0);
      for (let i = 0; i < received && !this.#closed; i++) {
        const message = vector.messages[i] as Uint8Array;
        const from = this.#sender(vector.addresses[i] as Uint8Array, vector.addressLength(i));
        if (from !== undefined) this.#onMessage(Buffer.from(message.buffer, message.byteOffset, vector.received(i)), from);
      }
      if (received < batch) return;
    }
  }

  #sender(bytes: Uint8Array, length: number): KnownSender | undefined {
    const key = senderKey(bytes, length);
    const known = this.#senders.get(key);
    if (known !== undefined) return known;
    const raw = bytes.slice(0, length);
    const decoded = decodeSocketAddress(raw);
    if (decoded === undefined) return undefined;
    const { address, port } = decoded;
    const sender = { address, port, key: `${address} ${port}`, raw };
    if (this.#senders.size >= maxSenders) {
      this.#senders.clear();
      this.#byPort.clear();
    }
    this.#senders.set(key, sender);
    this.#byPort.set(port, sender);
    return sender;
  }

  send(message: Buffer, port: number, address: string): void {
    if (this.#closed) return;
    const known = this.#byPort.get(port);
    this.#batches.send(this.#fd, message, known?.address === address ? known.raw : addressOf(address, port));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#batches.flush();
    this.#loop.forget(this.#fd);
    this.#loop.libc.close(this.#fd);
  }
}

/** A number for IPv4 (port and address: 48 bits), text for IPv6. */
function senderKey(bytes: Uint8Array, length: number): number | string {
  if (length > 16) return Buffer.from(bytes.buffer, bytes.byteOffset, length).toString("latin1");
  const [a = 0, b = 0, d = 0, e = 0, f = 0, g = 0] = [bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]];
  return (((d * 256 + e) * 256 + f) * 256 + g) * 65_536 + a * 256 + b;
}

/** A UDP socket towards one peer: what a session of a relay needs. */
export class EpollPeerSocket extends EventEmitter implements DatagramSocket, Watcher {
  readonly #loop: EventLoop;
  readonly #fd: number;
  #closed = false;

  constructor(loop: EventLoop, family: 4 | 6, localAddress?: string) {
    super();
    this.#loop = loop;
    this.#fd = loop.libc.socket(family === 6 ? c.AF_INET6 : c.AF_INET, c.SOCK_DGRAM | c.SOCK_NONBLOCK, 0);
    if (localAddress !== undefined) loop.libc.bind(this.#fd, encodeSocketAddress(localAddress, 0));
  }

  connect(port: number, address: string): void {
    const result = this.#loop.libc.connect(this.#fd, addressOf(address, port));
    if (result < 0) return void this.emit("error", new SystemError("connect", -result, `${address}:${port}`));
    this.#loop.watch(this.#fd, this, c.EPOLLIN | c.EPOLLERR);
    this.emit("connect");
  }

  onEvents(): void {
    const { libc, readBuffer } = this.#loop;
    // One at a time: level-triggered, so that what is left is told again, together with what came elsewhere.
    const got = libc.recv(this.#fd, readBuffer, 0);
    if (got === -c.EAGAIN) return;
    // ECONNREFUSED: nobody listens there (any more).
    if (got < 0) this.emit("error", new SystemError("recv", -got));
    else this.emit("message", this.#loop.read(got));
  }

  send(message: Buffer): void {
    if (this.#closed) return;
    const sent = this.#loop.libc.send(this.#fd, message, c.MSG_NOSIGNAL | c.MSG_DONTWAIT);
    if (sent < 0 && sent !== -c.EAGAIN) this.emit("error", new SystemError("send", -sent));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#loop.forget(this.#fd);
    this.#loop.libc.close(this.#fd);
  }
}
