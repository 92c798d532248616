/**
 * Where cgroups of containers can be made. As root beside the program's own (version 1), or at the top of the tree (version 2, where a
 * group that holds processes can have no limited ones below it). Without root nowhere: a part of the tree would have to be
 * given to the program before its first process starts. Pure, given eyes for the files.
 */
import type { CgroupVersion } from "./limits.ts";

export type CgroupPlace =
  | {
      readonly kind: "found";
      readonly version: CgroupVersion;
      /** The directories in which each controller's are made; one and the same for version 2. */
      readonly directories: Readonly<Record<"cpu" | "memory", string>>;
    }
  | { readonly kind: "none"; readonly why: string };

export interface CgroupFacts {
  /** The program is the machine's root. */
  readonly isRoot: boolean;
  /** Of `/proc/self/mountinfo` and `/proc/self/cgroup`. */
  readonly mountinfo: string;
  readonly cgroup: string;
  readonly exists: (path: string) => boolean;
  /** The text of a file; empty where there is none. */
  readonly read: (path: string) => string;
}

export function findCgroups(facts: CgroupFacts): CgroupPlace {
  if (!facts.isRoot) return { kind: "none", why: "without root no limits can be set" };
  const [cpu, memory] = [versionOne("cpu", facts), versionOne("memory", facts)];
  if (cpu !== undefined && memory !== undefined) return { kind: "found", version: 1, directories: { cpu, memory } };
  const top = mountPoint(facts.mountinfo, ({ type }) => type === "cgroup2");
  if (top === undefined) return { kind: "none", why: "this machine mounts no cgroups" };
  const controllers = facts.read(`${top}/cgroup.controllers`).trim().split(" ");
  if (!controllers.includes("cpu") || !controllers.includes("memory"))
    return { kind: "none", why: "the machine's cgroups have no controllers for cpu and memory" };
  // The root of all has no type; that of a container has, and processes of others in it.
  if (facts.exists(`${top}/cgroup.type`)) return { kind: "none", why: "the program is in a container, whose cgroup cannot be divided" };
  return { kind: "found", version: 2, directories: { cpu: top, memory: top } };
}

/** The program's own group of that controller, where it is seen; else the top of its tree. */
function versionOne(controller: string, { mountinfo, cgroup, exists }: CgroupFacts): string | undefined {
  const top = mountPoint(mountinfo, ({ type, options }) => type === "cgroup" && options.includes(controller));
  if (top === undefined) return undefined;
  const own =
    cgroup
      .split("\n")
      .map((line) => line.split(":"))
      .find(([, names = ""]) => names.split(",").includes(controller))?.[2] ?? "/";
  const path = own === "/" ? top : `${top}${own}`;
  return exists(path) ? path : top;
}

interface Mounted {
  readonly type: string;
  readonly options: readonly string[];
}

/** proc_pid_mountinfo(5): the fifth field; behind ` - ` type, source and options of the file system. */
function mountPoint(mountinfo: string, isWanted: (mounted: Mounted) => boolean): string | undefined {
  for (const line of mountinfo.split("\n")) {
    const [mount = "", system = ""] = line.split(" - ");
    const [type = "", , options = ""] = system.split(" ");
    if (isWanted({ type, options: options.split(",") })) return mount.split(" ")[4];
  }
  return undefined;
}
