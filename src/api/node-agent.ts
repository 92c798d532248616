/**
 * What the API server asks of the node agent that runs a pod: logs, exec, port-forward. The kubelet implements it, the
 * API server knows only this interface; in one process it is a call, over the network it will be the kubelet's API.
 * Errors are `StatusError`s with upstream's texts (`container web is not valid for pod web-1`).
 */

export interface PodRef {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export interface LogOptions {
  readonly container: string;
  readonly follow: boolean;
  readonly previous: boolean;
  readonly timestamps: boolean;
  readonly tailLines?: number;
  readonly sinceSeconds?: number;
  /** RFC 3339 */
  readonly sinceTime?: string;
  readonly limitBytes?: number;
}

export interface ExecOptions {
  readonly container: string;
  readonly command: readonly string[];
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** As exec, but of the container's own process. */
export type AttachOptions = Omit<ExecOptions, "command">;

export type ExitStatus = { readonly kind: "exited"; readonly code: number } | { readonly kind: "failed"; readonly message: string };

/** A running command. Its owner must call `kill` when the client goes away. */
export interface ExecSession {
  /** Writes to the command's standard input; resolves when the pipe takes more. */
  write(chunk: Uint8Array): Promise<void>;
  closeStdin(): void;
  /** Called for each piece of output, until `done` settles. One listener. */
  onOutput(listener: (stream: "stdout" | "stderr", chunk: Uint8Array) => void): void;
  resize(columns: number, rows: number): void;
  readonly done: Promise<ExitStatus>;
  kill(): void;
}

/** What something uses at the moment. */
export interface ResourceUsage {
  /** CPU time in each second, in nanoseconds. */
  readonly cpuNanoCores: number;
  readonly memoryBytes: number;
}

export interface PodUsage {
  readonly pod: PodRef;
  readonly containers: readonly { readonly name: string; readonly usage: ResourceUsage }[];
}

export interface NodeUsage {
  /** ms since the epoch */
  readonly at: number;
  /** Over which CPU time was measured: the longest of its containers'. */
  readonly windowMs: number;
  readonly node: ResourceUsage;
  readonly pods: readonly PodUsage[];
}

export interface NodeAgent {
  logs(pod: PodRef, options: LogOptions, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  exec(pod: PodRef, options: ExecOptions): Promise<ExecSession>;
  /**
   * Joins the main process's streams from now on. `done`: how that process ended; `kill` only detaches. `stdin` needs
   * `stdin: true` in the pod's spec, `tty` its `tty: true`.
   */
  attach(pod: PodRef, options: AttachOptions): Promise<ExecSession>;
  /** A connection to a port inside the pod; the caller destroys it. Rejects with an Error whose message says what could not be reached. */
  dial(pod: PodRef, port: number): Promise<import("node:stream").Duplex>;
  /** Of its running containers. Absent: it cannot be measured. */
  readonly usage?: () => Promise<NodeUsage>;
}
