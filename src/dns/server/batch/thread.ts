/**
 * A thread that answers known questions by UDP: datagrams are received and sent in batches, and what the table holds costs no
 * allocation, no turn of the event loop and no other thread. Everything else is asked of the main thread.
 */
import { readSync } from "node:fs";
import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from "node:worker_threads";
import * as c from "../../../host/syscalls/constants.ts";
import { loadLibc, type Libc } from "../../../host/syscalls/libc.ts";
import { MessageVector } from "../../../host/syscalls/message-vector.ts";
import { decodeSocketAddress, encodeSocketAddress } from "../../../host/syscalls/socket-address.ts";
import { errnoCode, errorMessage } from "../../../lib/errors.ts";
import { AnswerTable, copyAnswer, type TableEntry } from "../answer-table.ts";
import { noSource, type BatchThreadData, type FromBatchThread, type ToBatchThread } from "./protocol.ts";

const batch = 64;
const messageBytes = 4096;
const receiveBuffer = 4 << 20;
const reportMs = 1000;
/** Batches without room left after which the main thread is listened to all the same. */
const fullBatches = 8;

class BatchThread {
  readonly #libc: Libc;
  readonly #port: MessagePort;
  readonly #wake: number;
  readonly #fd: number;
  readonly #epoll: number;
  readonly #events: Uint8Array;
  readonly #in: MessageVector;
  readonly #out: MessageVector;
  readonly #table = new AnswerTable();
  /** Entry → its id in the main thread, and how often it was sent since the last report. */
  readonly #ids = new Map<TableEntry, { readonly id: number; times: number }>();
  readonly #eventView: DataView;
  readonly #wakeBytes = new Uint8Array(8);
  #turn = 0;
  #reported = performance.now();
  #ended = false;

