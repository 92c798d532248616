/** Opens a TCP connection with a time limit of its own, to an address that is known. */
import { connect as netConnect, type Socket } from "node:net";
import { errnoCode } from "../lib/errors.ts";

export interface ConnectOptions {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
  /** The address to come from: so that the other side sees the client and not the proxy. */
  readonly localAddress?: string | undefined;
}

export interface ConnectFailed {
  /** The errno, or `ETIMEDOUT` when the time was up. */
  readonly failed: string;
}

export type ConnectResult = Socket | ConnectFailed;

/**
 * Calls back once, with a connected socket (half-open allowed, nothing read yet) or with why not. A source address whose ports
 * are used up costs the client its address, not its connection: the second try comes from the default address.
 */
export function connectTcp(options: ConnectOptions, done: (result: ConnectResult) => void): void {
  const { host, port, timeoutMs, localAddress } = options;
  const socket = netConnect({ host, port, allowHalfOpen: true, noDelay: true, ...(localAddress === undefined ? {} : { localAddress }) });
  const fail = (code: string) => {
    socket.off("connect", onConnect);
    socket.destroy();
    if (localAddress !== undefined && sourceExhausted(code)) connectTcp({ host, port, timeoutMs }, done);
    else done({ failed: code });
  };
  const onTimeout = () => fail("ETIMEDOUT");
  const onError = (error: Error) => fail(errnoCode(error) ?? "ECONNREFUSED");
  const onConnect = () => {
    socket.setTimeout(0);
    socket.off("timeout", onTimeout);
    socket.off("error", onError);
    done(socket);
  };
  socket.setTimeout(timeoutMs);
  socket.once("timeout", onTimeout);
  socket.once("error", onError);
  socket.once("connect", onConnect);
}

function sourceExhausted(code: string): boolean {
  return code === "EADDRNOTAVAIL" || code === "EADDRINUSE" || code === "EINVAL";
}
