/** The processor time of this thread, in milliseconds: what others do on a busy machine is not in it. Node's own figure moves by 4 ms. */
import { createRequire } from "node:module";

/** CLOCK_THREAD_CPUTIME_ID (Linux `time.h`). */
const threadClock = 3;

interface Koffi {
  load(library: string): { func(declaration: string): (clock: number, time: BigInt64Array) => number };
}

/** By the wall clock where libc cannot be called. */
export function threadTime(): () => number {
  try {
    const koffi = createRequire(import.meta.url)("koffi") as Koffi;
    const read = koffi.load("libc.so.6").func("int clock_gettime(int, void *)");
    const time = new BigInt64Array(2);
    return () => {
      read(threadClock, time);
      return Number(time[0]) * 1000 + Number(time[1]) / 1e6;
    };
  } catch {
    return () => performance.now();
  }
}
