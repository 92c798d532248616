/**
 * A pod is a function in this process: for tests that want real Services and real sockets, and pods that start in well under
 * a millisecond. An image name stands for a handler; what it gives back is served at the pod's own address.
 */
import { randomBytes } from "node:crypto";
import type { ExecSession, PodRef } from "../../../api/node-agent.ts";
import type { Container, Pod } from "../../../api/types.ts";
import { errorMessage } from "../../../lib/errors.ts";
import { failedSession } from "../failed-session.ts";
import { loopbackVariables } from "../loopback-variables.ts";
import {
  ContainerStartError,
  type Connect,
  type ContainerSpec,
  type IgnoredField,
  type ImageAnswer,
  type PodIdentity,
  type PodNote,
  type ProcessExit,
  type RunningContainer,
  type Runtime,
} from "../runtime.ts";
import { isServer, serve, type NetServer, type ServedPort } from "./serve.ts";

export interface FunctionContext {
  readonly pod: Pod;
  readonly container: Container;
  readonly ip: string;
  readonly env: Readonly<Record<string, string>>;
  readonly command: readonly string[];
  readonly args: readonly string[];
  /** By name, and by number as text for ports without a name. */
  readonly ports: Readonly<Record<string, number>>;
  /** Aborted where a process would get SIGTERM. */
  readonly signal: AbortSignal;
  /** One line of the container's log. */
  log(line: string, stream?: "stdout" | "stderr"): void;
}

/**
 * Gives a server (`node:http`, `node:net`), or several by port: those that do not listen yet listen on the pod's address, at
 * the container's first port where none is named. The container runs until they close, or, when something else comes back,
 * until that settles: then it has exited with code 0, or 1 where it was rejected. A number is taken as the exit code.
 */
export type FunctionHandler = (context: FunctionContext) => unknown;

export interface FunctionRuntimeOptions {
  /** By the image exactly as the pod names it. */
  readonly handlers: Readonly<Record<string, FunctionHandler>>;
  readonly version: string;
  /** From the node to a pod, for probes and hooks. Default: from this machine. */
  readonly connect?: Connect;
}

export interface FunctionRuntime extends Runtime {
  /** Adds or replaces a handler; for containers started from now on. */
  setHandler(image: string, handler: FunctionHandler): void;
}

export function createFunctionRuntime(options: FunctionRuntimeOptions): FunctionRuntime {
  return new HandlerRuntime(options);
}

class HandlerRuntime implements FunctionRuntime {
  readonly version: string;
  /** `run` resolves when the servers listen. */
  readonly firstProbeMs = 0;
  readonly hostNetwork = false;
  readonly connect?: Connect;
  readonly #handlers: Map<string, FunctionHandler>;
  readonly #running = new Set<FunctionContainer>();

  constructor(options: FunctionRuntimeOptions) {
    this.version = `function://${options.version}`;
    if (options.connect !== undefined) this.connect = options.connect;
    this.#handlers = new Map(Object.entries(options.handlers));
  }

  setHandler(image: string, handler: FunctionHandler): void {
    this.#handlers.set(image, handler);
  }

  async start(): Promise<void> {}

  async setUpPod(): Promise<readonly PodNote[]> {
    return [];
  }

  async tearDownPod(): Promise<void> {}

