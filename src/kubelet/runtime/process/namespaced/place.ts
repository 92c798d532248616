/** One container's surroundings in namespaces: how its processes are started there. */
import { realpathSync } from "node:fs";
import { chmod, mkdir, writeFile, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { Mount, Owner, PodNetwork, ProcessUser, SpawnOptions } from "../../../../host/namespaces/namespaces.ts";
import type { Libc } from "../../../../host/syscalls/libc.ts";
import { realClock } from "../../../../lib/clock.ts";
import { errorMessage } from "../../../../lib/errors.ts";
import { ContainerStartError, type ContainerSpec } from "../../runtime.ts";
import type { Cgroup } from "../../cgroups/cgroups.ts";
import { findCommand } from "../find-command.ts";
import type { ImageEntry } from "../images.ts";
import type { ContainerPlace, ContainerProcess, ProcessStreams } from "../placement.ts";
import { publishRun } from "../run-file.ts";
import { containerRoot } from "./container-root.ts";
import { machineFiles } from "./machine-files.ts";
import { namespacedProcess } from "./namespaced-process.ts";
import type { PodFiles } from "./pod-files.ts";
import { processUser } from "./process-user.ts";
import type { RootPlan } from "./root-plan.ts";
import { openStreams } from "../streams.ts";
import { underWay } from "./under-way.ts";

export interface PlaceInput {
  readonly spec: ContainerSpec;
  readonly network: PodNetwork;
  readonly libc: Libc;
  readonly files: PodFiles;
  /** The pod's own on this machine. */
  readonly podDirectory: string;
}

export interface NamespacedPlaceInput extends PlaceInput {
  readonly image: ImageEntry | undefined;
  readonly isRoot: boolean;
  readonly hidden: readonly string[];
  readonly cgroup: Cgroup | undefined;
  /** A process whose PID namespace it joins. */
  readonly target: number | undefined;
  /** Upon which the container's root lies. */
  readonly root: string;
}

/** What every process of one container starts with. */
type Surroundings = Pick<SpawnOptions, "env" | "user" | "noNewPrivileges" | "cgroups">;

const defaultMessagePath = "/dev/termination-log";

/** Throws ContainerStartError. */
export async function namespacedPlace(input: NamespacedPlaceInput): Promise<ContainerPlace> {
  const { spec, image, network, libc, files, podDirectory, root, isRoot, hidden } = input;
  const { container, object } = spec;
  const answer = processUser(object, container, isRoot);
  if (answer.kind === "error") throw new ContainerStartError(answer.message);
  const workingDirectory = container.workingDir ?? "/";
  const messageFile = await emptyMessageFile(podDirectory, container.name);
  const plan = planRoot(() =>
    containerRoot({
      files: machineFiles,
      needs: [...(image?.path ?? []), ...(image?.needs ?? [])],
      imageFiles: image?.files ?? {},
      ...ownerOf(answer.user, isRoot),
      hidden,
      mounts: spec.mounts,
      ownFiles: { ...files.paths, [container.terminationMessagePath ?? defaultMessagePath]: messageFile },
      workingDirectory,
      home: answer.home,
      privileged: container.securityContext?.privileged === true,
    }),
  );
  await makeMountPoints(plan);
  const isFirst = object.spec?.hostPID !== true && input.target === undefined;
  const around: Surroundings = {
    env: spec.env,
    user: answer.user,
    noNewPrivileges: container.securityContext?.allowPrivilegeEscalation === false,
    ...(input.cgroup === undefined ? {} : { cgroups: input.cgroup.processFiles }),
  };
  const words = (given: readonly string[]) => programOf(given, plan, workingDirectory, spec.env["PATH"] ?? "");
  const inside = { directory: workingDirectory, ...around };
  return {
    messageFile,
    ...(input.cgroup === undefined ? {} : { cgroup: input.cgroup }),
    start: (given, streams) =>
      launch(network, libc, streams, isFirst, {
        ...words(given),
        ...inside,
        root,
        mounts: plan.mounts(root, container.securityContext?.readOnlyRootFilesystem === true),
        hostname: files.hostname,
        pidNamespace: input.target === undefined ? isFirst : { of: input.target },
      }),
    exec: (given, streams, main) => launch(network, libc, streams, false, { ...words(given), ...inside, inside: main.pid }),
    // Its root is a file system of its own.
    async writtenBytes({ pid }) {
      const { bsize, blocks, bfree } = await statfs(`/proc/${pid}/root`);
      return (blocks - bfree) * bsize;
    },
  };
}

/** As root: who the container's processes are outside. */
function ownerOf(user: ProcessUser, isRoot: boolean): { readonly owner?: Owner } {
  if (!isRoot || user.kind === "root" || user.uid === undefined) return {};
  return { owner: { uid: user.uid, gid: user.gid ?? user.uid } };
}

/**
 * The surroundings that `fairlead run` joins: the pod's network and names over the machine's own files. The process is
 * ours and only waits, so it keeps our user: whoever joins it brings their own. With it ends all that joined its PID namespace.
 */
export async function runPlace(
  input: PlaceInput & { readonly hostPid: ((pid: number) => number | undefined) | undefined },
): Promise<ContainerPlace> {
  const { spec, network, libc, files, podDirectory, hostPid } = input;
  const messageFile = await emptyMessageFile(podDirectory, spec.container.name);
  const user: ProcessUser = { kind: "root" };
  const mounts: readonly Mount[] = [
    { kind: "proc", target: "/proc" },
    ...Object.entries(files.paths).flatMap(([path, source]) => bindOver(path, source)),
  ];
  const words = (given: readonly string[]) => {
    const path = spec.env["PATH"] ?? "";
    return {
      program: findCommand(given[0] ?? "", { workingDirectory: "/", path, lookIn: (file) => [{ file, program: file }] }),
      args: given.slice(1),
    };
  };
  const around = { env: spec.env, directory: "/", user };
  return {
    messageFile,
    async start(given, streams) {
      const own = { mounts, hostname: files.hostname, pidNamespace: true };
      const started = await launch(network, libc, streams, true, { ...words(given), ...around, ...own });
      await publishRun({ podDirectory, env: spec.env, pid: started.pid, hasNamespaces: true, hostPid: hostPid?.(started.pid) });
      return started;
    },
    exec: (given, streams, main) => launch(network, libc, streams, false, { ...words(given), ...around, inside: main.pid }),
  };
}

/** The machine's file may be a link, which a mount would follow: it goes over what the link leads to. */
function bindOver(path: string, source: string): readonly Mount[] {
  try {
    return [{ kind: "bind", source, target: realpathSync(path), readOnly: false }];
  } catch {
    // The machine has no such file, and ours may not make one.
    return [];
  }
}

async function launch(
  network: PodNetwork,
  libc: Libc,
  wanted: ProcessStreams,
  first: boolean,
  options: Omit<SpawnOptions, "stdio" | "terminal">,
): Promise<ContainerProcess> {
  const streams = openStreams(libc, wanted);
  try {
    const env = wanted.terminal ? { TERM: "xterm", ...options.env } : options.env;
    const spawned = await network.spawn({ ...options, env, stdio: streams.stdio, terminal: wanted.terminal });
    streams.closeTheirs();
    if (options.inside === undefined) await underWay(spawned.pid, realClock);
    return namespacedProcess({ spawned, streams, first, clock: realClock });
  } catch (error) {
    streams.abandon();
    throw new ContainerStartError(`unable to start container process: ${errorMessage(error)}`, { cause: error });
  }
}

/** The program by its path in the container; its absence is told before anything is started. */
function programOf(given: readonly string[], plan: RootPlan, workingDirectory: string, path: string) {
  const lookIn = (program: string) => {
    const file = plan.locate(program);
    return file === undefined ? [] : [{ file, program }];
  };
  const program = findCommand(given[0] ?? "", { workingDirectory, path, lookIn });
  return { program, args: given.slice(1) };
}

function planRoot(make: () => RootPlan): RootPlan {
  try {
    return make();
  } catch (error) {
    throw new ContainerStartError(`failed to prepare the container's files: ${errorMessage(error)}`, { cause: error });
  }
}

async function makeMountPoints(plan: RootPlan): Promise<void> {
  for (const { path, kind } of plan.made) {
    if (kind === "directory") await mkdir(path, { recursive: true, mode: 0o755 });
    else await writeFile(path, "", { flag: "a", mode: 0o644 });
  }
}

/** Any user number may write its last words. */
async function emptyMessageFile(podDirectory: string, container: string): Promise<string> {
  const file = join(podDirectory, `${container}.termination-log`);
  await writeFile(file, "");
  await chmod(file, 0o666);
  return file;
}
