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

/** One set of batches serves all sockets of a loop: each is used for the length of a call, or until the end of a turn. */
interface Batches {
  readonly in: MessageVector;
  readonly out: MessageVector;
}

const batchesOf = new WeakMap<EventLoop, Batches>();

function batchesFor(loop: EventLoop): Batches {
  let batches = batchesOf.get(loop);
  if (batches === undefined) {
    batches = { in: new MessageVector(loop.libc, batch, messageBytes), out: new MessageVector(loop.libc, batch, messageBytes) };
    batchesOf.set(loop, batches);
  }
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

class BoundSocket implements Watcher {
  readonly #loop: EventLoop;
  readonly #fd: number;
  readonly #onMessage: EpollBindOptions["onMessage"];
  /** By the bytes of their address: a client sends more than once. */
  readonly #senders = new Map<string, Sender>();
  readonly #waiting: { readonly bytes: Buffer; readonly to: Uint8Array }[] = [];
  #closed = false;

  constructor(loop: EventLoop, fd: number, onMessage: EpollBindOptions["onMessage"]) {
    this.#loop = loop;
    this.#fd = fd;
    this.#onMessage = onMessage;
    loop.watch(fd, this, c.EPOLLIN);
  }

  onEvents(): void {
    const { in: vector } = batchesFor(this.#loop);
    for (let times = 0; times < batchesAtOnce && !this.#closed; times++) {
      vector.clear();
      const received = this.#loop.libc.recvmmsg(this.#fd, vector.headers, batch, 0);
      for (let i = 0; i < received && !this.#closed; i++) {
        const message = vector.messages[i] as Uint8Array;
        const from = this.#sender((vector.addresses[i] as Uint8Array).subarray(0, vector.addressLength(i)));
        if (from !== undefined) this.#onMessage(Buffer.from(message.buffer, message.byteOffset, vector.received(i)), from);
      }
      if (received < batch) return;
    }
  }

  #sender(address: Uint8Array): Sender | undefined {
    const key = Buffer.from(address.buffer, address.byteOffset, address.length).toString("latin1");
    const known = this.#senders.get(key);
    if (known !== undefined) return known;
    const sender = decodeSocketAddress(address);
    if (sender === undefined) return undefined;
    if (this.#senders.size >= maxSenders) this.#senders.clear();
    this.#senders.set(key, sender);
    return sender;
  }

  send(message: Buffer, port: number, address: string): void {
    if (this.#closed) return;
    if (this.#waiting.length === 0) this.#loop.defer(() => this.#flush());
    this.#waiting.push({ bytes: Buffer.from(message), to: addressOf(address, port) });
  }

  /** What the kernel has no room for is lost, as datagrams are. */
  #flush(): void {
    const { out } = batchesFor(this.#loop);
    const waiting = this.#waiting.splice(0);
    for (let at = 0; at < waiting.length && !this.#closed; at += batch) {
      const some = waiting.slice(at, at + batch);
      some.forEach(({ bytes, to }, i) => {
        (out.messages[i] as Uint8Array).set(bytes);
        out.addressTo(i, bytes.length, to);
      });
      for (let sent = 0; sent < some.length;) {
        const done = this.#loop.libc.sendmmsg(this.#fd, out.headers.subarray(sent * 64), some.length - sent, c.MSG_DONTWAIT);
        // One that cannot be sent (its client has gone) does not hold up the others.
        sent += done <= 0 ? 1 : done;
      }
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#loop.forget(this.#fd);
    this.#loop.libc.close(this.#fd);
  }
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
    for (let times = 0; times < batch && !this.#closed; times++) {
      const got = libc.recv(this.#fd, readBuffer, 0);
      if (got === -c.EAGAIN) return;
      // ECONNREFUSED: nobody listens there (any more).
      if (got < 0) return void this.emit("error", new SystemError("recv", -got));
      this.emit("message", this.#loop.read(got));
    }
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
