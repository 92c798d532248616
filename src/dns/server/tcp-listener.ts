/** DNS over TCP (RFC 7766) and over TLS (RFC 7858). */
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import type { ClientAddress, ListenSettings } from "../plugin.ts";
import { handshakeTimeout, ignore, maxConnections, refused, unmapped, type Listener, type ListenerOptions } from "./listener.ts";
import { readProxyHeader } from "./proxy-protocol.ts";
import { StreamConnection } from "./stream-connection.ts";
import { acceptsClient, tlsOptions } from "./tls-options.ts";

export function listenTcp(options: ListenerOptions): Promise<Listener> {
  const { answer, settings } = options;
  const server = createServer({ noDelay: true }, (socket) => {
    const client = clientOf(socket);
    const proxy = settings.proxyProtocol;
    if (proxy === undefined) return void new StreamConnection(socket, client, answer, settings);
    readProxyHeader(socket, proxy, ({ source, begun }) => new StreamConnection(socket, { ...client, ...source }, answer, settings, begun));
  });
  return bound(server, options);
}

export function listenTls(options: ListenerOptions): Promise<Listener> {
  const { answer, settings } = options;
  const server = createTlsServer({ ...tlsOptions(settings.tls), ALPNProtocols: ["dot"], handshakeTimeout, noDelay: true });
  server.on("tlsClientError", ignore);
  server.on("secureConnection", (socket: TLSSocket) => {
    if (mayEnter(socket, settings)) void new StreamConnection(socket, { ...clientOf(socket), transport: "tls" }, answer, settings);
    else socket.destroy();
  });
  return bound(server, options);
}

/** Whether the client's certificate, or that there is none, suits the `tls` directive. */
export function mayEnter(socket: TLSSocket, { tls }: ListenSettings): boolean {
  if (tls === undefined) return true;
  const certificate = Object.keys(socket.getPeerCertificate()).length > 0;
  return acceptsClient(tls, { certificate, verified: certificate && socket.authorized });
}

export function clientOf({ remoteAddress = "", remotePort = 0, localAddress, localPort = 0 }: Addresses): ClientAddress {
  const local = localAddress === undefined ? {} : { local: { address: unmapped(localAddress), port: localPort } };
  return { address: unmapped(remoteAddress), port: remotePort, protocol: "tcp", ...local };
}

type Addresses = Pick<Socket, "remoteAddress" | "remotePort" | "localAddress" | "localPort">;

/**
 * Which connection makes room for a new one: whoever opens many and asks nothing must not keep those out who ask. The oldest that has
 * not been answered yet, else the oldest.
 */
function leaving(sockets: ReadonlySet<Socket>): Socket | undefined {
  let oldest: Socket | undefined;
  for (const socket of sockets) {
    if (socket.destroyed) continue;
    if (socket.bytesWritten === 0) return socket;
    oldest ??= socket;
  }
  return oldest;
}

/** Listens; `close` ends the connections too. */
export async function bound(server: Server, options: ListenerOptions): Promise<Listener> {
  const { host, port, settings } = options;
  const made = await options.sockets?.tcp(host, port).catch((error: Error) => Promise.reject(refused(options, error)));
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", ignore);
    socket.once("close", () => sockets.delete(socket));
  });
  const most = settings.maxConnections ?? maxConnections;
  server.on("connection", () => void (sockets.size > most && leaving(sockets)?.destroy()));
  return await new Promise((resolve, reject) => {
    server.once("error", (error) => reject(refused(options, error)));
    server.listen(made === undefined ? { host, port } : { fd: made.fd }, () => {
      server.unref();
      const { port: chosen } = made ?? (server.address() as { port: number });
      const close = () =>
        new Promise<void>((closed) => {
          server.close(() => closed());
          for (const socket of sockets) socket.destroy();
        });
      resolve({ host, port: chosen, close });
    });
  });
}
