/** Pipes and pseudo-terminals between this program and a process that another thread starts. */
import { closeSync } from "node:fs";
import { Socket } from "node:net";
import type { Duplex, Readable } from "node:stream";
import { Writable } from "node:stream";
import { ReadStream } from "node:tty";
import type { Libc } from "../../../host/syscalls/libc.ts";
import { openPty, setWindowSize } from "../../../host/syscalls/pty.ts";
import type { ProcessStreams } from "./placement.ts";

export interface OpenStreams {
  /** For `spawn`. */
  readonly stdio: readonly [number | null, number | null, number | null];
  readonly stdin: Writable | undefined;
  readonly stdout: Readable;
  readonly stderr: Readable | undefined;
  resize(columns: number, rows: number): void;
  /** The process has its own copies now, or never will. */
  closeTheirs(): void;
  /** Closes our ends too: it was never started, or never became what it should. */
  abandon(): void;
}

const endOfTransmission = Buffer.from([4]);

export function openStreams(libc: Libc, { stdin, terminal }: ProcessStreams): OpenStreams {
  return terminal ? openTerminal(libc) : openPipes(libc, stdin);
}

function openPipes(libc: Libc, wantsInput: boolean): OpenStreams {
  const input = wantsInput ? libc.pipe2(0) : undefined;
  const output = libc.pipe2(0);
  const errors = libc.pipe2(0);
  const stdin = input === undefined ? undefined : new Socket({ fd: input[1], readable: false, writable: true });
  const stdout = new Socket({ fd: output[0], readable: true, writable: false });
  const stderr = new Socket({ fd: errors[0], readable: true, writable: false });
  const theirs = [...(input === undefined ? [] : [input[0]]), output[1], errors[1]];
  const streams = [stdout, stderr, ...(stdin === undefined ? [] : [stdin])];
  return {
    stdio: [input?.[0] ?? null, output[1], errors[1]],
    stdin,
    stdout,
    stderr,
    resize: () => undefined,
    closeTheirs: () => closeAll(theirs.splice(0)),
    abandon() {
      closeAll(theirs.splice(0));
      for (const stream of streams) stream.destroy();
    },
  };
}

function openTerminal(libc: Libc): OpenStreams {
  const { master, slave } = openPty(libc);
  const stream = new ReadStream(master) as unknown as Duplex;
  const theirs = [slave];
  let open = true;
  stream.once("close", () => (open = false));
  return {
    stdio: [slave, slave, slave],
    stdin: terminalInput(stream),
    stdout: stream,
    stderr: undefined,
    resize(columns, rows) {
      if (open) setWindowSize(libc, master, columns, rows);
    },
    closeTheirs: () => closeAll(theirs.splice(0)),
    abandon() {
      closeAll(theirs.splice(0));
      stream.destroy();
    },
  };
}

/** The end of input is a character in a terminal; closing our end would hang the line up. */
function terminalInput(stream: Duplex): Writable {
  return new Writable({
    write: (chunk: Buffer, _, done) => void stream.write(chunk, done),
    final: (done) => void stream.write(endOfTransmission, done),
  });
}

function closeAll(descriptors: readonly number[]): void {
  for (const descriptor of descriptors) closeSync(descriptor);
}
