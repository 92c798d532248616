/** A command that runs beside a container's main process, as its client sees it. */
import type { Writable } from "node:stream";
import type { ExecSession, ExitStatus } from "../../../api/node-agent.ts";
import { drained } from "./drained.ts";
import type { ContainerProcess } from "./placement.ts";

export function execSession(started: ContainerProcess): ExecSession {
  // The reader of the pipe may be gone before we are; its exit code tells what matters.
  started.stdin?.on("error", () => undefined);
  const done = endOf(started);
  return {
    write: (chunk) => writeTo(started.stdin, chunk),
    closeStdin: () => void started.stdin?.end(),
    onOutput(listener) {
      // Not before: what nobody reads stays in the pipe.
      for (const stream of ["stdout", "stderr"] as const) started[stream]?.on("data", (chunk: Buffer) => listener(stream, chunk));
    },
    resize: (columns, rows) => started.resize(columns, rows),
    done,
    kill: () => started.signal("SIGKILL"),
  };
}

/** Resolves when the stream takes more; at once where there is none to take it. */
export function writeTo(stream: Writable | undefined, chunk: Uint8Array): Promise<void> {
  if (stream === undefined || !stream.writable) return Promise.resolve();
  return new Promise((resolve) => stream.write(chunk, () => resolve()));
}

/** Settles when the process has ended and its output is read; a grandchild that holds the pipes delays it only a little. */
async function endOf(started: ContainerProcess): Promise<ExitStatus> {
  const streams = [started.stdout, started.stderr].filter((stream) => stream !== undefined);
  await drained(streams, started.exited);
  const { exitCode } = await started.exited;
  started.stdin?.destroy();
  return { kind: "exited", code: exitCode };
}
