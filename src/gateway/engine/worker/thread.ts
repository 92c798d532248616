/**
 * A thread that does nothing but serve: the engine on an event loop of ours. What it serves comes by messages, as does what is to
 * listen; what became of requests goes back in batches.
 */
import { parentPort, workerData, type MessagePort } from "node:worker_threads";
import type { BackendEndpoint } from "../../../decide/routes/index.ts";
import { realClock } from "../../../lib/clock.ts";
import type { ConnectFailed } from "../../../net/connect.ts";
import { adoptEpoll, connectEpoll } from "../../../net/epoll/epoll-transport.ts";
import { openEventLoop, type EventLoop } from "../../../net/epoll/event-loop.ts";
import { openTls, type EpollTls } from "../../../net/epoll/tls.ts";
import type { StreamSocket } from "../../../net/stream-socket.ts";
import type { Engine, EngineListen, EngineListener } from "../engine.ts";
import { createEpollCarrier } from "../epoll-carrier.ts";
import { createProxyEngine } from "../proxy-engine.ts";
import { DeltaReader } from "./change-delta.ts";
import { statSlots, type ConnectionAnswer, type EngineThreadData, type FromEngineThread, type ToEngineThread } from "./protocol.ts";
import { RecordReporter } from "./record-reporter.ts";

class EngineThread {
  readonly #port: MessagePort;
  readonly #loop: EventLoop;
  readonly #engine: Engine;
  readonly #reporter: RecordReporter;
  readonly #deltas = new DeltaReader();
  readonly #listeners = new Map<number, EngineListener>();
  readonly #connecting = new Map<number, (answer: ConnectionAnswer) => void>();
  #nextConnection = 0;

  constructor(port: MessagePort, data: EngineThreadData, loop: EventLoop, tls: EpollTls) {
    this.#port = port;
    this.#loop = loop;
    const connect = data.asksForConnections
      ? (endpoint: BackendEndpoint, timeoutMs: number) => this.#askForConnection(endpoint, timeoutMs)
      : undefined;
    this.#reporter = new RecordReporter(data.records, loop.clock, (packed) => this.#post({ kind: "records", packed }));
    this.#engine = createProxyEngine(createEpollCarrier({ loop, tls, shared: data.shared, connect }), {
      random: Math.random,
      limits: data.limits,
      observe: data.observe,
      ...(data.records === "none" ? {} : { onRequest: (record) => this.#reporter.add(record) }),
    });
    loop.wakeBy(data.wake);
    const slots = new Float64Array(data.stats);
    loop.atTurnEnd(() => {
      const { clients, tunnels, requests } = this.#engine.stats();
      slots[statSlots.clients] = clients;
      slots[statSlots.tunnels] = tunnels;
      slots[statSlots.requests] = requests;
    });
  }

  start(): void {
    this.#port.on("message", (message: ToEngineThread) => this.#receive(message));
  }

  #post(message: FromEngineThread): void {
    this.#port.postMessage(message);
  }

  #receive(message: ToEngineThread): void {
    switch (message.kind) {
      case "publish":
        return this.#engine.publish(this.#deltas.read(message.change));
      case "listen":
        return void this.#listen(message.id, message.options);
      case "close":
        return void this.#close(message.id);
      case "connection":
        this.#connecting.get(message.id)?.(message.answer);
        this.#connecting.delete(message.id);
        return;
      case "settle":
        return this.#post({ kind: "settled", id: message.id });
      case "stop":
        return void this.#stop(message.graceMs);
    }
  }

  async #listen(id: number, options: EngineListen): Promise<void> {
    const listener = await this.#engine.listen(options);
    if (listener.kind === "ok") this.#listeners.set(id, listener);
    const { close: _, ...result } = listener.kind === "ok" ? listener : { ...listener, close: undefined };
    this.#post({ kind: "listening", id, result });
  }

  async #close(id: number): Promise<void> {
    await this.#listeners.get(id)?.close();
    this.#listeners.delete(id);
    this.#post({ kind: "closed", id });
  }

  /** Where endpoints are in another network than this thread: whoever has a way there gives the socket's number. */
  #askForConnection(endpoint: BackendEndpoint, timeoutMs: number): Promise<StreamSocket> {
    const id = this.#nextConnection++;
    return new Promise((resolve, reject) => {
      const fail = (code: string) => reject(Object.assign(new Error(code), { code }));
      this.#connecting.set(id, (answer) => {
        if ("failed" in answer) return fail(answer.failed);
        const done = (result: StreamSocket | ConnectFailed) => ("failed" in result ? fail(result.failed) : resolve(result));
        if ("fd" in answer) adoptEpoll(this.#loop, answer, timeoutMs, done);
        else connectEpoll(this.#loop, { host: answer.ip, port: answer.port, timeoutMs }, done);
      });
      this.#post({ kind: "connect", id, endpoint });
    });
  }

  async #stop(graceMs: number): Promise<void> {
    await this.#engine.stop(graceMs);
    this.#reporter.flush();
    this.#loop.stop();
    this.#post({ kind: "stopped" });
    this.#port.close();
  }
}

const loop = openEventLoop(realClock);
const tls = loop === undefined ? undefined : openTls(loop);
if (parentPort === null || loop === undefined || tls === undefined) throw new Error("a thread of the gateway, with FFI");
new EngineThread(parentPort, workerData as EngineThreadData, loop, tls).start();
