/**
 * Finds, and where asked makes, a place below a root that is not the process's own yet, as the processes inside will see it: a
 * symbolic link that leads to `/etc` leads to the root's `/etc`, and `..` stops at the root. Whoever has planted a link in a volume
 * therefore gains nothing. Each step goes through the descriptor of the directory before it, so nothing can be exchanged under
 * way either (as openat2(2) with RESOLVE_IN_ROOT does, which cannot make what is missing).
 */
import { closeSync, constants, fstatSync, mkdirSync, openSync, readlinkSync } from "node:fs";
import { errnoCode } from "../../lib/errors.ts";

/** What to make of the last name where it is missing. */
export type Missing = "directory" | "file" | "leave";

const O_PATH = 0o10_000_000;
/** As the kernel's own limit (path_resolution(7)). */
const maxLinks = 40;

/**
 * Calls `use` with a path that means the place while the call lasts; undefined when it is missing and to be left so. `path`:
 * relative to `root`. Throws the system's error (ENOTDIR, ELOOP).
 */
export function withPlaceBelow<Result>(root: string, path: string, missing: Missing, use: (place: string) => Result): Result | undefined {
  const opened = [openSync(root, O_PATH | constants.O_DIRECTORY)];
  try {
    return walk(opened, path.split("/"), missing) ? use(descriptorPath(opened.at(-1) as number)) : undefined;
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

/** `opened`: the directories from the root down, to which those on the way are added. False: it ends before the path does. */
function walk(opened: number[], names: string[], missing: Missing): boolean {
  let links = 0;
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    if (name === "" || name === ".") continue;
    if (name === "..") {
      if (opened.length > 1) closeSync(opened.pop() as number);
      continue;
    }
    const here = `${descriptorPath(opened.at(-1) as number)}/${name}`;
    const fd = openOrMake(here, names.every((rest) => rest === "") ? missing : missing === "leave" ? "leave" : "directory");
    if (fd === undefined) return false;
    opened.push(fd);
    if (!fstatSync(fd).isSymbolicLink()) continue;
    if (++links > maxLinks)
      throw Object.assign(new Error(`too many symbolic links at ${name}`), { code: "ELOOP", errno: -40, syscall: "open" });
    const target = readlinkSync(here);
    const keep = target.startsWith("/") ? 1 : opened.length - 1;
    while (opened.length > keep) closeSync(opened.pop() as number);
    names.unshift(...target.split("/"));
  }
  return true;
}

function openOrMake(place: string, missing: Missing): number | undefined {
  try {
    return openPlace(place);
  } catch (error) {
    if (errnoCode(error) !== "ENOENT") throw error;
  }
  if (missing === "leave") return undefined;
  if (missing === "directory") mkdirSync(place);
  else closeSync(openSync(place, constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW | constants.O_WRONLY, 0o644));
  return openPlace(place);
}

/** Of a symbolic link the link itself. */
function openPlace(place: string): number {
  return openSync(place, O_PATH | constants.O_NOFOLLOW);
}

function descriptorPath(fd: number): string {
  return `/proc/self/fd/${fd}`;
}
