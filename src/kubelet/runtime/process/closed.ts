/** When a stream is over, also where it was so before anybody asked: a stream without data ends by itself. */
import type { Readable } from "node:stream";

export function closed(stream: Readable): Promise<void> {
  if (stream.closed) return Promise.resolve();
  return new Promise((resolve) => {
    stream.once("close", () => resolve());
    // A terminal whose last writer is gone reads as EIO (tty_ioctl(4)); "close" follows.
    stream.once("error", () => undefined);
  });
}
