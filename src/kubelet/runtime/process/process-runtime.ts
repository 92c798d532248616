/**
 * A container is a process of this machine; what stands behind an image is a program of this machine. No images, no root.
 * Where the process lives (in the machine's own network and files, or in namespaces) is the placement's matter.
 */
import { randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";
import type { PodRef } from "../../../api/node-agent.ts";
import type { Container, Pod } from "../../../api/types.ts";
import { silentLogger, type Logger } from "../../../lib/log.ts";
import {
  ContainerStartError,
  type Connect,
  type ContainerSpec,
  type IgnoredField,
  type ImageAnswer,
  type PodIdentity,
  type PodNote,
  type PortListener,
  type RunningContainer,
  type Runtime,
} from "../runtime.ts";
import { readProcesses, usageOfTrees, type Usage } from "../../usage/process-table.ts";
import { imageEnvironment, rootRefusal, userOf } from "../oci/image-root.ts";
import { answerImage, commandLine, findImage, type ImageEntry, type RealImages } from "./images.ts";
import { LoopbackPlacement } from "./loopback/loopback-placement.ts";
import type { Placement } from "./placement.ts";
import { ProcessContainer } from "./process-container.ts";

const hostPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface ProcessRuntimeOptions {
  /** Where pods get their directories; belongs to this runtime alone. */
  readonly directory: string;
  readonly images: readonly ImageEntry[];
  /** Asked for images that are not among those. Default: there are none. */
  readonly realImages?: RealImages;
  /** Of the program, for the node's `containerRuntimeVersion`. */
  readonly version: string;
  readonly log?: Logger;
  /** A new container id. Default: 64 random hexadecimal digits. */
  readonly newId?: () => string;
  /** From the node to a pod, for probes and hooks. Default: the placement's way. */
  readonly connect?: Connect;
}

/** In loopback mode. */
export function createProcessRuntime(options: ProcessRuntimeOptions): Runtime {
  const { directory, log = silentLogger } = options;
  return new ProcessRuntime(options, new LoopbackPlacement({ directory, log }));
}

export class ProcessRuntime implements Runtime {
  readonly version: string;
  readonly hostNetwork: boolean;
  readonly pull?: NonNullable<Runtime["pull"]>;
  readonly connect?: Connect;
  readonly setsGroups: boolean;
  readonly mountMemory?: (pod: PodRef, directory: string, sizeBytes: number | undefined) => void;
  readonly dial?: (pod: PodRef, port: number) => Promise<Duplex>;
  readonly mountNote?: (pod: PodRef, container: Container) => string | undefined;
  readonly listeners?: (port: number, ip?: string) => Promise<readonly PortListener[]>;
  readonly #options: ProcessRuntimeOptions;
  readonly #placement: Placement;
  readonly #containers = new Set<ProcessContainer>();

  constructor(options: ProcessRuntimeOptions, placement: Placement) {
    this.#options = options;
    this.#placement = placement;
    this.version = `${placement.scheme}://${options.version}`;
    this.hostNetwork = placement.hostNetwork;
    this.setsGroups = placement.setsGroups ?? false;
    const { realImages } = options;
    if (realImages !== undefined) this.pull = (container, credentials) => realImages.pull(container, credentials);
    if (placement.mountMemory !== undefined) this.mountMemory = placement.mountMemory.bind(placement);
    const connect = options.connect ?? placement.connect;
    if (connect !== undefined) this.connect = connect;
    if (placement.dial !== undefined) this.dial = placement.dial.bind(placement);
    if (placement.mountNote !== undefined) this.mountNote = placement.mountNote.bind(placement);
    const listeners = placement.listeners?.bind(placement);
    if (listeners !== undefined) this.listeners = (port, ip) => listeners(port, ip, this.#processes());
  }

  start(): Promise<void> {
    return this.#placement.start();
  }

  async stop(): Promise<void> {
    const left = [...this.#containers];
    for (const container of left) container.signal("SIGKILL");
    await Promise.all(left.map(({ exited }) => exited));
    await this.#placement.stop();
  }

  image(container: Container): ImageAnswer {
    const { images, realImages } = this.#options;
    return realImages !== undefined && this.#isReal(container) ? realImages.answer(container) : answerImage(images, container);
  }

  baseEnvironment(pod: PodIdentity, container: Container, object: Pod): Readonly<Record<string, string>> {
    const entry = this.#entry(container);
    if (entry?.root !== undefined) return imageEnvironment(entry, userOf(entry.root, container, object));
    return {
      PATH: [...(entry?.path ?? []), hostPath].join(":"),
      LANG: "C.UTF-8",
      ...this.#placement.baseEnvironment(pod, container, object),
      ...entry?.env,
    };
  }

  refusal(object: Pod, container: Container): string | undefined {
    const root = this.#entry(container)?.root;
    if (root === undefined) return this.#placement.refusal?.(object, container);
    return rootRefusal(root, container, object);
  }

  setUpPod(pod: PodIdentity, object: Pod): Promise<readonly PodNote[]> {
    return this.#placement.setUpPod(pod, object);
  }

  tearDownPod(pod: PodRef): Promise<void> {
    return this.#placement.tearDownPod(pod);
  }

  async run(spec: ContainerSpec): Promise<RunningContainer> {
    const entry = this.#entry(spec.container);
    const place = await this.#placement.prepare(spec, entry, this.#target(spec));
    const streams = { stdin: spec.container.stdin === true, terminal: spec.container.tty === true };
    const main = await place.start(commandLine(entry, spec.command, spec.args), streams);
    const container = new ProcessContainer(`${place.scheme ?? this.#placement.scheme}://${this.#newId()}`, spec, main, place);
    this.#containers.add(container);
    void container.exited.then(() => this.#containers.delete(container));
    return container;
  }

  async usage(): Promise<ReadonlyMap<string, Usage>> {
    const running = [...this.#containers];
    const byPid = usageOfTrees(
      await readProcesses(),
      running.map(({ pid }) => pid),
    );
    return new Map(
      running.flatMap(({ id, pid }) => {
        const usage = byPid.get(pid);
        return usage === undefined ? [] : [[id, usage] as const];
      }),
    );
  }

  removePod(pod: PodRef): Promise<void> {
    return this.#placement.removePod(pod);
  }

  ignoredFields(pod: Pod): readonly IgnoredField[] {
    return this.#placement.ignoredFields(pod, (container) => this.#isReal(container));
  }

  /** The first process of the container that an ephemeral one looks at. Throws ContainerStartError. */
  #target({ container, pod }: ContainerSpec): number | undefined {
    const { targetContainerName: name = "" } = container as { readonly targetContainerName?: string };
    if (name === "") return undefined;
    const found = [...this.#containers].find(({ spec }) => spec.pod.uid === pod.uid && spec.container.name === name);
    if (found === undefined) throw new ContainerStartError(`unable to find target container ${JSON.stringify(name)}`);
    return found.pid;
  }

  /** Whether a real image stands behind it, pulled or not. */
  #isReal({ image = "" }: Container): boolean {
    const { images, realImages } = this.#options;
    return realImages !== undefined && findImage(images, image) === undefined;
  }

  #entry({ image = "" }: Container): ImageEntry | undefined {
    return findImage(this.#options.images, image) ?? this.#options.realImages?.find(image);
  }

  #processes() {
    return [...this.#containers].map(({ pid, spec }) => ({ pid, pod: spec.pod }));
  }

  #newId(): string {
    return this.#options.newId?.() ?? randomBytes(32).toString("hex");
  }
}
