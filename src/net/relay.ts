/**
 * Joins two TCP sockets: every byte of each goes to the other, in order. Reading stops while the other side cannot take more
 * (so a slow reader costs two socket buffers, not memory); an end of file passes on by itself, so either side may half-close
 * and still receive; a reset becomes a reset. Both sockets must allow half-open. The relay owns them from here on.
 */
import type { Socket } from "node:net";

export interface RelayOptions {
  /** Closes both sides after this long without a byte either way. Default 0: never, as a kernel that forwards. */
  readonly idleMs?: number;
  /** When both sides are gone. */
  readonly onClose?: () => void;
}

export function relay(a: Socket, b: Socket, { idleMs = 0, onClose }: RelayOptions = {}): void {
  let open = 2;
  const closed = () => {
    open -= 1;
    if (open === 0) onClose?.();
  };
  forward(a, b, closed);
  forward(b, a, closed);
  if (idleMs > 0) {
    const expire = () => void (a.destroy(), b.destroy());
    // A byte touches both sockets, the one it is read from and the one it is written to: one timer is enough.
    a.setTimeout(idleMs, expire);
  }
  a.resume();
  b.resume();
}

function forward(from: Socket, to: Socket, closed: () => void): void {
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
function passOn(from: Socket, to: Socket, failed: boolean): void {
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
