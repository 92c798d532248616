/**
 * Loopback mode: a container is a process of this machine. No namespaces, no images, no root: pods are told apart by
 * their address in 127.0.0.0/8 (variable `HOST`), and find their volumes below `POD_ROOT`.
 */
import { randomBytes } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { join, normalize } from "node:path";
import type { PodRef } from "../../../api/node-agent.ts";
import type { Container, Pod } from "../../../api/types.ts";
import { errorMessage } from "../../../lib/errors.ts";
import { silentLogger, type Logger } from "../../../lib/log.ts";
import { listDirectory } from "../../logs/log-store.ts";
import {
  ContainerStartError,
  type ContainerSpec,
  type IgnoredField,
  type ImageAnswer,
  type PodIdentity,
  type PortListener,
  type RunningContainer,
  type Runtime,
} from "../runtime.ts";
import { findCommand } from "./find-command.ts";
import { ignoredFields } from "./ignored-fields.ts";
import { answerImage, commandLine, findImage, type ImageEntry } from "./images.ts";
import { killMarked, podVariable, Sweeper } from "./leftovers.ts";
import { listenersOn } from "./listeners.ts";
import { ProcessContainer } from "./process-container.ts";
import { makeRoot, relocate } from "./root-directory.ts";
import { spawnProgram } from "./spawn.ts";

const hostPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface ProcessRuntimeOptions {
  /** Where pods get their directories; belongs to this runtime alone. */
  readonly directory: string;
  readonly images: readonly ImageEntry[];
  /** Of the program, for the node's `containerRuntimeVersion`. */
  readonly version: string;
  readonly log?: Logger;
  /** A new container id. Default: 64 random hexadecimal digits. */
  readonly newId?: () => string;
}

export function createProcessRuntime(options: ProcessRuntimeOptions): Runtime {
  return new ProcessRuntime(options);
}

class ProcessRuntime implements Runtime {
  readonly version: string;
  readonly #options: ProcessRuntimeOptions;
  readonly #log: Logger;
  readonly #containers = new Set<ProcessContainer>();
  readonly #sweeper = new Sweeper();

  constructor(options: ProcessRuntimeOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLogger;
    this.version = `loopback://${options.version}`;
  }

  async start(): Promise<void> {
    const { directory } = this.#options;
    if ((await listDirectory(directory)).length === 0) return;
    const killed = await killMarked((mark) => mark.startsWith(`${directory}/`));
    if (killed > 0) this.#log.info("killed processes that a former run left", { count: killed });
  }

  async stop(): Promise<void> {
    const left = [...this.#containers];
    for (const container of left) container.signal("SIGKILL");
    await Promise.all(left.map(({ exited }) => exited));
    await this.#sweeper.settled();
  }

  image(container: Container): ImageAnswer {
    return answerImage(this.#options.images, container);
  }

  baseEnvironment(pod: PodIdentity, container: Container): Readonly<Record<string, string>> {
    const entry = findImage(this.#options.images, container.image ?? "");
    const root = this.#rootOf(pod.uid, container.name);
    return {
      PATH: [...(entry?.path ?? []), hostPath].join(":"),
      HOME: root,
      TMPDIR: join(root, "tmp"),
      LANG: "C.UTF-8",
      ...entry?.env,
      POD_ROOT: root,
      [podVariable]: this.#podDirectory(pod.uid),
    };
  }

  async run(spec: ContainerSpec): Promise<RunningContainer> {
    const root = this.#rootOf(spec.pod.uid, spec.container.name);
    const directory = join(root, normalize(`/${spec.container.workingDir ?? ""}`));
    await makeRoot(root, this.#podDirectory(spec.pod.uid), spec.mounts);
    await mkdir(directory, { recursive: true, mode: 0o755 });
    await rm(join(root, spec.container.terminationMessagePath ?? "/dev/termination-log"), { force: true });
    const base = this.baseEnvironment(spec.pod, spec.container);
    const env = mapValues(spec.env, (value, name) => (base[name] === value ? value : relocate(value, root, spec.mounts)));
    const words = commandLine(findImage(this.#options.images, spec.container.image ?? ""), spec.command, spec.args);
    const program = findCommand(words[0] ?? "", { root, workingDirectory: directory, path: env["PATH"] ?? hostPath });
    const args = words.slice(1).map((word) => relocate(word, root, spec.mounts));
    try {
      const child = await spawnProgram({ program, args, directory, env, stdin: false });
      const container = new ProcessContainer(`loopback://${this.#newId()}`, spec, child, { root, directory, env });
      this.#containers.add(container);
      void container.exited.then(() => this.#containers.delete(container));
      return container;
    } catch (error) {
      throw new ContainerStartError(`unable to start container process: ${errorMessage(error)}`, { cause: error });
    }
  }

  async removePod(pod: PodRef): Promise<void> {
    const directory = this.#podDirectory(pod.uid);
    this.#sweeper.sweep(directory);
    await rm(directory, { recursive: true, force: true });
  }

  ignoredFields(pod: Pod): readonly IgnoredField[] {
    return ignoredFields(pod);
  }

  mountNote(pod: PodRef, container: Container): string | undefined {
    const paths = (container.volumeMounts ?? []).map(({ mountPath }) => mountPath);
    if (paths.length === 0) return undefined;
    const root = this.#rootOf(pod.uid, container.name);
    return `container ${container.name}: without a mount namespace, ${paths.join(", ")} ${paths.length === 1 ? "is" : "are"} found below $POD_ROOT (${root}); a word of the command or a variable's value that is such a path is led there`;
  }

  async listeners(port: number, ip?: string): Promise<readonly PortListener[]> {
    return listenersOn(
      port,
      ip,
      [...this.#containers].map(({ pid, spec }) => ({ session: pid, pod: spec.pod })),
    );
  }

  #podDirectory(uid: string): string {
    return join(this.#options.directory, uid);
  }

  #rootOf(uid: string, container: string): string {
    return join(this.#podDirectory(uid), "containers", container, "rootfs");
  }

  #newId(): string {
    return this.#options.newId?.() ?? randomBytes(32).toString("hex");
  }
}

function mapValues(
  record: Readonly<Record<string, string>>,
  change: (value: string, key: string) => string,
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value, key)]));
}
