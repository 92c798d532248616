/** Looks at the first bytes of a connection before it is known who takes it, and gives them back. */
import type { Clock } from "../../lib/clock.ts";
import type { StreamSocket } from "../../net/stream-socket.ts";

export type Peeked<T> =
  /** More bytes are needed. */
  | { readonly kind: "short" }
  | { readonly kind: "malformed" }
  /** `used`: of the bytes, that are not given back. */
  | { readonly kind: "ok"; readonly value: T; readonly used: number };

export interface PeekOptions<T> {
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly look: (bytes: Buffer) => Peeked<T>;
  /** The socket is paused. Not called when the bytes are malformed, too late, or never come: the socket is destroyed then. */
  readonly done: (value: T) => void;
}

export function peek<T>(socket: StreamSocket, { timeoutMs, clock, look, done }: PeekOptions<T>): void {
  let seen = Buffer.alloc(0);
  const timer = clock.after(timeoutMs, () => socket.destroy());
  const stop = () => {
    timer.cancel();
    socket.off("data", onData);
    socket.off("close", stop);
    socket.off("end", onEnd);
  };
  const onEnd = () => socket.destroy();
  const onData = (bytes: Buffer) => {
    seen = Buffer.concat([seen, bytes]);
    const found = look(seen);
    if (found.kind === "short") return;
    stop();
    socket.pause();
    if (found.kind === "malformed") return void socket.destroy();
    if (found.used < seen.length) socket.unshift(seen.subarray(found.used));
    done(found.value);
  };
  socket.on("data", onData);
  socket.on("end", onEnd);
  socket.once("close", stop);
  socket.resume();
}

/** A TLS record of the kind "handshake" (RFC 8446 5.1); nothing that speaks HTTP begins with this byte. */
const handshake = 0x16;

export function lookForTls(bytes: Buffer): Peeked<"plain" | "tls"> {
  return { kind: "ok", value: bytes[0] === handshake ? "tls" : "plain", used: 0 };
}
