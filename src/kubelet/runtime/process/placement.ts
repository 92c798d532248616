/**
 * Where the process runtime puts containers: what differs between modes, behind one interface. `loopback/` runs them in
 * the machine's own network and files, `namespaced/` gives each pod a network and each container files of its own.
 * A placement decides nothing about images, restarts or logs; it makes places, and starts processes in them.
 */
import type { Duplex, Readable, Writable } from "node:stream";
import type { PodRef } from "../../../api/node-agent.ts";
import type { Container, Pod } from "../../../api/types.ts";
import type { Connect, ContainerSpec, IgnoredField, PodIdentity, PodNote, PortListener, ProcessExit } from "../runtime.ts";
import type { Cgroup } from "../cgroups/cgroups.ts";
import type { ImageEntry } from "./images.ts";

/** How a process is joined to us. */
export interface ProcessStreams {
  /** Otherwise it reads an empty input. */
  readonly stdin: boolean;
  /** One pseudo-terminal for all three; output comes on `stdout`. */
  readonly terminal: boolean;
}

/** A running process that leads a process group of its own. Nobody reads its streams yet. */
export interface ContainerProcess {
  readonly pid: number;
  readonly stdin: Writable | undefined;
  readonly stdout: Readable | undefined;
  readonly stderr: Readable | undefined;
  /** Settles once, as soon as the process is gone. */
  readonly exited: Promise<Pick<ProcessExit, "exitCode">>;
  /** To the whole group, which may outlive its leader; nothing when nobody is left. */
  signal(name: NodeJS.Signals): void;
  /** Of its terminal, where it has one. */
  resize(columns: number, rows: number): void;
}

/** One container's surroundings. */
export interface ContainerPlace {
  /** Of container ids, where it is not the placement's. */
  readonly scheme?: string;
  readonly stopSignal?: NodeJS.Signals;
  /** What holds its limits, where it has any and the kernel keeps them. Whoever started the main process removes it after its end. */
  readonly cgroup?: Cgroup;
  /** On this machine: where the container's termination message will be. */
  readonly messageFile: string;
  /** Starts the main process. Throws ContainerStartError. */
  start(words: readonly string[], streams: ProcessStreams): Promise<ContainerProcess>;
  /** What the container has written to its own root, in bytes. Absent: it has none. */
  writtenBytes?(main: ContainerProcess): Promise<number>;
  /** Starts a further one beside the main process. Throws ContainerStartError. */
  exec(words: readonly string[], streams: ProcessStreams, main: ContainerProcess): Promise<ContainerProcess>;
}

export interface Placement {
  /** Of container ids and of the node's `containerRuntimeVersion`: `loopback`. */
  readonly scheme: string;
  /** Whether pods with `hostNetwork` have the node's addresses. */
  readonly hostNetwork: boolean;
  /** Before the first pod: ends what a former run left. */
  start(): Promise<void>;
  /** After the last container has ended. */
  stop(): Promise<void>;
  /** Makes what the pod's containers share; nothing when it is there. */
  setUpPod(pod: PodIdentity, object: Pod): Promise<readonly PodNote[]>;
  /** Takes that away. */
  tearDownPod(pod: PodRef): Promise<void>;
  /** Ends what got away from the pod's containers, and removes its files. */
  removePod(pod: PodRef): Promise<void>;
  /** Variables that every container of the pod gets, under the image's. */
  baseEnvironment(pod: PodIdentity, container: Container, object: Pod): Readonly<Record<string, string>>;
  /** Why a container may not run as its pod asks; undefined: it may. */
  refusal?(object: Pod, container: Container): string | undefined;
  /**
   * Makes the place of a container's next instance. `target`: the first process of another container of the pod, whose processes this
   * one is to see. Throws ContainerStartError.
   */
  prepare(spec: ContainerSpec, image: ImageEntry | undefined, target: number | undefined): Promise<ContainerPlace>;
  /** `isReal`: whether a real image stands behind the container. */
  ignoredFields(pod: Pod, isReal: (container: Container) => boolean): readonly IgnoredField[];
  mountNote?(pod: PodRef, container: Container): string | undefined;
  listeners?(port: number, ip: string | undefined, containers: readonly RunningProcess[]): Promise<readonly PortListener[]>;
  mountMemory?(pod: PodRef, directory: string, sizeBytes: number | undefined): void;
  readonly setsGroups?: boolean;
  readonly connect?: Connect;
  dial?(pod: PodRef, port: number): Promise<Duplex>;
}

export interface RunningProcess {
  /** The container's first process. */
  readonly pid: number;
  readonly pod: PodRef;
}
