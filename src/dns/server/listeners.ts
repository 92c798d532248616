/** Sockets of the DNS server: UDP, and TCP with several questions on one connection (RFC 7766). Bytes in, bytes out. */
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { createServer, type Server, type Socket } from "node:net";
import { errnoCode, FairleadError } from "../../lib/errors.ts";
import type { Awaitable, ClientAddress } from "../plugin.ts";

/** Answers one packet; undefined: nothing is sent. */
export type AnswerPacket = (packet: Uint8Array, client: ClientAddress) => Awaitable<Uint8Array | undefined>;

export interface Listener {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

const idleMs = 10_000;
const maxConnections = 512;
/** Questions of one connection that wait at once; beyond it reading stops. */
const maxPipelined = 64;
/** Answers that a client does not take: beyond it none of its questions are read. */
const maxUnsentBytes = 256 * 1024;

/** UDP and TCP on one port; `port` 0 takes the same free one for both. Throws FL_LISTEN. */
export async function listenDns(host: string, port: number, answer: AnswerPacket): Promise<Listener> {
  const tcp = await listenTcp(host, port, answer);
  try {
    const udp = await listenUdp(host, tcp.port, answer);
    return { host, port: tcp.port, close: async () => void (await Promise.all([tcp.close(), udp.close()])) };
  } catch (error) {
    await tcp.close();
    throw error;
  }
}

function refused(host: string, port: number, error: Error): FairleadError {
  const code = errnoCode(error);
  const hint =
    code === "EACCES"
      ? "Ports below 1024 need root, or sysctl net.ipv4.ip_unprivileged_port_start."
      : code === "EADDRINUSE"
        ? "Another server listens there."
        : undefined;
  return new FairleadError("FL_LISTEN", `DNS cannot listen on ${host} port ${port} (${code ?? error.message})`, {
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  });
}

function listenUdp(host: string, port: number, answer: AnswerPacket): Promise<Listener> {
  const socket: UdpSocket = createSocket({ type: host.includes(":") ? "udp6" : "udp4" });
  let open = true;
  socket.on("message", (packet, { address, port: from }) => {
    const send = (bytes: Uint8Array | undefined) => {
      if (bytes !== undefined && open) socket.send(bytes, from, address, ignore);
    };
    const result = answer(packet, { address, port: from, protocol: "udp" });
    if (result instanceof Promise) result.then(send, ignore);
    else send(result);
  });
  const close = () => {
    open = false;
    return new Promise<void>((closed) => socket.close(() => closed()));
  };
  return new Promise((resolve, reject) => {
    socket.once("error", (error) => reject(refused(host, port, error)));
    socket.bind({ address: host, port }, () => {
      socket.removeAllListeners("error");
      socket.on("error", ignore);
      socket.unref();
      resolve({ host, port: socket.address().port, close });
    });
  });
}

/** A client that is gone, or a socket that closes: there is nobody to tell. */
function ignore(): void {
  return undefined;
}

function listenTcp(host: string, port: number, answer: AnswerPacket): Promise<Listener> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    serveConnection(socket, answer);
  });
  server.maxConnections = maxConnections;
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(refused(host, port, error)));
    server.listen({ host, port }, () => {
      server.unref();
      const { port: bound } = server.address() as { port: number };
      const close = () =>
        new Promise<void>((closed) => {
          server.close(() => closed());
          for (const socket of sockets) socket.destroy();
        });
      resolve({ host, port: bound, close });
    });
  });
}

function serveConnection(socket: Socket, answer: AnswerPacket): void {
  const client: ClientAddress = { address: socket.remoteAddress ?? "", port: socket.remotePort ?? 0, protocol: "tcp" };
  let received: Buffer = Buffer.alloc(0);
  let waiting = 0;
  const send = (bytes: Uint8Array | undefined) => {
    waiting--;
    if (bytes !== undefined && !socket.destroyed) {
      const framed = Buffer.allocUnsafe(bytes.length + 2);
      framed.writeUInt16BE(bytes.length);
      framed.set(bytes, 2);
      socket.write(framed);
    }
    if (socket.isPaused()) socket.resume();
    take();
  };
  const take = () => {
    while (received.length >= 2 && waiting < maxPipelined && socket.writableLength < maxUnsentBytes) {
      const length = received.readUInt16BE(0);
      if (received.length < 2 + length) return;
      const packet = received.subarray(2, 2 + length);
      received = received.subarray(2 + length);
      waiting++;
      Promise.resolve(answer(packet, client)).then(send, () => socket.destroy());
    }
    if (waiting >= maxPipelined || socket.writableLength >= maxUnsentBytes) socket.pause();
  };
  socket.on("drain", () => {
    socket.resume();
    take();
  });
  socket.setTimeout(idleMs, () => socket.destroy());
  socket.on("error", ignore);
  socket.on("data", (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    take();
  });
}
