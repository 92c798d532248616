/** When the output of a process that has ended is read to its end. */
import type { Socket } from "node:net";
import type { Readable } from "node:stream";

const quietMs = 250;

/**
 * Resolves once all streams are closed. After the end of their process they are waited for as long as anything comes: a
 * process that got away may hold a pipe open for ever, and is no reason to.
 */
export async function drained(streams: readonly Readable[], exited: Promise<unknown>): Promise<void> {
  const over = Promise.all(streams.map(closed));
  await exited;
  const quiet = untilQuiet(streams);
  await over;
  quiet.cancel();
}

/** Also where it was closed before anybody asked: a stream without data ends by itself. */
function closed(stream: Readable): Promise<void> {
  if (stream.closed) return Promise.resolve();
  return new Promise((resolve) => {
    stream.once("close", () => resolve());
    // A terminal whose last writer is gone reads as EIO (tty_ioctl(4)); "close" follows.
    stream.once("error", () => undefined);
  });
}

function untilQuiet(streams: readonly Readable[]): { cancel(): void } {
  let timer: ReturnType<typeof setTimeout>;
  let canceled = false;
  const wait = (seen: number) => {
    timer = setTimeout(() => {
      // After a long turn of the event loop the timer comes first: what lies in the pipes is read before this is called.
      setImmediate(() => {
        if (canceled) return;
        const now = bytesRead(streams);
        if (now !== seen || streams.some((stream) => stream.isPaused())) return wait(now);
        for (const stream of streams) stream.destroy();
      });
    }, quietMs);
  };
  wait(bytesRead(streams));
  return {
    cancel() {
      canceled = true;
      clearTimeout(timer);
    },
  };
}

function bytesRead(streams: readonly Readable[]): number {
  return streams.reduce((sum, stream) => sum + ((stream as Partial<Socket>).bytesRead ?? 0), 0);
}
