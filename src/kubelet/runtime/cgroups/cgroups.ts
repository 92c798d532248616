/** The cgroups of a node's containers. A container has one where it has limits. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { realClock, sleep, type Clock } from "../../../lib/clock.ts";
import { errnoCode } from "../../../lib/errors.ts";
import { findCgroups, type CgroupPlace } from "./find.ts";
import { cgroupSettings, oomKills, type Limits } from "./limits.ts";

export interface Cgroup {
  /** Whose process id is written there belongs to it, with all that it starts from then on. */
  readonly processFiles: readonly string[];
  /** Whether the kernel has killed any of its processes for want of memory. */
  outOfMemory(): boolean;
  /** Once its processes are gone. */
  remove(): Promise<void>;
}

type Found = Extract<CgroupPlace, { kind: "found" }>;

const busyPauseMs = 20;
const busyTries = 100;

export class Cgroups {
  readonly #place: Found;
  readonly #prefix: string;
  readonly #clock: Clock;

  /** `owner`: what tells this node's from those of other programs: the directory of its pods. */
  constructor(place: Found, owner: string, clock: Clock = realClock) {
    this.#place = place;
    this.#prefix = `fairlead-${createHash("sha256").update(owner).digest("hex").slice(0, 12)}-`;
    this.#clock = clock;
  }

  /** Takes away what a former run left, and lets the top of the tree divide what it has. Throws the system's error. */
  start(): void {
    const { version, directories } = this.#place;
    for (const directory of this.#directories())
      for (const name of readdirSync(directory)) if (name.startsWith(this.#prefix)) removeEmpty(join(directory, name));
    if (version === 2) writeFileSync(join(directories.cpu, "cgroup.subtree_control"), "+cpu +memory");
  }

  /** `id`: unique among those that run. Throws the system's error. */
  create(id: string, limits: Limits): Cgroup {
    const { version, directories } = this.#place;
    const name = `${this.#prefix}${id}`;
    const paths = this.#directories().map((directory) => join(directory, name));
    for (const path of paths) mkdirSync(path, { recursive: true });
    for (const { controller, file, value } of cgroupSettings(limits, version))
      writeFileSync(join(directories[controller], name, file), value);
    const events = join(directories.memory, name, version === 2 ? "memory.events" : "memory.oom_control");
    return {
      processFiles: paths.map((path) => join(path, "cgroup.procs")),
      outOfMemory: () => oomKills(readFileSync(events, "utf8")) > 0,
      remove: () => this.#remove(paths),
    };
  }

  /** The last process may be gone for us, but not yet for the kernel. */
  async #remove(paths: readonly string[]): Promise<void> {
    for (let tries = 0; tries < busyTries; tries++) {
      if (paths.map(removeEmpty).every((isGone) => isGone)) return;
      await sleep(this.#clock, busyPauseMs);
    }
  }

  #directories(): readonly string[] {
    return [...new Set(Object.values(this.#place.directories))];
  }
}

/** Of this machine; `none` says why. */
export function machineCgroups(isRoot: boolean): CgroupPlace {
  return findCgroups({ isRoot, mountinfo: read("/proc/self/mountinfo"), cgroup: read("/proc/self/cgroup"), exists: existsSync, read });
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Not there: as if it were empty.
    return "";
  }
}

/** Whether it is gone. What still has processes stays. */
function removeEmpty(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    return errnoCode(error) === "ENOENT";
  }
}
