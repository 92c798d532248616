/** The first thing that the program does inside: it learns who it is outside, and sees its own processes in `/proc`. */
import { readlinkSync } from "node:fs";
import { errorMessage, FairleadError } from "../../lib/errors.ts";
import { MS_NODEV, MS_NOEXEC, MS_NOSUID } from "../syscalls/constants.ts";
import { loadLibc, type Libc } from "../syscalls/libc.ts";
import { SystemError } from "../syscalls/system-error.ts";
import { insideMarker } from "./enter.ts";

export interface Inside {
  /** This process as the host's `/proc` shows it: for `kill`, and for `nsenter -t` from outside. */
  readonly hostPid: number;
}

/**
 * Undefined when the program was started the usual way. Takes the marker out of the environment, so that what the program
 * starts does not take itself for it. Throws FL_UNSUPPORTED where the kernel shows no `/proc` of the new PID namespace.
 */
export function settleInside(env: Record<string, string | undefined> = process.env): Inside | undefined {
  if (env[insideMarker] === undefined) return undefined;
  delete env[insideMarker];
  const libc = loadLibc();
  if (libc === undefined)
    throw new FairleadError("FL_UNSUPPORTED", "no FFI on this machine (package koffi), without which there are no namespaces");
  keepDescriptors(libc);
  // Still the host's `/proc`, in whose numbering `self` is. Once ours lies over it there is no way to know.
  const hostPid = Number(readlinkSync("/proc/self"));
  try {
    libc.mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC);
  } catch (error) {
    throw new FairleadError("FL_UNSUPPORTED", `the kernel shows no /proc of the program's own processes: ${errorMessage(error)}`, {
      cause: error,
    });
  }
  return { hostPid };
}

/** What whoever started us left open is not for pods. */
function keepDescriptors(libc: Libc): void {
  try {
    libc.closeOnExecFrom(3);
  } catch (error) {
    if (!(error instanceof SystemError) || !["ENOSYS", "EINVAL"].includes(error.code)) throw error; // before Linux 5.11
  }
}
