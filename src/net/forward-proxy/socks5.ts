/**
 * The SOCKS5 side of the forward proxy: RFC 1928, user and password by RFC 1929. CONNECT only; names are looked up here, as clients
 * with `socks5h` want. Every refusal carries the reply code that comes nearest.
 */
import type { Socket } from "node:net";
import { formatIp } from "../../lib/ip.ts";
import { relay } from "../relay.ts";
import type { Identify } from "./credentials.ts";
import { ByteReader } from "./reader.ts";
import { farewell, openTarget, type ClientPod, type ConnectFailure, type TargetOptions } from "./target.ts";

export interface SocksOptions extends TargetOptions {
  readonly identify: Identify;
}

export const reply = {
  granted: 0,
  hostUnreachable: 4,
  refused: 5,
  timeout: 6,
  commandNotSupported: 7,
  addressTypeNotSupported: 8,
} as const;

const replies: Readonly<Record<ConnectFailure["why"], number>> = {
  unresolved: reply.hostUnreachable,
  unreachable: reply.hostUnreachable,
  refused: reply.refused,
  // "TTL expired": the code that stands for time running out.
  timeout: reply.timeout,
};

/** Takes a paused socket whose first byte, still unread, is 5. Resolves when the sockets are joined or the client is refused. */
export async function serveSocks(socket: Socket, options: SocksOptions): Promise<void> {
  const reader = new ByteReader(socket);
  const client = await authenticate(socket, reader, options.identify);
  if (client === undefined) return;
  const request = await readRequest(reader);
  if (request === undefined) return void socket.destroy();
  if (typeof request === "number") return refuse(socket, request);
  const target = await openTarget(request.host, request.port, client, options);
  if ("kind" in target) return refuse(socket, replies[target.why]);
  if (socket.destroyed) return void target.destroy();
  reader.release();
  socket.write(replyBytes(reply.granted));
  relay(socket, target);
}

/** Undefined: refused (the socket is being closed) or gone. */
async function authenticate(socket: Socket, reader: ByteReader, identify: Identify): Promise<ClientPod | undefined> {
  const hello = await reader.read(2);
  const methods = hello === undefined ? undefined : await reader.read(hello[1] as number);
  if (methods === undefined) return void socket.destroy();
  if (!methods.includes(2)) return void farewell(socket, Buffer.from([5, 0xff]));
  socket.write(Buffer.from([5, 2]));
  const version = await reader.read(2);
  const user = version === undefined ? undefined : await reader.read(version[1] as number);
  const length = user === undefined ? undefined : await reader.read(1);
  const password = length === undefined ? undefined : await reader.read(length[0] as number);
  if (user === undefined || password === undefined || version?.[0] !== 1) return void socket.destroy();
  const client = identify(user.toString("utf8"), password.toString("utf8"));
  if (client === undefined) return void farewell(socket, Buffer.from([1, 1]));
  socket.write(Buffer.from([1, 0]));
  return client;
}

/** A number: the reply code of a request that cannot be served. Undefined: the client has gone or speaks something else. */
async function readRequest(reader: ByteReader): Promise<{ readonly host: string; readonly port: number } | number | undefined> {
  const head = await reader.read(4);
  if (head === undefined || head[0] !== 5) return undefined;
  const host = await readHost(reader, head[3] as number);
  if (typeof host !== "string") return host;
  const port = await reader.read(2);
  if (port === undefined) return undefined;
  return head[1] === 1 ? { host, port: port.readUInt16BE(0) } : reply.commandNotSupported;
}

async function readHost(reader: ByteReader, type: number): Promise<string | number | undefined> {
  switch (type) {
    case 1: {
      const bytes = await reader.read(4);
      return bytes?.join(".");
    }
    case 3: {
      const length = await reader.read(1);
      const name = length === undefined ? undefined : await reader.read(length[0] as number);
      return name?.toString("latin1");
    }
    case 4: {
      const bytes = await reader.read(16);
      return bytes === undefined ? undefined : formatIp({ family: 6, value: BigInt(`0x${bytes.toString("hex")}`) });
    }
    default:
      return reply.addressTypeNotSupported;
  }
}

function refuse(socket: Socket, code: number): void {
  farewell(socket, replyBytes(code));
}

/** The bound address is of no use to a client of CONNECT: 0.0.0.0:0. */
function replyBytes(code: number): Buffer {
  return Buffer.from([5, code, 0, 1, 0, 0, 0, 0, 0, 0]);
}
