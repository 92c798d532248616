/** The volumes of one pod on this machine's disk: set up before its containers start, kept up to date, removed with it. */
import { chmod, mkdir, realpath, rm, stat, writeFile } from "node:fs/promises";
import { join, sep } from "node:path";
import type { Container, EmptyDirVolumeSource, HostPathVolumeSource, Pod, Volume, VolumeMount } from "../../api/types.ts";
import { errnoCode } from "../../lib/errors.ts";
import { parseQuantity } from "../../api/quantity.ts";
import { diskUsage } from "../eviction/disk-usage.ts";
import { expand } from "../expansion.ts";
import type { ContainerMount } from "../runtime/runtime.ts";
import { writeFiles } from "./atomic-writer.ts";
import { volumeFiles, type FilesInput } from "./files.ts";
import { giveToGroup } from "./ownership.ts";
import { claimNameOf, type ClaimAnswer } from "./sources.ts";

export type SetUpResult = { readonly kind: "ready" } | { readonly kind: "failed"; readonly volume: string; readonly message: string };

export type MountsResult =
  | { readonly kind: "ok"; readonly mounts: readonly ContainerMount[] }
  | { readonly kind: "error"; readonly message: string };

export interface VolumeOptions {
  /** Puts a file system in memory at a directory. Throws where it cannot. Absent: memory volumes lie on disk. */
  readonly mountMemory?: (directory: string, sizeBytes: number | undefined) => void;
  /** The group that volumes are given to: `fsGroup`, where the node may do that. */
  readonly group?: number;
}

export class PodVolumes {
  readonly #directory: string;
  readonly #options: VolumeOptions;
  /** volume → its place on the host. */
  readonly #places = new Map<string, string>();
  readonly #readOnly = new Set<string>();
  #versions = 0;

  /** `directory` is the pod's own, and removed with it. */
  constructor(directory: string, options: VolumeOptions = {}) {
    this.#directory = directory;
    this.#options = options;
  }

  /** Brings every volume up. Called again, it brings in what changed. The first failure ends it: the pod has to wait. */
  async setUp(input: FilesInput): Promise<SetUpResult> {
    for (const volume of input.pod.spec?.volumes ?? []) {
      try {
        const message = await this.#setUpOne(volume, input);
        if (message !== undefined) return { kind: "failed", volume: volume.name, message };
      } catch (error) {
        return { kind: "failed", volume: volume.name, message: error instanceof Error ? error.message : String(error) };
      }
    }
    return { kind: "ready" };
  }

