/**
 * One container's surroundings as an OCI runtime makes them: crun or runc, started in the pod's network, over the files of a real image.
 * What the container writes lies beside the image's files (overlayfs), in a directory of its own or, where the data directory cannot
 * carry that, in memory.
 */
import { chmod, mkdir, rm, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Mount, PodNetwork } from "../../../host/namespaces/namespaces.ts";
import type { Libc } from "../../../host/syscalls/libc.ts";
import { diskUsage } from "../../eviction/disk-usage.ts";
import type { Cgroup } from "../cgroups/cgroups.ts";
import type { ImageRoot } from "../process/images.ts";
import type { PodFiles } from "../process/namespaced/pod-files.ts";
import type { ContainerPlace } from "../process/placement.ts";
import { ContainerStartError, type ContainerSpec } from "../runtime.ts";
import { certainUserOf } from "./image-root.ts";
import { launch } from "./launch.ts";
import { containerSpec, needsUserNamespace, processSpec, type SpecInput } from "./spec.ts";
import type { OciTool } from "./tool.ts";

export interface OciPlaceInput {
  readonly spec: ContainerSpec;
  readonly image: ImageRoot;
  readonly tool: OciTool;
  readonly network: PodNetwork;
  readonly libc: Libc;
  readonly files: PodFiles;
  /** The pod's own on this machine. */
  readonly podDirectory: string;
  /** Whether this program is the machine's root. */
  readonly isRoot: boolean;
  readonly cgroup: Cgroup | undefined;
  /** Of the container whose processes it sees, too. */
  readonly target?: number | undefined;
}

const defaultMessagePath = "/dev/termination-log";
/** Of overlayfs itself, which can be no upper layer (statfs(2)). */
const OVERLAYFS_MAGIC = 0x79_4c_76_30;
const memoryBytes = 512 * 2 ** 20;

/** Throws ContainerStartError. */
export async function ociPlace(input: OciPlaceInput): Promise<ContainerPlace> {
  const { spec, image, tool, network, libc, files, podDirectory, isRoot, cgroup } = input;
  const { container, object } = spec;
  const user = certainUserOf(image, container, object);
  if (tool.name === "runc" && needsUserNamespace(user, isRoot))
    throw new ContainerStartError(`runc without root runs user 0 only, and this container's is ${user.uid}: install crun`);
  const directory = join(podDirectory, `${container.name}-${spec.instance}`);
  const messageFile = await prepareDirectory(directory);
  const root = join(directory, "root");
  const mounts = [...(await rootMounts(directory, root, image.directory, isRoot)), ...toolMounts(tool)];
  const described = (words: readonly string[], terminal: boolean): SpecInput => ({
    pod: object,
    container,
    words,
    env: spec.env,
    workingDir: image.workingDir,
    user,
    terminal,
    root,
    hostname: files.hostname,
    mounts: spec.mounts,
    ownFiles: { ...files.paths, [container.terminationMessagePath ?? defaultMessagePath]: messageFile },
    anyUser: isRoot,
    target: input.target,
  });
  const around = { tool, network, libc, state: join(directory, "state"), id: container.name, cgroups: cgroup?.processFiles ?? [] };
  let execs = 0;
  return {
    scheme: tool.name,
    messageFile,
    ...(cgroup === undefined ? {} : { cgroup }),
    ...(image.stopSignal === undefined ? {} : { stopSignal: image.stopSignal }),
    async start(words, streams) {
      await writeFile(join(directory, "config.json"), JSON.stringify(containerSpec(described(words, streams.terminal))), { mode: 0o600 });
      const main = {
        ...around,
        streams,
        mounts,
        files: join(directory, "main"),
        first: object.spec?.hostPID !== true && input.target === undefined,
      };
      const started = launch({ ...main, verb: ["run", "--bundle", directory] });
      const ended = started.then(({ exited }) => exited);
      // Its last words stay until the pod goes.
      void removeAfter(
        ended,
        ["upper", "work", "state", "memory"].map((name) => join(directory, name)),
      );
      return await started;
    },
    async exec(words, streams) {
      const own = join(directory, `exec-${execs++}`);
      await writeFile(`${own}.json`, JSON.stringify(processSpec(described(words, streams.terminal))), { mode: 0o600 });
      const beside = { ...around, streams, mounts: toolMounts(tool), files: own, first: false };
      const started = launch({ ...beside, verb: ["exec", "--process", `${own}.json`] });
      const ended = started.then(({ exited }) => exited);
      void removeAfter(ended, [`${own}.json`, `${own}.log`]);
      return await started;
    },
    writtenBytes: () => diskUsage(join(directory, "upper")),
  };
}

/** Also when it never came to run. */
async function removeAfter(ended: Promise<unknown>, paths: readonly string[]): Promise<void> {
  await ended.catch(() => undefined);
  // What cannot be removed now goes with the pod's directory.
  await Promise.all(paths.map((path) => rm(path, { recursive: true, force: true }).catch(() => undefined)));
}

/** The file for its last words, which any user may write. */
async function prepareDirectory(directory: string): Promise<string> {
  await rm(directory, { recursive: true, force: true });
  for (const name of ["root", "upper", "work", "state", "memory"]) await mkdir(join(directory, name), { recursive: true, mode: 0o755 });
  const messageFile = join(directory, "termination-log");
  await writeFile(messageFile, "");
  await chmod(messageFile, 0o666);
  return messageFile;
}

async function rootMounts(directory: string, target: string, lower: string, isRoot: boolean): Promise<readonly Mount[]> {
  const userAttributes = !isRoot;
  const onDisk = ((await statfs(directory)).type as number) !== OVERLAYFS_MAGIC;
  if (onDisk) return [{ kind: "overlay", lower, upper: join(directory, "upper"), work: join(directory, "work"), target, userAttributes }];
  const memory = join(directory, "memory");
  const [upper, work] = [join(memory, "upper"), join(memory, "work")] as const;
  return [
    { kind: "tmpfs", target: memory, sizeBytes: memoryBytes },
    { kind: "directory", target: upper, mode: 0o755 },
    { kind: "directory", target: work, mode: 0o755 },
    { kind: "overlay", lower, upper, work, target, userAttributes },
  ];
}

/**
 * crun refuses to start where it sees both versions of cgroups, even when it is told to leave them alone: it sees none. Limits are
 * set by whoever starts it; what it starts inherits them.
 */
function toolMounts({ name }: OciTool): readonly Mount[] {
  return name === "crun" ? [{ kind: "tmpfs", target: "/sys/fs/cgroup", sizeBytes: 4096 }] : [];
}