  constructor(libc: Libc, port: MessagePort, { host, port: number, reusePort, wake }: BatchThreadData) {
    this.#libc = libc;
    this.#port = port;
    this.#wake = wake;
    this.#fd = bindUdp(libc, host, number, reusePort);
    this.#in = new MessageVector(libc, batch, messageBytes);
    this.#out = new MessageVector(libc, batch, messageBytes);
    this.#epoll = libc.epollCreate();
    this.#events = new Uint8Array(2 * libc.epollEvent.bytes);
    this.#eventView = new DataView(this.#events.buffer);
    for (const fd of [this.#fd, wake]) this.#watch(fd);
    this.#post({ kind: "listening", port: decodeSocketAddress(libc.getsockname(this.#fd))?.port ?? number });
  }

  #watch(fd: number): void {
    const event = new Uint8Array(this.#libc.epollEvent.bytes);
    const view = new DataView(event.buffer);
    view.setUint32(0, c.EPOLLIN, true);
    view.setInt32(this.#libc.epollEvent.dataOffset, fd, true);
    this.#libc.epollControl(this.#epoll, c.EPOLL_CTL_ADD, fd, event);
  }

  #post(message: FromBatchThread): void {
    this.#port.postMessage(message);
  }

  run(): void {
    for (let full = 0; !this.#ended;) {
      const received = this.#receive();
      if (received === 0) this.#wait();
      // An answer that no longer holds must not be sent for long: changes have their turn under any load.
      else if (received < batch || ++full % fullBatches === 0) this.#takeMessages();
    }
    this.#libc.close(this.#fd);
    this.#libc.close(this.#epoll);
    this.#post({ kind: "ended" });
  }

  #wait(): void {
    this.#report();
    const { epollEvent } = this.#libc;
    const count = this.#libc.epollWait(this.#epoll, this.#events, this.#ids.size > 0 ? reportMs : -1);
    for (let i = 0; i < count; i++) {
      const fd = this.#eventView.getInt32(i * epollEvent.bytes + epollEvent.dataOffset, true);
      if (fd === this.#wake) readSync(this.#wake, this.#wakeBytes);
    }
    if (count > 0) this.#takeMessages();
  }

  #receive(): number {
    const { headers } = this.#in;
    this.#in.clear();
    const count = this.#libc.recvmmsg(this.#fd, headers, batch, c.MSG_DONTWAIT);
    if (count <= 0) return 0;
    const now = performance.now();
    let sending = 0;
    let unknown: number[] | undefined;
    for (let i = 0; i < count; i++) {
      const packet = this.#in.messages[i] as Uint8Array;
      const entry = this.#table.find(packet, this.#in.received(i), now);
      if (entry === undefined) (unknown ??= []).push(i);
      else {
        const length = copyAnswer(entry, packet, this.#out.messages[sending] as Uint8Array, this.#turn++);
        this.#out.address(sending++, length, this.#in, i);
        const known = this.#ids.get(entry);
        if (known !== undefined) known.times++;
      }
    }
    if (sending > 0) this.#libc.sendmmsg(this.#fd, this.#out.headers, sending, 0);
    if (unknown !== undefined) this.#ask(unknown);
    return count;
  }

  #ask(indexes: readonly number[]): void {
    const copy = (bytes: Uint8Array, length: number) => Uint8Array.prototype.slice.call(bytes, 0, length);
    this.#post({
      kind: "ask",
      packets: indexes.map((i) => copy(this.#in.messages[i] as Uint8Array, this.#in.received(i))),
      from: indexes.map((i) => copy(this.#in.addresses[i] as Uint8Array, this.#in.addressLength(i))),
    });
  }

  #takeMessages(): void {
    let sending = 0;
    for (let got = receiveMessageOnPort(this.#port); got !== undefined; got = receiveMessageOnPort(this.#port)) {
      sending = this.#take(got.message as ToBatchThread, sending);
    }
    if (sending > 0) this.#libc.sendmmsg(this.#fd, this.#out.headers, sending, 0);
    if (performance.now() - this.#reported > reportMs) this.#report();
  }

  /** How many messages wait to be sent then. */
  #take(message: ToBatchThread, sending: number): number {
    switch (message.kind) {
      case "send": {
        const { bytes, to } = message;
        if (bytes.length > messageBytes) return sending;
        (this.#out.messages[sending] as Uint8Array).set(bytes);
        this.#out.addressTo(sending, bytes.length, to);
        if (sending + 1 < batch) return sending + 1;
        this.#libc.sendmmsg(this.#fd, this.#out.headers, batch, 0);
        return 0;
      }
      case "keep":
        this.#keep(message);
        return sending;
      case "drop":
        this.#table.drop(message.tag);
        return sending;
      case "clear":
        this.#report();
        this.#ids.clear();
        this.#table.clear();
        return sending;
      case "end":
        this.#ended = true;
        return sending;
    }
  }

  #keep({ id, packet, response, tag, ms, rotate }: Extract<ToBatchThread, { kind: "keep" }>): void {
    const holds = ms === undefined ? ({ until: "change", tag, source: noSource } as const) : ({ until: "time", ms } as const);
    const now = performance.now();
    this.#table.put(packet, response, { holds, rotate }, now);
    const entry = this.#table.find(packet, packet.length, now);
    if (entry !== undefined) this.#ids.set(entry, { id, times: 0 });
  }

  #report(): void {
    const now = performance.now();
    this.#reported = now;
    const counts: [number, number][] = [];
    for (const [entry, known] of this.#ids) {
      if (known.times > 0) counts.push([known.id, known.times]);
      known.times = 0;
      if (!entry.live || now >= entry.until) this.#ids.delete(entry);
    }
    if (counts.length > 0) this.#post({ kind: "sent", counts });
  }
}

function bindUdp(libc: Libc, host: string, port: number, reusePort: boolean): number {
  const v6 = host.includes(":");
  const fd = libc.socket(v6 ? c.AF_INET6 : c.AF_INET, c.SOCK_DGRAM, 0);
  try {
    if (reusePort) libc.setsockopt(fd, c.SOL_SOCKET, c.SO_REUSEPORT, 1);
    libc.setsockopt(fd, c.SOL_SOCKET, c.SO_RCVBUF, receiveBuffer);
    libc.bind(fd, encodeSocketAddress(host, port), host);
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

function main(port: MessagePort): void {
  const libc = loadLibc();
  if (libc === undefined) throw new Error("there is no FFI here");
  try {
    new BatchThread(libc, port, workerData as BatchThreadData).run();
  } catch (error) {
    port.postMessage({ kind: "failed", code: errnoCode(error) ?? "", message: errorMessage(error) } satisfies FromBatchThread);
  }
}

if (parentPort !== null) main(parentPort);
