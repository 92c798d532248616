/**
 * The part of `node:net`'s Socket that a proxy needs, so that one state machine runs on Node's sockets and on ours. Two rules
 * that both keep for whoever uses it:
 * - bytes given to a `data` listener may be overwritten after it returns: what is kept is copied;
 * - bytes given to `write` are the caller's again when it returns, if `writableLength` is 0 then.
 */
export interface StreamSocket {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly destroyed: boolean;
  /** The peer has sent all it will, and all of it was given to `data` listeners. */
  readonly readableEnded: boolean;
  /** Bytes given to `write` that are still read from where they were: 0 for a socket that copies. */
  readonly writableLength: number;
  on(event: "data", listener: (bytes: Buffer) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  /** `failed`: the connection broke. */
  on(event: "close", listener: (failed: boolean) => void): unknown;
  on(event: "end" | "drain", listener: () => void): unknown;
  once(event: "close", listener: () => void): unknown;
  off(event: "data", listener: (bytes: Buffer) => void): unknown;
  off(event: "error", listener: (error: Error) => void): unknown;
  off(event: "end" | "drain" | "close", listener: () => void): unknown;
  /** False: the kernel has not taken all; more is better written after `drain`. */
  write(bytes: Buffer): boolean;
  write(text: string, encoding: "latin1"): boolean;
  /** Latin-1 text and what follows it, with one call of the kernel. Absent: two writes, corked, are as good. */
  writeBoth?(text: string, bytes: Buffer): boolean;
  /** No more will be written; `done` when the kernel has all. Reading goes on. */
  end(done?: () => void): unknown;
  pause(): unknown;
  resume(): unknown;
  /** Bytes that come again, before all others. */
  unshift(bytes: Buffer): void;
  cork(): void;
  uncork(): void;
  destroy(): unknown;
  /** After what was written has gone. */
  destroySoon(): void;
  /** The peer gets a reset. */
  resetAndDestroy(): unknown;
  setNoDelay(on: boolean): unknown;
  setKeepAlive(on: boolean, afterMs: number): unknown;
}
