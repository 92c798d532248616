/**
 * Where the namespaces thread is. It has left the others' file system state and network namespace for good; everything
 * else it leaves only while it starts a process, and comes back.
 */
import { closeSync, openSync } from "node:fs";
import * as c from "../syscalls/constants.ts";
import type { Libc } from "../syscalls/libc.ts";

export interface Place {
  /** Moves the thread into a network namespace and leaves it there: the next operation says where it wants to be. */
  enterNetwork(fd: number): void;
  /** A new network namespace, entered; its descriptor. */
  createNetwork(): number;
  /** Runs `work` in other mount, UTS and PID namespaces, as `leave` arranges, and comes back. If that fails the thread is of no use any more. */
  away<Result>(leave: () => void, work: () => Result): Result;
}

/** The thread could not come back: everything it did from now on would happen in the wrong place. */
export class LostError extends Error {}

export function createPlace(libc: Libc): Place {
  // A host name of its own: rootless there is no way back into the host's UTS namespace.
  libc.unshare(c.CLONE_FS | c.CLONE_NEWUTS);
  const home = { mount: openNamespace("mnt"), uts: openNamespace("uts"), pid: openNamespace("pid") };
  let network = -1;
  const comeBack = () => {
    try {
      libc.setns(home.pid, c.CLONE_NEWPID);
      libc.setns(home.uts, c.CLONE_NEWUTS);
      libc.setns(home.mount, c.CLONE_NEWNS);
    } catch (error) {
      throw new LostError("the namespaces thread cannot return to its own namespaces", { cause: error });
    }
  };
  return {
    enterNetwork(fd) {
      if (fd === network) return;
      libc.setns(fd, c.CLONE_NEWNET);
      network = fd;
    },
    createNetwork() {
      libc.unshare(c.CLONE_NEWNET);
      network = openNamespace("net");
      return network;
    },
    away(leave, work) {
      try {
        leave();
        return work();
      } finally {
        comeBack();
      }
    },
  };
}

/** Enters mount, UTS and PID namespaces of a process (the latter for children). Throws ENOENT or ESRCH when it is gone. */
export function joinProcess(libc: Libc, pid: number): void {
  const kinds = [
    ["pid", c.CLONE_NEWPID],
    ["uts", c.CLONE_NEWUTS],
    ["mnt", c.CLONE_NEWNS],
  ] as const;
  // All are opened first: after the mount namespace the path means something else.
  const fds = kinds.map(([name]) => openSync(`/proc/${pid}/ns/${name}`, "r"));
  try {
    for (const [i, [, kind]] of kinds.entries()) libc.setns(fds[i] as number, kind);
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

/** Of the calling thread: `/proc/self` would be the process's first thread. */
function openNamespace(name: "mnt" | "net" | "pid" | "uts"): number {
  return openSync(`/proc/thread-self/ns/${name}`, "r");
}
