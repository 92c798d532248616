/** The main thread's side of batch threads: starts them, answers what they do not know, and keeps their tables true. */
import { closeSync, writeSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { loadLibc, type Libc } from "../../../host/syscalls/libc.ts";
import { decodeSocketAddress } from "../../../host/syscalls/socket-address.ts";
import type { ChangeSource, ClientAddress, CountAgain } from "../../plugin.ts";
import type { Answer } from "../answer.ts";
import type { AnswerKeeper, KeptAnswer } from "../answer-table.ts";
import { refused, unmapped, type Listener, type ListenerOptions } from "../listener.ts";
import { FrameReader, FrameWriter } from "./frames.ts";
import { answerFrames, keepFlags, sampleEvery, type BatchThreadData, type FromBatchThread, type ToBatchThread } from "./protocol.ts";

const nonBlocking = 0x800;
/** A thread holds its table and little else: it needs no room for much that is new. */
const resourceLimits = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 4 };
/** Counters that are remembered; the oldest go first: their answers are the first to go too. */
const maxCounters = 65_536;

/** Undefined where the machine cannot: another system, no FFI, or settings that need each datagram to be looked at. */
export async function listenBatch(options: ListenerOptions): Promise<Listener | undefined> {
  const libc = options.batch === true && options.sockets === undefined ? loadLibc() : undefined;
  const { proxyProtocol, shedAbove, sockets = 1 } = options.settings;
  if (libc === undefined || proxyProtocol !== undefined || shedAbove !== undefined) return undefined;
  const threads: BatchSocket[] = [];
  try {
    for (let i = 0; i < sockets; i++) {
      const thread = new BatchSocket(libc, { ...options, port: threads[0]?.port ?? options.port }, sockets > 1);
      threads.push(thread);
      await thread.listening();
    }
  } catch (error) {
    await Promise.all(threads.map((thread) => thread.close()));
    throw refused(options, error as Error);
  }
  return {
    host: options.host,
    port: threads[0]?.port ?? options.port,
    forget: () => threads.forEach((thread) => thread.forget()),
    close: async () => void (await Promise.all(threads.map((thread) => thread.close()))),
  };
}

class BatchSocket implements AnswerKeeper {
  readonly #options: ListenerOptions;
  readonly #wake: number;
  readonly #worker: Worker;
  readonly #answers = new FrameWriter();
  readonly #counters = new Map<number, CountAgain>();
  readonly #watchers = new Map<number, (client: string, times: number) => void>();
  readonly #sources = new Map<ChangeSource, () => void>();
  readonly #ended: Promise<void>;
  #listening: (result: Error | undefined) => void = () => undefined;
  readonly #started: Promise<Error | undefined>;
  #nextId = 0;
  #posted = false;
  port: number;

  constructor(libc: Libc, options: ListenerOptions, reusePort: boolean) {
    this.#options = options;
    this.port = options.port;
    this.#wake = libc.eventfd(0, nonBlocking);
    const workerData: BatchThreadData = { host: options.host, port: options.port, reusePort, wake: this.#wake };
    this.#worker = new Worker(threadUrl(), { workerData, name: "dns-batch", resourceLimits });
    this.#worker.unref();
    this.#started = new Promise((resolve) => (this.#listening = resolve));
    this.#worker.on("message", (message: FromBatchThread) => this.#receive(message));
    this.#worker.on("error", (error: Error) => this.#listening(error));
    this.#ended = new Promise((resolve) => this.#worker.once("exit", () => resolve()));
  }

  async listening(): Promise<void> {
    const error = await this.#started;
    if (error !== undefined) throw error;
  }

  #receive(message: FromBatchThread): void {
    switch (message.kind) {
      case "listening":
        this.port = message.port;
        return this.#listening(undefined);
      case "failed":
        return this.#listening(Object.assign(new Error(message.message), { code: message.code }));
      case "ask":
        return this.#answerAll(new FrameReader(message.frames));
      case "sent":
        for (const [id, times] of message.counts) this.#counters.get(id)?.(times);
        return this.#tellWatchers(new FrameReader(message.samples));
      case "ended":
        return;
    }
  }

