/**
 * Loopback mode: containers share this machine's network, files and processes. Pods are told apart by their address in
 * 127.0.0.0/8 (variable `HOST`), and find their volumes below `POD_ROOT`.
 */
import { mkdir, rm } from "node:fs/promises";
import { join, normalize } from "node:path";
import type { PodRef } from "../../../../api/node-agent.ts";
import type { Container, Pod } from "../../../../api/types.ts";
import { errorMessage } from "../../../../lib/errors.ts";
import type { Logger } from "../../../../lib/log.ts";
import { listDirectory } from "../../../logs/log-store.ts";
import {
  ContainerStartError,
  type ContainerSpec,
  type IgnoredField,
  type PodIdentity,
  type PodNote,
  type PortListener,
} from "../../runtime.ts";
import { loopbackVariables } from "../../loopback-variables.ts";
import { findCommand } from "../find-command.ts";
import { isRunImage, type ImageEntry } from "../images.ts";
import type { ContainerPlace, ContainerProcess, Placement, ProcessStreams, RunningProcess } from "../placement.ts";
import { publishRun } from "../run-file.ts";
import { containerProcess } from "./child.ts";
import { ignoredFields } from "./ignored-fields.ts";
import { killMarked, podVariable, Sweeper } from "./leftovers.ts";
import { listenersOn } from "./listeners.ts";
import { makeRoot, relocate } from "./root-directory.ts";
import { spawnProgram } from "./spawn.ts";
import { startInTerminal } from "./terminal.ts";

export interface LoopbackOptions {
  /** Where pods get their directories. */
  readonly directory: string;
  readonly log: Logger;
}

export class LoopbackPlacement implements Placement {
  readonly scheme = "loopback";
  readonly hostNetwork = false;
  readonly #directory: string;
  readonly #log: Logger;
  readonly #sweeper = new Sweeper();

  constructor({ directory, log }: LoopbackOptions) {
    this.#directory = directory;
    this.#log = log;
  }

  async start(): Promise<void> {
    if ((await listDirectory(this.#directory)).length === 0) return;
    const killed = await killMarked((mark) => mark.startsWith(`${this.#directory}/`));
    if (killed > 0) this.#log.info("killed processes that a former run left", { count: killed });
  }

  async stop(): Promise<void> {
    await this.#sweeper.settled();
  }

  async setUpPod(): Promise<readonly PodNote[]> {
    return [];
  }

  async tearDownPod(): Promise<void> {}

  async removePod(pod: PodRef): Promise<void> {
    const directory = this.#podDirectory(pod.uid);
    this.#sweeper.sweep(directory);
    await rm(directory, { recursive: true, force: true });
  }

  baseEnvironment(pod: PodIdentity, container: Container): Readonly<Record<string, string>> {
    const root = this.#rootOf(pod.uid, container.name);
    return {
      HOME: root,
      TMPDIR: join(root, "tmp"),
      POD_ROOT: root,
      [podVariable]: this.#podDirectory(pod.uid),
      ...loopbackVariables(pod, container),
    };
  }

  async prepare(spec: ContainerSpec, image: ImageEntry | undefined): Promise<ContainerPlace> {
    const podDirectory = this.#podDirectory(spec.pod.uid);
    const root = this.#rootOf(spec.pod.uid, spec.container.name);
    const directory = join(root, normalize(`/${spec.container.workingDir ?? ""}`));
    const messageFile = join(root, spec.container.terminationMessagePath ?? "/dev/termination-log");
    const imageFiles = Object.entries(image?.files ?? {}).map(([mountPath, source]) => ({ mountPath, source, readOnly: true }));
    await makeRoot(root, podDirectory, [...imageFiles, ...spec.mounts]);
    await mkdir(directory, { recursive: true, mode: 0o755 });
    await rm(messageFile, { force: true });
    const own = this.baseEnvironment(spec.pod, spec.container);
    const env = mapValues(spec.env, (value, name) => (own[name] === value ? value : relocate(value, root, spec.mounts)));
    const start = (words: readonly string[], streams: ProcessStreams) => startProcess(words, streams, { root, directory, env });
    return {
      messageFile,
      start: async (words, streams) => {
        const led = words.map((word, i) => (i === 0 ? word : relocate(word, root, spec.mounts)));
        const started = await start(led, streams);
        if (image !== undefined && isRunImage(image)) await publishRun({ podDirectory, env: spec.env, pid: started.pid });
        return started;
      },
      exec: start,
    };
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

  listeners(port: number, ip: string | undefined, containers: readonly RunningProcess[]): Promise<readonly PortListener[]> {
    return listenersOn(
      port,
      ip,
      containers.map(({ pid, pod }) => ({ session: pid, pod })),
    );
  }

  #podDirectory(uid: string): string {
    return join(this.#directory, uid);
  }

  #rootOf(uid: string, container: string): string {
    return join(this.#podDirectory(uid), "containers", container, "rootfs");
  }
}

interface Surroundings {
  readonly root: string;
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
}

async function startProcess(words: readonly string[], streams: ProcessStreams, place: Surroundings): Promise<ContainerProcess> {
  const { root, directory, env } = place;
  const program = findCommand(words[0] ?? "", {
    workingDirectory: directory,
    path: env["PATH"] ?? "",
    lookIn: (file) => [join(root, file), file].map((at) => ({ file: at, program: at })),
  });
  const run = { program, args: words.slice(1), env, directory };
  try {
    if (streams.terminal) return await startInTerminal(run);
    return containerProcess(await spawnProgram({ ...run, stdio: [streams.stdin ? "pipe" : "ignore", "pipe", "pipe"] }));
  } catch (error) {
    if (error instanceof ContainerStartError) throw error;
    throw new ContainerStartError(`unable to start container process: ${errorMessage(error)}`, { cause: error });
  }
}

function mapValues(
  record: Readonly<Record<string, string>>,
  change: (value: string, key: string) => string,
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value, key)]));
}