  /** The mounts of one container, parents first. `env` is for `subPathExpr`. */
  async mounts(container: Container, env: Readonly<Record<string, string>>): Promise<MountsResult> {
    const mounts: ContainerMount[] = [];
    for (const mount of container.volumeMounts ?? []) {
      const place = this.#places.get(mount.name);
      if (place === undefined) return { kind: "error", message: `failed to find volume ${JSON.stringify(mount.name)}` };
      const source = await subPathSource(place, mount, env);
      if (source === undefined)
        return {
          kind: "error",
          message: `failed to prepare subPath for volumeMount ${JSON.stringify(mount.name)} of container ${JSON.stringify(container.name)}`,
        };
      mounts.push({ mountPath: mount.mountPath, source, readOnly: mount.readOnly === true || this.#readOnly.has(mount.name) });
    }
    return { kind: "ok", mounts: mounts.sort((a, b) => a.mountPath.split("/").length - b.mountPath.split("/").length) };
  }

  /** emptyDir volumes on disk → bytes. */
  async emptyDirUsage(pod: Pod): Promise<ReadonlyMap<string, number>> {
    const usage = new Map<string, number>();
    for (const { name, emptyDir } of pod.spec?.volumes ?? []) {
      const place = this.#places.get(name);
      if (emptyDir !== undefined && emptyDir.medium !== "Memory" && place !== undefined) usage.set(name, await diskUsage(place));
    }
    return usage;
  }

  async tearDown(): Promise<void> {
    this.#places.clear();
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #setUpOne(volume: Volume, input: FilesInput): Promise<string | undefined> {
    if (volume.hostPath !== undefined) {
      const problem = await checkHostPath(volume.hostPath);
      if (problem === undefined) this.#places.set(volume.name, volume.hostPath.path);
      return problem;
    }
    if (volume.emptyDir !== undefined) {
      const place = join(this.#directory, "kubernetes.io~empty-dir", volume.name);
      return this.#setUpEmpty(volume.name, place, volume.emptyDir);
    }
    const claim = claimNameOf(input.pod, volume);
    if (volume.persistentVolumeClaim?.readOnly === true) this.#readOnly.add(volume.name);
    if (claim !== undefined) return this.#setUpClaim(volume.name, input.sources.claim(claim));
    const content = volumeFiles(volume, input);
    if (content === undefined) return `volumes of type ${volumeType(volume)} are not supported by this node`;
    if (content.kind === "missing") return content.message;
    const place = join(this.#directory, `kubernetes.io~${volumeType(volume).toLowerCase()}`, volume.name);
    const changed = await writeFiles(place, content.files, this.#nextVersion());
    if (changed && this.#options.group !== undefined) await giveToGroup(place, this.#options.group, true);
    this.#places.set(volume.name, place);
    return undefined;
  }

  async #setUpEmpty(volume: string, place: string, { medium, sizeLimit }: EmptyDirVolumeSource): Promise<undefined> {
    if (this.#places.has(volume)) return;
    await makeForAll(place);
    const { mountMemory, group } = this.#options;
    if (medium === "Memory" && mountMemory !== undefined) mountMemory(place, sizeLimit === undefined ? undefined : bytesOf(sizeLimit));
    if (group !== undefined) await giveToGroup(place, group, false);
    this.#places.set(volume, place);
  }

  async #setUpClaim(volume: string, answer: ClaimAnswer): Promise<string | undefined> {
    if (answer.kind === "missing") return answer.message;
    if ((await statOrUndefined(answer.path)) === undefined) await makeForAll(answer.path);
    if (this.#options.group !== undefined && !this.#places.has(volume)) await giveToGroup(answer.path, this.#options.group, false);
    this.#places.set(volume, answer.path);
    return undefined;
  }

  #nextVersion(): string {
    return `${new Date().toISOString().replace(/[-:T]/g, "_").slice(0, 19)}.${process.pid}_${this.#versions++}`;
  }
}

/** Whatever the umask: the container's user is not ours. */
async function makeForAll(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
  await chmod(path, 0o777);
}

/** Validation has seen to it that the text is a quantity. */
function bytesOf(quantity: string): number {
  return Number((parseQuantity(quantity)?.nano ?? 0n) / 1_000_000_000n);
}

/** Whether the pod has volumes whose content lives in the API. */
export function readsObjects(pod: Pod): boolean {
  return (pod.spec?.volumes ?? []).some(
    ({ configMap, secret, downwardAPI, projected }) => (configMap ?? secret ?? downwardAPI ?? projected) !== undefined,
  );
}

function volumeType(volume: Volume): string {
  return Object.entries(volume).find(([key, value]) => key !== "name" && value !== undefined)?.[0] ?? "emptyDir";
}

/** Upstream pkg/volume/hostpath: the type says what must be there, or is made. */
async function checkHostPath({ path, type = "" }: HostPathVolumeSource): Promise<string | undefined> {
  if (type === "DirectoryOrCreate") await mkdir(path, { recursive: true, mode: 0o755 });
  if (type === "FileOrCreate") await writeFile(path, "", { flag: "a", mode: 0o644 });
  const found = await statOrUndefined(path);
  if (type === "Directory" && found?.isDirectory() !== true) return `hostPath type check failed: ${path} is not a directory`;
  if (type === "File" && found?.isFile() !== true) return `hostPath type check failed: ${path} is not a file`;
  if (type === "Socket" && found?.isSocket() !== true) return `hostPath type check failed: ${path} is not a socket file`;
  if (found === undefined && type === "") await mkdir(path, { recursive: true, mode: 0o755 });
  return undefined;
}

/** Undefined when the path leaves the volume, also by a link that a container laid there. */
async function subPathSource(place: string, mount: VolumeMount, env: Readonly<Record<string, string>>): Promise<string | undefined> {
  const sub =
    mount.subPathExpr === undefined || mount.subPathExpr === "" ? (mount.subPath ?? "") : expand(mount.subPathExpr, (name) => env[name]);
  if (sub === "") return place;
  if (sub.startsWith("/") || sub.split("/").includes("..")) return undefined;
  const source = join(place, sub);
  if ((await statOrUndefined(source)) === undefined) await mkdir(source, { recursive: true, mode: 0o755 });
  const [root, real] = [await realpath(place), await realpath(source)];
  return real === root || real.startsWith(`${root}${sep}`) ? source : undefined;
}

async function statOrUndefined(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if (errnoCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
