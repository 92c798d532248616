/** Carries out a list of mounts in the calling thread's mount namespace, which must be its own already. */
import { chmodSync, closeSync, mkdirSync, openSync, statSync, symlinkSync } from "node:fs";
import { dirname } from "node:path";
import * as c from "../syscalls/constants.ts";
import type { Libc } from "../syscalls/libc.ts";
import { SystemError } from "../syscalls/system-error.ts";
import type { Mount } from "./namespaces.ts";

export function applyMount(libc: Libc, mount: Mount): void {
  switch (mount.kind) {
    case "bind":
      return bind(libc, mount.source, mount.target, mount.readOnly);
    case "tmpfs": {
      mkdirSync(mount.target, { recursive: true });
      const size = mount.sizeBytes === undefined ? "" : `,size=${Math.max(0, Math.floor(mount.sizeBytes))}`;
      return libc.mount("tmpfs", mount.target, "tmpfs", c.MS_NOSUID | c.MS_NODEV, `mode=${octal(mount.mode ?? 0o755)}${size}`);
    }
    case "mask":
      return mask(libc, mount.target);
    case "directory":
      mkdirSync(mount.target, { recursive: true });
      return chmodSync(mount.target, mount.mode); // mkdir's own mode is cut by the umask
    case "symlink":
      mkdirSync(dirname(mount.target), { recursive: true });
      return symlinkSync(mount.to, mount.target);
    case "proc":
      // Where the process gets a PID namespace of its own, its `/proc` lies over this one. Rootless the kernel allows that
      // only where a whole `/proc` is seen already.
      return bind(libc, "/proc", mount.target, false);
  }
}

/** `root`, a mount of this namespace, becomes `/`; the old root is gone from it. The thread ends up in the new `/`. */
export function pivotInto(libc: Libc, root: string): void {
  libc.chdir(root);
  libc.pivotRoot(".", ".");
  libc.umount2(".", c.MNT_DETACH);
  libc.chdir("/");
}

function bind(libc: Libc, source: string, target: string, readOnly: boolean): void {
  if (statSync(source).isDirectory()) mkdirSync(target, { recursive: true });
  else makeFile(target);
  libc.mount(source, target, null, c.MS_BIND | c.MS_REC);
  if (readOnly) setReadOnly(libc, target);
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

function mask(libc: Libc, target: string): void {
  const what = statSync(target, { throwIfNoEntry: false });
  if (what === undefined) return;
  if (what.isDirectory()) libc.mount("tmpfs", target, "tmpfs", c.MS_RDONLY | c.MS_NOSUID | c.MS_NODEV, "size=4k,mode=555");
  else libc.mount("/dev/null", target, null, c.MS_BIND);
}

function makeFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  if (statSync(path, { throwIfNoEntry: false }) === undefined) closeSync(openSync(path, "a", 0o644));
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8);
}
