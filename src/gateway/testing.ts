/** For tests of the gateway: an engine with endpoints that a test writes, and clients that say exactly what they are told. */
import { createServer as createHttpServer, type RequestListener, type Server } from "node:http";
import { connect, createServer, type AddressInfo, type Server as NetServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { ingressTable, type Backend, type HostRoute, mergeHost } from "../decide/routes/index.ts";
import { realClock } from "../lib/clock.ts";
import type { Engine, EngineLimits } from "./engine/engine.ts";
import { createNodeEngine, type NodeEngineOptions } from "./engine/node-engine.ts";
import type { RequestRecord } from "./engine/requests.ts";
import { createWorkerEngine } from "./engine/worker/worker-engine.ts";

/** What a test opened; closed in reverse. */
export class Opened {
  readonly #close: (() => unknown)[] = [];

  add<T>(value: T, close: () => unknown): T {
    this.#close.push(close);
    return value;
  }

  async closeAll(): Promise<void> {
    for (const close of this.#close.splice(0).reverse()) await close();
  }
}

async function listening(server: NetServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  return (server.address() as AddressInfo).port;
}

/** An endpoint by node:http; gives its port. */
export async function httpEndpoint(opened: Opened, handler: RequestListener): Promise<{ readonly port: number; readonly server: Server }> {
  const server = createHttpServer(handler);
  const port = await listening(server);
  opened.add(server, () => {
    server.closeAllConnections();
    return new Promise((done) => server.close(done));
  });
  return { port, server };
}

/** An endpoint that gets the bare connection. */
export async function rawEndpoint(opened: Opened, onConnection: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
    onConnection(socket);
  });
  const port = await listening(server);
  opened.add(server, () => {
    for (const socket of sockets) socket.destroy();
    return new Promise((done) => server.close(done));
  });
  return port;
}

export interface TestEngine {
  readonly engine: Engine;
  readonly port: number;
  readonly records: RequestRecord[];
  /** Makes these the endpoints of the one backend, `default/web:80`. */
  setEndpoints(...ports: readonly number[]): Promise<void>;
}

type EngineKind = "node" | "threads";
/** `FAIRLEAD_TEST_ENGINE=threads`: whatever file it is. */
let kind: EngineKind = process.env["FAIRLEAD_TEST_ENGINE"] === "threads" ? "threads" : "node";

/** Which engine this file of tests is about. */
export function useEngine(wanted: EngineKind): void {
  kind = wanted;
}

type TestEngineOptions = Omit<NodeEngineOptions, "connect" | "udpTarget">;

/** Of that kind. In threads time is the machine's. */
export function testEngine(options: TestEngineOptions): Engine {
  const engine = kind === "node" ? createNodeEngine(options) : createWorkerEngine(options);
  if (engine === undefined) throw new Error("threads need FFI (koffi)");
  return engine;
}

/** Limits in a time that a test waits for: a fifth where time is the machine's. */
export function scaled(limits: Readonly<Partial<Record<"headMs" | "bodyMs" | "idleMs" | "responseMs", number>>>): Partial<EngineLimits> {
  const factor = kind === "node" ? 1 : 0.2;
  return Object.fromEntries(Object.entries(limits).map(([name, ms]) => [name, ms * factor]));
}

/** An engine whose one rule sends every request of every host to `default/web:80`. */
export async function startEngine(
  opened: Opened,
  ports: readonly number[],
  limits: Partial<EngineLimits> = {},
  clock = realClock,
): Promise<TestEngine> {
  const records: RequestRecord[] = [];
  const engine = testEngine({ clock, random: () => 0, limits, onRequest: (record) => void records.push(record) });
  opened.add(engine, () => engine.stop());
  engine.publish({ routeTable: ingressTable([mergeHost("*", [everything]).virtualHost], []) });
  const setEndpoints = (...to: readonly number[]) => {
    const backend: Backend = { kind: "endpoints", endpoints: to.map((port) => ({ ip: "127.0.0.1", port })) };
    engine.publish({ backends: new Map([["default/web:80", backend]]) });
    return engine.settled();
  };
  await setEndpoints(...ports);
  const listener = await engine.listen({ name: "http", protocol: "HTTP", host: "127.0.0.1", port: 0 });
  if (listener.kind === "failed") throw new Error(listener.message);
  return { engine, port: listener.port, records, setEndpoints };
}

export const everything: HostRoute = {
  host: "*",
  created: "",
  secondary: false,
  route: {
    id: "Ingress default/web spec.rules[0].http.paths[0]",
    source: { kind: "Ingress", namespace: "default", name: "web", field: "spec.rules[0].http.paths[0]" },
    match: { path: { kind: "prefix", value: "/" } },
    filters: [],
    backends: [{ kind: "Service", namespace: "default", name: "web", port: { kind: "number", number: 80 }, weight: 1 }],
    timeouts: {},
  },
};

export interface RawClient {
  readonly socket: Socket;
  /** All that has come so far, latin-1. */
  text(): string;
  send(text: string | Buffer): void;
  /** When what has come satisfies `enough`; rejects when the connection ends before. */
  until(enough: (text: string) => boolean): Promise<string>;
  /** When the server has ended or broken the connection: all that came. */
  closed(): Promise<string>;
}

export function rawClient(opened: Opened, port: number): RawClient {
  const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true, noDelay: true });
  opened.add(socket, () => socket.destroy());
  return collecting(socket);
}

export function collecting(socket: Socket | Duplex): RawClient {
  let text = "";
  let over = false;
  const waiting = new Set<() => void>();
  const wake = () => {
    for (const each of [...waiting]) each();
  };
  const ended = () => {
    over = true;
    wake();
  };
  socket.on("data", (bytes: Buffer) => {
    text += bytes.toString("latin1");
    wake();
  });
  socket.on("end", ended);
  socket.on("close", ended);
  socket.on("error", ended);
  const wait = (done: () => boolean) =>
    new Promise<string>((resolve, reject) => {
      const check = () => {
        if (!done() && !over) return;
        waiting.delete(check);
        if (done()) resolve(text);
        else reject(new Error(`the connection ended after ${JSON.stringify(text.slice(0, 500))}`));
      };
      waiting.add(check);
      check();
    });
  return {
    socket: socket as Socket,
    text: () => text,
    send: (bytes) => void socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes),
    until: (enough) => wait(() => enough(text)),
    closed: () => wait(() => over),
  };
}
