/** Makes a `net.Socket` of a descriptor whose connection is made or under way. */
import { Socket } from "node:net";
import { constants } from "node:os";
import { errnoCode } from "../../lib/errors.ts";
import { joinHostPort } from "../../lib/ip.ts";
import { SystemError } from "../syscalls/system-error.ts";

export interface Destination {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
}

/**
 * The socket takes the descriptor over, whatever happens. It is not read from until somebody asks. Rejects with the
 * system's error, ETIMEDOUT after `timeoutMs`.
 */
export function adoptConnection(started: { readonly fd: number; readonly connected: boolean }, to: Destination): Promise<Socket> {
  const socket = new Socket({ fd: started.fd, allowHalfOpen: true, readable: true, writable: true, manualStart: true } as object);
  if (started.connected) return Promise.resolve(socket);
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const fail = (error: Error) => {
    clearTimeout(timer);
    socket.destroy();
    reject(connectError(error, to));
  };
  const timer = setTimeout(() => fail(Object.assign(new Error("timed out"), { code: "ETIMEDOUT" })), to.timeoutMs);
  socket.once("error", fail);
  // Sending nothing waits until the socket can send, which is when it is connected, and reports why if it never will be.
  socket.write(Buffer.alloc(0), (error) => {
    if (error !== null && error !== undefined) return; // comes as "error" too
    clearTimeout(timer);
    socket.off("error", fail);
    resolve(socket);
  });
  return promise;
}

function connectError(error: Error, { host, port }: Destination): Error {
  const errno = constants.errno[(errnoCode(error) ?? "") as keyof typeof constants.errno];
  return errno === undefined ? error : new SystemError("connect", errno, joinHostPort(host, port));
}
