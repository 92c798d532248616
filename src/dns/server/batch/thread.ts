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
import { FrameReader, FrameWriter } from "./frames.ts";
import {
  answerFrames,
  keepFlags,
  noSource,
  sampleEvery,
  type BatchThreadData,
  type FromBatchThread,
  type ToBatchThread,
} from "./protocol.ts";

const batch = 64;
const messageBytes = 4096;
/** Of one report. */
const maxSamples = 4096;
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
  readonly #table = new AnswerTable({ leaves: (entry) => this.#count(entry) });
  /** Not told yet: how often answers were sent, by id. */
  #counts: [id: number, times: number][] = [];
  readonly #asking = new FrameWriter();
  readonly #eventView: DataView;
  readonly #wakeBytes = new Uint8Array(8);
  #turn = 0;
  #reported = performance.now();
  /** Answers sent that are watched. */
  #seen = 0;
  /** Since the last report. */
  #sampled = 0;
  readonly #samples = new FrameWriter();
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
    const count = this.#libc.epollWait(this.#epoll, this.#events, this.#table.size > 0 ? reportMs : -1);
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
        const length = copyAnswer(entry, packet, this.#out.messages[sending] as Uint8Array, this.#turn++, now);
        this.#out.address(sending++, length, this.#in, i);
        if (entry.watched && ++this.#seen % sampleEvery === 0) this.#sample(entry, i);
      }
    }
    if (sending > 0) this.#libc.sendmmsg(this.#fd, this.#out.headers, sending, 0);
    if (unknown !== undefined) this.#ask(unknown);
    return count;
  }

  #sample({ id }: TableEntry, i: number): void {
    if (this.#sampled++ < maxSamples) this.#samples.number(id).bytes(this.#in.addresses[i] as Uint8Array, this.#in.addressLength(i));
  }

  #ask(indexes: readonly number[]): void {
    for (const i of indexes) {
      this.#asking.bytes(this.#in.addresses[i] as Uint8Array, this.#in.addressLength(i));
      this.#asking.bytes(this.#in.messages[i] as Uint8Array, this.#in.received(i));
    }
    const frames = this.#asking.take();
    this.#port.postMessage({ kind: "ask", frames } satisfies FromBatchThread, [frames.buffer]);
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
      case "answers":
        return this.#takeAnswers(new FrameReader(message.frames), sending);
      case "drop":
        this.#table.drop(message.tag);
        return sending;
      case "clear":
        this.#table.clear();
        return sending;
      case "end":
        this.#ended = true;
        return sending;
    }
  }

  #takeAnswers(frames: FrameReader, before: number): number {
    let sending = before;
    while (!frames.done) {
      if (frames.number() === answerFrames.send) sending = this.#send(frames.bytes(), frames.bytes(), sending);
      else this.#keep(frames);
    }
    return sending;
  }

  #send(to: Uint8Array, bytes: Uint8Array, sending: number): number {
    if (bytes.length > messageBytes) return sending;
    (this.#out.messages[sending] as Uint8Array).set(bytes);
    this.#out.addressTo(sending, bytes.length, to);
    if (sending + 1 < batch) return sending + 1;
    this.#libc.sendmmsg(this.#fd, this.#out.headers, batch, 0);
    return 0;
  }

  #keep(frames: FrameReader): void {
    const [id, ms, second, flags, tag] = [frames.number(), frames.number(), frames.number(), frames.number(), frames.text()];
    const [rotate, watched] = [(flags & keepFlags.rotate) !== 0, (flags & keepFlags.watched) !== 0];
    const [packet, response] = [frames.bytes(), frames.bytes()];
    const sinceSecond = second < 0 ? {} : { sinceSecond: second };
    const holds = ms < 0 ? ({ until: "change", tag, source: noSource } as const) : ({ until: "time", ms, ...sinceSecond } as const);
    const now = performance.now();
    this.#table.put(packet, response, { holds, rotate, watched, id }, now);
  }

  #report(): void {
    this.#reported = performance.now();
    for (const entry of this.#table.entries()) this.#count(entry);
    if (this.#counts.length > 0) this.#post({ kind: "sent", counts: this.#counts, samples: this.#samples.take() });
    this.#counts = [];
    this.#sampled = 0;
  }

  #count(entry: TableEntry): void {
    if (entry.times > 0) this.#counts.push([entry.id, entry.times]);
    entry.times = 0;
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
