/** What the DNS server needs of a socket: bytes in, bytes out; and what may be set about it. */
import { errnoCode, FairleadError } from "../../lib/errors.ts";
import type { Awaitable, ClientAddress, ListenSettings } from "../plugin.ts";
import type { AnswerKeeper } from "./answer-table.ts";
import type { Answer } from "./answer.ts";

/** Answers one packet; undefined: nothing is sent. `keeper`: where answers are kept, if not in this thread. */
export type AnswerPacket = (packet: Uint8Array, client: ClientAddress, keeper?: AnswerKeeper) => Awaitable<Answer>;

export interface Listener {
  readonly host: string;
  readonly port: number;
  /** Forgets answers that it keeps itself: another configuration is in use. */
  forget?(): void;
  close(): Promise<void>;
}

/** Makes listening sockets where another thread has to (another network namespace); they arrive as descriptors. Rejects with the system's error. */
export interface SocketSource {
  tcp(host: string, port: number): Promise<{ readonly fd: number; readonly port: number }>;
  udp(host: string, port: number): Promise<{ readonly fd: number; readonly port: number }>;
}

export interface ListenerOptions {
  /** Default: this thread binds. */
  readonly sockets?: SocketSource;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly answer: AnswerPacket;
  readonly settings: ListenSettings;
  /** Receive and send UDP in batches, in a thread of its own, where the machine can. Default: it does not. */
  readonly batch?: boolean;
}

export const defaultIdleMs = 10_000;
/** For the next whole question of a client that has begun one. */
export const defaultReadMs = 5000;
/** Connections of one listener; one more, and an idle one leaves. */
export const maxConnections = 512;
/** For TLS, in ms. */
export const handshakeTimeout = 5000;
/** As many connections as one port of one address can have from one client. */
export const unlimited = 65_535;

export function refused({ host, port }: Pick<ListenerOptions, "host" | "port">, error: Error): FairleadError {
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

/** A client that is gone, or a socket that closes: there is nobody to tell. */
export function ignore(): void {
  return undefined;
}

/** An IPv4 client of a socket for both families, as itself. */
export function unmapped(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}