  async stop(): Promise<void> {
    const left = [...this.#running];
    for (const container of left) container.signal("SIGKILL");
    await Promise.all(left.map(({ exited }) => exited));
  }

  image({ image = "" }: Container): ImageAnswer {
    if (this.#handlers.has(image)) return { kind: "present", imageID: `function://${image}` };
    const known = [...this.#handlers.keys()].join(", ") || "none";
    return { kind: "absent", message: `no handler stands behind image ${JSON.stringify(image)}; there are: ${known}` };
  }

  baseEnvironment(pod: PodIdentity, container: Container): Readonly<Record<string, string>> {
    return loopbackVariables(pod, container);
  }

  async run(spec: ContainerSpec): Promise<RunningContainer> {
    const handler = this.#handlers.get(spec.container.image ?? "");
    if (handler === undefined) throw new ContainerStartError(`no handler stands behind image ${JSON.stringify(spec.container.image)}`);
    const container = new FunctionContainer(`function://${randomBytes(8).toString("hex")}`, spec);
    this.#running.add(container);
    void container.exited.then(() => this.#running.delete(container));
    await container.begin(handler);
    return container;
  }

  async removePod(_pod: PodRef): Promise<void> {}

  ignoredFields(pod: Pod): readonly IgnoredField[] {
    return (pod.spec?.volumes ?? []).map((_, i) => ({ field: `spec.volumes[${i}]`, why: "handlers have no files" }));
  }
}

class FunctionContainer implements RunningContainer {
  readonly id: string;
  readonly exited: Promise<ProcessExit>;
  readonly drained: Promise<void>;
  readonly #spec: ContainerSpec;
  readonly #abort = new AbortController();
  readonly #servers: NetServer[] = [];
  #settle: (exit: ProcessExit) => void = () => undefined;

  constructor(id: string, spec: ContainerSpec) {
    this.id = id;
    this.#spec = spec;
    this.exited = new Promise((resolve) => (this.#settle = resolve));
    this.drained = this.exited.then(() => undefined);
  }

  /** Resolves when its servers listen, where it gave any at once. */
  async begin(handler: FunctionHandler): Promise<void> {
    let result: unknown;
    try {
      result = handler(this.#context());
    } catch (error) {
      return this.#fail(error);
    }
    const servers = servedPorts(result);
    if (servers === undefined) {
      void this.#follow(result);
      return;
    }
    await this.#serve(servers);
  }

  signal(name: NodeJS.Signals): void {
    this.#abort.abort(new Error(name));
    for (const server of this.#servers) server.stop(name === "SIGKILL");
    if (name === "SIGKILL") this.#settle({ exitCode: 137 });
  }

  exec(): Promise<ExecSession> {
    return Promise.resolve(failedSession("the pod is a function of this process: it has no commands to run"));
  }

  attach(): Promise<ExecSession> {
    return Promise.resolve(failedSession("the pod is a function of this process: it has no streams to join"));
  }

  async #follow(result: unknown): Promise<void> {
    try {
      const value = await result;
      const servers = servedPorts(value);
      if (servers === undefined) this.#settle({ exitCode: typeof value === "number" ? value : 0 });
      else await this.#serve(servers);
    } catch (error) {
      this.#fail(error);
    }
  }

  async #serve(servers: readonly ServedPort[]): Promise<void> {
    try {
      for (const { server, port } of servers) {
        this.#servers.push(await serve(server, this.#spec.pod.ip, port ?? this.#spec.container.ports?.[0]?.containerPort ?? 0));
      }
      if (this.#abort.signal.aborted) for (const server of this.#servers) server.stop(false);
      void Promise.all(this.#servers.map(({ closed }) => closed)).then(() => this.#settle({ exitCode: 0 }));
    } catch (error) {
      for (const server of this.#servers) server.stop(true);
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#log(error instanceof Error ? (error.stack ?? error.message) : errorMessage(error), "stderr");
    this.#settle({ exitCode: 1 });
  }

  #context(): FunctionContext {
    const { object, container, pod, env, command, args } = this.#spec;
    const ports = Object.fromEntries(
      (container.ports ?? []).map(({ name, containerPort }) => [name ?? String(containerPort), containerPort]),
    );
    const log = (line: string, stream?: "stdout" | "stderr") => this.#log(line, stream ?? "stdout");
    return { pod: object, container, ip: pod.ip, env, command, args, ports, signal: this.#abort.signal, log };
  }

  #log(line: string, stream: "stdout" | "stderr"): void {
    void this.#spec.output(stream, Buffer.from(`${line}\n`));
  }
}

function servedPorts(value: unknown): readonly ServedPort[] | undefined {
  if (isServer(value)) return [{ server: value }];
  if (typeof value !== "object" || value === null) return undefined;
  const entries = Object.entries(value);
  if (entries.length === 0 || !entries.every(([port, server]) => /^\d+$/.test(port) && isServer(server))) return undefined;
  return entries.map(([port, server]) => ({ port: Number(port), server }));
}