  #tellWatchers(samples: FrameReader): void {
    while (!samples.done) {
      const saw = this.#watchers.get(samples.number());
      const client = decodeSocketAddress(samples.bytes());
      if (client !== undefined) saw?.(unmapped(client.address), sampleEvery);
    }
  }

  #answerAll(frames: FrameReader): void {
    while (!frames.done) {
      const from = frames.bytes();
      this.#answer(frames.bytes(), from);
    }
  }

  #answer(packet: Uint8Array, from: Uint8Array): void {
    const address = decodeSocketAddress(from);
    if (address === undefined) return;
    const { host, answer } = this.#options;
    const client: ClientAddress = {
      address: unmapped(address.address),
      port: address.port,
      protocol: "udp",
      local: { address: host, port: this.port },
    };
    const send = (bytes: Answer) => {
      if (!(bytes instanceof Uint8Array)) return;
      this.#answers.number(answerFrames.send).bytes(from).bytes(bytes);
      this.#soon();
    };
    const result = answer(packet, client, this);
    // A query that fails is told by the server itself.
    if (result instanceof Promise) result.then(send, () => undefined);
    else send(result);
  }

  put(packet: Uint8Array, response: Uint8Array, { holds, count, saw, rotate = false }: KeptAnswer): void {
    const id = this.#nextId++;
    if (count !== undefined) remember(this.#counters, id, count);
    if (saw !== undefined) remember(this.#watchers, id, saw);
    if (holds.until === "change") this.#follow(holds.source);
    const [ms, tag] = holds.until === "time" ? [holds.ms, ""] : [-1, holds.tag];
    this.#answers
      .number(answerFrames.keep)
      .number(id)
      .number(ms)
      .number(holds.until === "time" ? (holds.sinceSecond ?? -1) : -1)
      .number((rotate ? keepFlags.rotate : 0) | (saw === undefined ? 0 : keepFlags.watched))
      .text(tag)
      .bytes(packet)
      .bytes(response);
    this.#soon();
  }

  #follow(source: ChangeSource): void {
    if (this.#sources.has(source)) return;
    this.#sources.set(
      source,
      source.onChange((tag) => this.#post({ kind: "drop", tag })),
    );
  }

  forget(): void {
    for (const stop of this.#sources.values()) stop();
    this.#sources.clear();
    this.#post({ kind: "clear" });
  }

  /** What an answer shows may end with the next message: those that were worked out before go first. */
  #post(message: ToBatchThread): void {
    this.#flush();
    this.#worker.postMessage(message);
    this.#soon();
  }

  /** Answers of one turn go together, and the thread is woken once for all that is posted in it. */
  #soon(): void {
    if (this.#posted) return;
    this.#posted = true;
    queueMicrotask(() => {
      this.#posted = false;
      this.#flush();
      writeSync(this.#wake, oneBell);
    });
  }

  #flush(): void {
    if (this.#answers.empty) return;
    const frames = this.#answers.take();
    this.#worker.postMessage({ kind: "answers", frames } satisfies ToBatchThread, [frames.buffer]);
  }

  async close(): Promise<void> {
    // Who waits for its end wants to see it, even when nothing else keeps the process alive.
    this.#worker.ref();
    this.forget();
    this.#post({ kind: "end" });
    await this.#ended;
    closeSync(this.#wake);
  }
}

function remember<T>(map: Map<number, T>, id: number, value: T): void {
  map.set(id, value);
  if (map.size > maxCounters) map.delete(map.keys().next().value as number);
}

const oneBell = new Uint8Array(BigUint64Array.of(1n).buffer);

function threadUrl(): URL {
  return import.meta.url.endsWith(".ts") ? new URL("./thread.ts", import.meta.url) : new URL("./dns-batch.js", import.meta.url);
}
