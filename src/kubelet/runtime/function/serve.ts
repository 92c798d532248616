/** Holds a server at a pod's address and ends it as a process would end. */
import { Server as HttpServer } from "node:http";
import { Server, type Socket } from "node:net";

export interface ServedPort {
  readonly server: Server;
  readonly port?: number;
}

export interface NetServer {
  readonly closed: Promise<void>;
  /** Takes no more connections; with `now` ends those there are, else only the idle ones of HTTP. */
  stop(now: boolean): void;
}

export function isServer(value: unknown): value is Server {
  return value instanceof Server;
}

/** Listens at `ip:port` unless the server listens already. */
export async function serve(server: Server, ip: string, port: number): Promise<NetServer> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  const closed = new Promise<void>((resolve) => server.once("close", resolve));
  if (!server.listening) {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host: ip, port, exclusive: true }, () => {
        server.off("error", reject);
        resolve();
      });
    });
  }
  return {
    closed,
    stop(now) {
      if (server.listening) server.close();
      if (now) for (const socket of sockets) socket.destroy();
      else if (server instanceof HttpServer) server.closeIdleConnections();
    },
  };
}
