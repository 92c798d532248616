/**
 * What runs containers. The contract:
 *
 * - A runtime knows nothing of the API and decides nothing: no restarts, no probes, no status. The kubelet owns each
 *   `RunningContainer` and ends it; a runtime's `stop` ends whatever is left.
 * - `run` resolves once the container runs, and rejects with `ContainerStartError` when it cannot; other containers are
 *   never touched. `exited` always settles, exactly once, and as soon as the main process is gone.
 * - `setUpPod` comes before a pod's first `run`, `tearDownPod` after its last container; `removePod` comes last.
 * - Output goes to `ContainerSpec.output`; it may still come after `exited`, until `drained`.
 */
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { AttachOptions, ExecOptions, ExecSession, PodRef } from "../../api/node-agent.ts";
import type { Container, Pod } from "../../api/types.ts";
import type { RegistryCredentials } from "../images/image-source.ts";
import type { LogStream } from "../logs/log-format.ts";
import type { Usage } from "../usage/process-table.ts";
import type { ProbeKind, ProbeOutcome } from "../probes/schedule.ts";

export interface PodIdentity extends PodRef {
  /** The first of `ips`; empty before it has one. */
  readonly ip: string;
  /** One per family, in the order of the node's ranges. */
  readonly ips: readonly string[];
}

/** A connected socket, half-open allowed. Rejects with the system's error, after `timeoutMs` with `code: "ETIMEDOUT"`. */
export type Connect = (target: { readonly host: string; readonly port: number; readonly timeoutMs?: number }) => Promise<Socket>;

/** A volume as one container sees it. */
export interface ContainerMount {
  /** Absolute, as the pod says. */
  readonly mountPath: string;
  /** The directory or file of the host that stands there. */
  readonly source: string;
  readonly readOnly: boolean;
}

export interface ContainerSpec {
  readonly pod: PodIdentity;
  readonly object: Pod;
  readonly container: Container;
  /** From 0: the container's `restartCount`. */
  readonly instance: number;
  /** `$(NAME)` is already replaced. */
  readonly command: readonly string[];
  readonly args: readonly string[];
  /** Complete: what `baseEnvironment` gave is part of it. */
  readonly env: Readonly<Record<string, string>>;
  readonly mounts: readonly ContainerMount[];
  /** Takes output; waits for a returned promise before it gives more. */
  readonly output: (stream: LogStream, chunk: Uint8Array) => Promise<void> | undefined;
}

export interface ProcessExit {
  /** 128+n for a process ended by signal n. */
  readonly exitCode: number;
  /** What the container left as its termination message, if anything. */
  readonly message?: string;
  /** The kernel killed it, for it had more memory than its limit. */
  readonly outOfMemory?: boolean;
}

export interface RunningContainer {
  /** `loopback://1f3a…`: unique over restarts of the program. */
  readonly id: string;
  readonly exited: Promise<ProcessExit>;
  /** With which it wants to be stopped, where its image says so. */
  readonly stopSignal?: NodeJS.Signals;
  /** No output comes any more. Settles after `exited`, within a bounded time. */
  readonly drained: Promise<void>;
  /** Sends a signal (`SIGTERM`) to all processes of the container. Nothing happens when it is over. */
  signal(name: NodeJS.Signals): void;
  exec(options: ExecOptions): Promise<ExecSession>;
  /** What it has written beside its volumes, in bytes. Absent: it is not known. */
  writtenBytes?(): Promise<number>;
  /** The streams of the main process, from now on. Never rejects. */
  attach(options: AttachOptions): Promise<ExecSession>;
}

/** The container could not be started: reason and text for its status, as runtimes give them. */
export class ContainerStartError extends Error {
  readonly exitCode = 128;
  readonly reason = "StartError";
}

export type ImageAnswer =
  /** `note`: what the user should know, as a Warning. */
  | { readonly kind: "present"; readonly imageID: string; readonly note?: string }
  | ImageAbsent
  /** `Runtime.pull` may have it. */
  | { readonly kind: "pull" };

export interface ImageAbsent {
  readonly kind: "absent";
  /** Of the container's status; default `ErrImagePull`, which is tried again. */
  readonly reason?: "ErrImagePull" | "ErrImageNeverPull" | "InvalidImageName";
  readonly message: string;
}

