/** Wakes a thread that sleeps in its event loop: an eventfd that it watches (`EventLoop.wakeBy`). */
import { writeSync } from "node:fs";
import * as c from "../../host/syscalls/constants.ts";
import { loadLibc } from "../../host/syscalls/libc.ts";

export interface Wake {
  readonly fd: number;
  ring(): void;
  /** When the thread has ended. */
  close(): void;
}

const one = new Uint8Array(BigUint64Array.of(1n).buffer);

/** Undefined where there is no FFI. */
export function createWake(): Wake | undefined {
  const libc = loadLibc();
  if (libc === undefined) return undefined;
  const fd = libc.eventfd(0, c.O_NONBLOCK);
  return { fd, ring: () => void writeSync(fd, one), close: () => libc.close(fd) };
}
