/** Carries out a list of mounts in the calling thread's mount namespace, which must be its own already. */
import { chmodSync, chownSync, closeSync, copyFileSync, mkdirSync, openSync, statSync, symlinkSync } from "node:fs";
import { basename, dirname } from "node:path";
import * as c from "../syscalls/constants.ts";
import type { Libc } from "../syscalls/libc.ts";
import { SystemError } from "../syscalls/system-error.ts";
import { withPlaceBelow, type Missing } from "./below-root.ts";
import type { Mount } from "./namespaces.ts";

/** Finds a target, and makes it where it is missing; `use` gets a path to it. */
export type Places = (target: string, missing: Missing, use: (place: string) => void) => void;

/** `root`: of `SpawnOptions`. Targets below it are looked up as the processes inside will see them. */
export function placesOf(root: string | undefined): Places {
  if (root === undefined) return atHome;
  return (target, missing, use) => {
    if (target === root) return use(root);
    if (!target.startsWith(`${root}/`)) throw new RangeError(`the target ${target} is not below the root ${root}`);
    withPlaceBelow(root, target.slice(root.length), missing, use);
  };
}

/** In the machine's own tree, whose links are the administrator's. */
const atHome: Places = (target, missing, use) => {
  if (missing === "directory") mkdirSync(target, { recursive: true });
  if (missing === "file") makeFile(target);
  if (statSync(target, { throwIfNoEntry: false }) !== undefined) use(target);
};

export function applyMount(libc: Libc, mount: Mount, places: Places): void {
  switch (mount.kind) {
    case "bind":
      return bind(libc, mount, places);
    case "tmpfs": {
      const size = mount.sizeBytes === undefined ? "" : `,size=${Math.max(1, Math.floor(mount.sizeBytes))}`;
      const data = `mode=${octal(mount.mode ?? 0o755)}${size}`;
      return places(mount.target, "directory", (place) => libc.mount("tmpfs", place, "tmpfs", c.MS_NOSUID | c.MS_NODEV, data));
    }
    case "mask":
      return places(mount.target, "leave", (place) => mask(libc, place));
    case "directory":
      return places(mount.target, "directory", (place) => chmodSync(place, mount.mode)); // mkdir's own mode is cut by the umask
    case "overlay":
      return places(mount.target, "directory", (place) => overlay(libc, mount, place));
    case "seal":
      return places(mount.target, "leave", (place) =>
        libc.mount(null, place, null, c.MS_REMOUNT | c.MS_BIND | c.MS_RDONLY | c.MS_NOSUID | c.MS_NODEV),
      );
    case "copy":
      return places(mount.target, "file", (place) => {
        copyFileSync(mount.source, place);
        chmodSync(place, 0o755);
        if (mount.owner !== undefined) chownSync(place, mount.owner.uid, mount.owner.gid);
      });
    case "symlink":
      return places(dirname(mount.target), "directory", (place) => symlinkSync(mount.to, `${place}/${basename(mount.target)}`));
    case "proc":
      // Where the process gets a PID namespace of its own, its `/proc` lies over this one. Rootless the kernel allows that
      // only where a whole `/proc` is seen already.
      return bind(libc, { source: "/proc", target: mount.target, readOnly: false }, places);
  }
}

/** `root`, a mount of this namespace, becomes `/`; the old root is gone from it. The thread ends up in the new `/`. */
export function pivotInto(libc: Libc, root: string): void {
  libc.chdir(root);
  libc.pivotRoot(".", ".");
  libc.umount2(".", c.MNT_DETACH);
  libc.chdir("/");
}

interface Bind {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

function bind(libc: Libc, { source, target, readOnly }: Bind, places: Places): void {
  const like = statSync(source).isDirectory() ? "directory" : "file";
  places(target, like, (place) => libc.mount(source, place, null, c.MS_BIND | c.MS_REC));
  // Looked up again: a path from before means what now lies below the mount.
  if (readOnly) places(target, "leave", (place) => setReadOnly(libc, place));
}

function overlay(libc: Libc, { lower, upper, work, userAttributes }: Extract<Mount, { kind: "overlay" }>, place: string): void {
  const data = `lowerdir=${escaped(lower)},upperdir=${escaped(upper)},workdir=${escaped(work)}${userAttributes ? ",userxattr" : ""}`;
  libc.mount("overlay", place, "overlay", c.MS_NODEV, data);
}

/** Of a path among the options: a colon would divide two layers, a comma two options. */
function escaped(path: string): string {
  return path.replace(/[\\:,]/g, "\\$&");
}

function setReadOnly(libc: Libc, target: string): void {
  try {
    libc.mountSetattr(target, c.AT_RECURSIVE, c.MOUNT_ATTR_RDONLY);
  } catch (error) {
    // Before Linux 5.12, and under seccomp filters that do not know the call: the top mount only, nosuid and nodev with it
    // because a mount that came from outside of our user namespace must keep them.
    if (!(error instanceof SystemError) || !["ENOSYS", "EPERM"].includes(error.code)) throw error;
    libc.mount(null, target, null, c.MS_REMOUNT | c.MS_BIND | c.MS_RDONLY | c.MS_NOSUID | c.MS_NODEV);
  }
}

function mask(libc: Libc, place: string): void {
  if (statSync(place).isDirectory()) libc.mount("tmpfs", place, "tmpfs", c.MS_RDONLY | c.MS_NOSUID | c.MS_NODEV, "size=4k,mode=555");
  else libc.mount("/dev/null", place, null, c.MS_BIND);
}

function makeFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  if (statSync(path, { throwIfNoEntry: false }) === undefined) closeSync(openSync(path, "a", 0o644));
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8);
}
