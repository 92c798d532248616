/** What a failed system call says: the shape that Node's own errors have (`code`, `errno`, `syscall`). */
import { constants } from "node:os";

/** errno → name. Where two names share a number the one that Node prints wins. */
const names = new Map<number, string>([
  ...Object.entries(constants.errno).map(([name, number]): [number, string] => [number, name]),
  [constants.errno.EAGAIN, "EAGAIN"],
  [constants.errno.ENOTSUP, "ENOTSUP"],
]);

export class SystemError extends Error {
  /** The name, `ECONNREFUSED`; `E<number>` for one that has no name here. */
  readonly code: string;
  /** Negative, as in Node's own errors. */
  readonly errno: number;
  readonly syscall: string;

  /** `errno`: positive. `detail`: what it was done to (`10.0.0.1:80`), and what else the kernel said. */
  constructor(syscall: string, errno: number, detail?: string) {
    const code = errorName(errno);
    super(`${syscall} ${code}${detail === undefined ? "" : ` ${detail}`}`);
    this.name = "SystemError";
    this.code = code;
    this.errno = -errno;
    this.syscall = syscall;
  }
}

export function errorName(errno: number): string {
  return names.get(errno) ?? `E${errno}`;
}