/** `size`: of its layers as they came, in bytes. */
export type PullAnswer = { readonly kind: "present"; readonly imageID: string; readonly size: number } | ImageAbsent;

/** A field of a pod that has no effect here. */
export interface IgnoredField {
  /** `spec.containers[0].securityContext.runAsUser` */
  readonly field: string;
  readonly why: string;
}

/** What its user should know of a pod, as a Warning. */
export interface PodNote {
  readonly reason: string;
  readonly message: string;
}

/** A listening TCP socket of this machine. */
export interface PortListener {
  /** `0.0.0.0` and `::` are all addresses. */
  readonly address: string;
  readonly port: number;
  /** Whose process holds it; undefined: none of the pods' that could be looked at. */
  readonly pod: PodRef | undefined;
  /** Fairlead's own process holds it: a Service's address. */
  readonly self: boolean;
}

/** What the kubelet does to a container, beside starting and stopping it. */
export type ContainerAction = ProbeKind | "postStart" | "preStop";

export interface Runtime {
  /** The node's `containerRuntimeVersion`: `loopback://0.1.0`. */
  readonly version: string;
  /** How soon after a container's start its first probe makes sense, in ms; default 25. */
  readonly firstProbeMs?: number;
  /** Whether pods with `hostNetwork: true` have the node's addresses. Otherwise each pod has its own. */
  readonly hostNetwork: boolean;
  /** Ends what a former run of the program left behind. */
  start(): Promise<void>;
  /** Ends everything that still runs. */
  stop(): Promise<void>;
  /** What stands behind a container's image. */
  image(container: Container): ImageAnswer;
  /** Has an image that `image` asks to be pulled. Never rejects. */
  pull?(container: Container, credentials: readonly RegistryCredentials[]): Promise<PullAnswer>;
  /** Variables that every container gets: lowest in precedence, and known to `$(NAME)`. */
  baseEnvironment(pod: PodIdentity, container: Container, object: Pod): Readonly<Record<string, string>>;
  /** Why a container may not run as its pod asks: reason CreateContainerConfigError. Undefined: it may. */
  refusal?(object: Pod, container: Container): string | undefined;
  /** Makes what the pod's containers share, its network first of all. Nothing when it is there already. Rejects when it cannot. */
  setUpPod(pod: PodIdentity, object: Pod): Promise<readonly PodNote[]>;
  /** Takes that away again, once no container runs; its addresses may be given to others then. */
  tearDownPod(pod: PodRef): Promise<void>;
  run(spec: ContainerSpec): Promise<RunningContainer>;
  /** Gives back what the pod's containers left on disk, and ends processes that got away from their container. */
  removePod(pod: PodRef): Promise<void>;
  ignoredFields(pod: Pod): readonly IgnoredField[];
  /** What running containers use, by their ids: one look at all of them. */
  usage?(): Promise<ReadonlyMap<string, Usage>>;
  /** Puts a file system in memory at a directory of the pod's, until `removePod`. Throws where the kernel refuses. */
  mountMemory?(pod: PodRef, directory: string, sizeBytes: number | undefined): void;
  /** Whether volumes can be given to groups (`fsGroup`). */
  readonly setsGroups?: boolean;
  /** Carries out probes and hooks itself, where there is nobody to connect to and nothing to run. Default: over the network, and by `exec`. */
  act?(pod: PodRef, container: Container, action: ContainerAction): Promise<ProbeOutcome>;
  /** From the node to a pod, for probes and hooks. Default: from this machine. */
  readonly connect?: Connect;
  /** To a port as a process of the pod reaches it at `localhost`. Default: at the pod's address. */
  dial?(pod: PodRef, port: number): Promise<Duplex>;
  /** Where a container finds its volumes, if not where the pod asks for them. */
  mountNote?(pod: PodRef, container: Container): string | undefined;
  /**
   * Who listens on a TCP port, where pods share the machine's addresses. With `ip` only those that a connection to it can
   * reach. Not cheap: for the moments when something failed, or first succeeds.
   */
  listeners?(port: number, ip?: string): Promise<readonly PortListener[]>;
}
