/** A small program that runs in a network namespace of its own and prints what it found, as a JSON array of capabilities. */
import { loadLibc } from "../syscalls/libc.ts";
import { probeKernel } from "./kernel.ts";

const libc = loadLibc();
process.stdout.write(JSON.stringify(libc === undefined ? [] : probeKernel(libc)));
