/** DNS over UDP, on one socket or several that share a port. */
import { createSocket, type Socket } from "node:dgram";
import type { ClientAddress } from "../plugin.ts";
import type { Answer } from "./answer.ts";
import { ignore, refused, unmapped, type Listener, type ListenerOptions } from "./listener.ts";
import { ProxySessions } from "./proxy-protocol.ts";

export async function listenUdp(options: ListenerOptions): Promise<Listener> {
  const count = Math.max(1, options.settings.sockets ?? 1);
  const first = await open(options, count > 1);
  const others: Listener[] = [];
  try {
    while (others.length + 1 < count) others.push(await open({ ...options, port: first.port }, true));
  } catch (error) {
    await Promise.all([first, ...others].map((listener) => listener.close()));
    throw error;
  }
  return { ...first, close: async () => void (await Promise.all([first, ...others].map((listener) => listener.close()))) };
}

async function open(options: ListenerOptions, reusePort: boolean): Promise<Listener> {
  const { host, port } = options;
  const made = await options.sockets?.udp(host, port).catch((error: Error) => Promise.reject(refused(options, error)));
  const socket: Socket = createSocket({ type: host.includes(":") ? "udp6" : "udp4", ...(reusePort ? { reusePort } : {}) });
  const stop = receive(socket, options);
  return await new Promise((resolve, reject) => {
    socket.once("error", (error) => reject(refused(options, error)));
    socket.bind(made === undefined ? { address: host, port } : { fd: made.fd }, () => {
      socket.removeAllListeners("error");
      socket.on("error", ignore);
      socket.unref();
      const close = () => {
        stop();
        return new Promise<void>((closed) => socket.close(() => closed()));
      };
      resolve({ host, port: socket.address().port, close });
    });
  });
}

/** Returns the function after which nothing more is sent. */
function receive(socket: Socket, { host, port: own, answer, settings }: ListenerOptions): () => void {
  // A socket for every address does not say at which of them it was asked.
  const local = { address: host, port: own };
  const sessions = settings.proxyProtocol === undefined ? undefined : new ProxySessions(settings.proxyProtocol);
  const { shedAbove = Number.POSITIVE_INFINITY } = settings;
  let open = true;
  let underWay = 0;
  socket.on("message", (packet, { address, port }) => {
    // A client waits no longer for an answer that comes too late: better to answer the newer ones.
    if (underWay >= shedAbove) return;
    const read = sessions === undefined ? { packet, client: undefined } : sessions.read(packet, `${address} ${port}`, address);
    if (read === undefined) return;
    const client: ClientAddress = { address: unmapped(address), port, protocol: "udp", local, ...read.client };
    const send = (bytes: Answer) => {
      if (!open || bytes === undefined) return;
      if (bytes instanceof Uint8Array) socket.send(bytes, port, address, ignore);
    };
    const result = answer(read.packet, client);
    if (!(result instanceof Promise)) return send(result);
    underWay++;
    result.then(send, ignore).finally(() => underWay--);
  });
  return () => void (open = false);
}
