/**
 * Joins two TCP sockets: every byte of each goes to the other, in order. Reading stops while the other side cannot take more
 * (so a slow reader costs two socket buffers, not memory); an end of file passes on by itself, so either side may half-close
 * and still receive; a reset becomes a reset; an idle pair stays, as with a kernel that forwards. Both sockets must allow half-open. The
 * relay owns them from here on.
 */
import type { StreamSocket } from "./stream-socket.ts";

export interface RelayOptions {
  /** When both sides are gone. */
  readonly onClose?: () => void;
}

export function relay(a: StreamSocket, b: StreamSocket, { onClose }: RelayOptions = {}): void {
  let open = 2;
  const closed = () => {
    open -= 1;
    if (open === 0) onClose?.();
  };
  forward(a, b, closed);
  forward(b, a, closed);
  a.resume();
  b.resume();
}

function forward(from: StreamSocket, to: StreamSocket, closed: () => void): void {
  from.on("data", (chunk) => {
    if (!to.write(chunk)) from.pause();
  });
  to.on("drain", () => from.resume());
  from.on("end", () => to.end());
  from.on("error", noticedAtClose);
  from.on("close", (failed) => {
    passOn(from, to, failed);
    closed();
  });
}

/** What the other side is told when `from` is gone. */
function passOn(from: StreamSocket, to: StreamSocket, failed: boolean): void {
  if (to.destroyed) return;
  // All of its data is on the way to `to` already: that is delivered before the end, whatever happened to writing.
  if (from.readableEnded) {
    if (failed) to.destroySoon();
  } else if (failed) to.resetAndDestroy();
  else to.destroy();
}

/** An error is always followed by `close`, which says that there was one; that is where it is dealt with. */
function noticedAtClose(): void {
  // Without a listener the error would end the process.
}
