/** Those who joined the streams of a container's main process (upstream: CRI `Attach`). */
import type { AttachOptions, ExecSession, ExitStatus } from "../../../api/node-agent.ts";
import type { Container } from "../../../api/types.ts";
import { failedSession } from "../failed-session.ts";
import { writeTo } from "./exec-session.ts";
import type { ContainerProcess } from "./placement.ts";

type Listener = (stream: "stdout" | "stderr", chunk: Uint8Array) => void;

export class Attachments {
  readonly #container: Container;
  readonly #main: ContainerProcess;
  readonly #attached = new Set<Attached>();
  #end: ExitStatus | undefined;

  constructor(container: Container, main: ContainerProcess) {
    this.#container = container;
    this.#main = main;
    // The reader may be gone before we are; its exit code tells what matters.
    main.stdin?.on("error", () => undefined);
  }

  attach(options: AttachOptions): ExecSession {
    if (options.stdin && this.#main.stdin === undefined)
      return failedSession(`container ${this.#container.name} has no standard input: its spec does not say "stdin: true"`);
    const attached = new Attached(this.#main, options.stdin && this.#container.stdinOnce === true, () => this.#attached.delete(attached));
    if (this.#end !== undefined) attached.settle(this.#end);
    else this.#attached.add(attached);
    return attached;
  }

  /** Gives the main process's output to all; whoever is slow is waited for by its own connection, not here. */
  output(stream: "stdout" | "stderr", chunk: Uint8Array): undefined {
    for (const attached of this.#attached) attached.output(stream, chunk);
  }

  end(status: ExitStatus): void {
    this.#end = status;
    for (const attached of this.#attached) attached.settle(status);
    this.#attached.clear();
  }
}

class Attached implements ExecSession {
  readonly done: Promise<ExitStatus>;
  readonly #main: ContainerProcess;
  readonly #closesInput: boolean;
  readonly #detach: () => void;
  #settle: (status: ExitStatus) => void = () => undefined;
  #listener: Listener | undefined;

  constructor(main: ContainerProcess, closesInput: boolean, detach: () => void) {
    this.#main = main;
    this.#closesInput = closesInput;
    this.#detach = detach;
    this.done = new Promise((resolve) => (this.#settle = resolve));
  }

  write(chunk: Uint8Array): Promise<void> {
    return writeTo(this.#main.stdin, chunk);
  }

  /** The container's input outlives this client, unless it is for one client only. */
  closeStdin(): void {
    if (this.#closesInput) this.#main.stdin?.end();
  }

  onOutput(listener: Listener): void {
    this.#listener = listener;
  }

  resize(columns: number, rows: number): void {
    this.#main.resize(columns, rows);
  }

  kill(): void {
    this.closeStdin();
    this.#detach();
  }

  output(stream: "stdout" | "stderr", chunk: Uint8Array): void {
    this.#listener?.(stream, chunk);
  }

  settle(status: ExitStatus): void {
    this.#settle(status);
  }
}
