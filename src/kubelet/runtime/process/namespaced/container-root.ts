/**
 * The layout of a container's root: which of the machine's directories it has, what is its own, and where its volumes are.
 * Pure, given eyes for the machine's files.
 */
import { join } from "node:path";
import type { Owner } from "../../../../host/namespaces/namespaces.ts";
import type { ContainerMount } from "../../runtime.ts";
import { RootPlan, type Placed, type MachineFiles } from "./root-plan.ts";

export interface ContainerRootInput {
  readonly files: MachineFiles;
  /** Further files of this machine that its image needs, at their own paths. */
  readonly needs: readonly string[];
  /** What its image has of its own: path in the container → file of this machine. */
  readonly imageFiles: Readonly<Record<string, string>>;
  /** Whose they are, where files may be given to others: the container's user. */
  readonly owner?: Owner;
  /** Never seen, also where they lie inside a system directory. */
  readonly hidden: readonly string[];
  readonly mounts: readonly ContainerMount[];
  /** Path in the container → file of this machine: resolv.conf, hosts, hostname, the termination log. */
  readonly ownFiles: Readonly<Record<string, string>>;
  /** Made where missing. */
  readonly workingDirectory: string;
  readonly home: string;
  /** All of /dev. */
  readonly privileged: boolean;
}

/** Where programs and their libraries and settings are (file-hierarchy(7)), also on NixOS and Guix. */
const systemDirectories = ["bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "etc", "opt", "nix", "gnu"] as const;
const devices = ["null", "zero", "full", "random", "urandom", "tty"] as const;
/** The file system is the container's alone: the modes keep nobody out, they let any user number write. */
const writable = ["run", "var/lib", "var/log", "var/cache", "var/spool", "srv", "mnt", "media"] as const;
const rootBytes = 512 * 2 ** 20;
const largestCopyBytes = 2 ** 20;
const sharedMemoryBytes = 64 * 2 ** 20;

export function containerRoot(input: ContainerRootInput): RootPlan {
  const plan = new RootPlan(input.files, rootBytes);
  putSystem(plan, input);
  putDevices(plan, input.privileged);
  putOwn(plan, input);
  for (const path of input.needs)
    if (input.files.kind(path) !== "absent") plan.put(path, { kind: "bind", source: path, readOnly: true, volume: false });
  for (const [path, source] of Object.entries(input.imageFiles)) plan.put(path, imageFile(input, source));
  for (const { mountPath, source, readOnly } of input.mounts) plan.put(mountPath, { kind: "bind", source, readOnly, volume: true });
  for (const [path, source] of Object.entries(input.ownFiles)) putOwnFile(plan, path, source, input.mounts);
  plan.put(input.workingDirectory, { kind: "directory", mode: 0o777 });
  return plan;
}

/** What an image brings can be moved and removed as in any image, unless it is too large to have a copy in memory for each container. */
function imageFile({ files, owner }: ContainerRootInput, source: string): Placed {
  const isSmall = files.kind(source) === "file" && files.size(source) <= largestCopyBytes;
  return isSmall ? { kind: "copy", source, owner } : { kind: "bind", source, readOnly: true, volume: false };
}

function putSystem(plan: RootPlan, { files, hidden }: ContainerRootInput): void {
  for (const name of systemDirectories) {
    const path = `/${name}`;
    const kind = files.kind(path);
    if (kind === "link") plan.put(path, { kind: "link", to: files.readLink(path) });
    if (kind === "directory") plan.put(path, { kind: "bind", source: path, readOnly: true, volume: false });
  }
  for (const path of hidden) if (isInside(path, systemDirectories)) hide(plan, path, files);
  plan.put("/sys", { kind: "bind", source: "/sys", readOnly: true, volume: false });
  plan.put("/proc", { kind: "proc" });
}

function hide(plan: RootPlan, path: string, files: MachineFiles): void {
  const kind = files.kind(path);
  if (kind === "directory") plan.put(path, { kind: "empty", mode: 0o755 });
  if (kind === "file") plan.put(path, { kind: "bind", source: "/dev/null", readOnly: true, volume: false });
}

function isInside(path: string, directories: readonly string[]): boolean {
  return directories.some((name) => path.startsWith(`/${name}/`));
}

function putDevices(plan: RootPlan, privileged: boolean): void {
  if (privileged) return plan.put("/dev", { kind: "bind", source: "/dev", readOnly: false, volume: true });
  plan.put("/dev", { kind: "directory", mode: 0o755 });
  for (const name of [...devices, "pts"]) {
    plan.put(join("/dev", name), { kind: "bind", source: join("/dev", name), readOnly: false, volume: false });
  }
  plan.put("/dev/shm", { kind: "empty", mode: 0o1777, sizeBytes: sharedMemoryBytes });
  const links = { ptmx: "pts/ptmx", fd: "/proc/self/fd", stdin: "/proc/self/fd/0", stdout: "/proc/self/fd/1", stderr: "/proc/self/fd/2" };
  for (const [name, to] of Object.entries(links)) plan.put(join("/dev", name), { kind: "link", to });
}

function putOwn(plan: RootPlan, { home }: ContainerRootInput): void {
  plan.put("/tmp", { kind: "directory", mode: 0o1777 });
  plan.put("/var/tmp", { kind: "directory", mode: 0o1777 });
  plan.put("/var/run", { kind: "link", to: "/run" });
  for (const path of [...writable, home]) plan.put(path, { kind: "directory", mode: 0o777 });
}

/** A volume that the pod puts at the very path wins: its own /etc/hosts, say. */
function putOwnFile(plan: RootPlan, path: string, source: string, mounts: readonly ContainerMount[]): void {
  if (mounts.some(({ mountPath }) => mountPath === path)) return;
  plan.put(path, { kind: "bind", source, readOnly: false, volume: false });
}
