/** Pseudo-terminals without a native module: /dev/ptmx and ioctls (pty(7), TIOCGPTPEER: Linux 4.13). */
import { closeSync, constants, openSync } from "node:fs";
import { O_CLOEXEC, TIOCGPTPEER, TIOCSPTLCK, TIOCSWINSZ } from "./constants.ts";
import type { Libc } from "./libc.ts";

export interface Pty {
  /** This program's end. */
  readonly master: number;
  /** The program's terminal: its descriptors 0, 1 and 2. */
  readonly slave: number;
}

/** Both descriptors are the caller's to close. The slave comes from the master itself, so /dev/pts need not be the same one. */
export function openPty(libc: Libc): Pty {
  const master = openSync("/dev/ptmx", constants.O_RDWR | constants.O_NOCTTY);
  try {
    libc.ioctl(master, TIOCSPTLCK, new Uint8Array(4));
    const slave = libc.ioctlNumber(master, TIOCGPTPEER, constants.O_RDWR | constants.O_NOCTTY | O_CLOEXEC);
    return { master, slave };
  } catch (error) {
    closeSync(master);
    throw error;
  }
}

/** The programs in the terminal get SIGWINCH. */
export function setWindowSize(libc: Libc, fd: number, columns: number, rows: number): void {
  libc.ioctl(fd, TIOCSWINSZ, new Uint8Array(Uint16Array.of(rows, columns, 0, 0).buffer));
}
