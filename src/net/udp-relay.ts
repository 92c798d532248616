/**
 * Relays datagrams between the clients of one bound address and the endpoints chosen for them. A session (client address and
 * port → a connected socket to one endpoint) lives while datagrams pass; a dead endpoint ends it, so that the client's
 * next datagram goes elsewhere. Sessions are bounded: beyond the limit the one longest idle goes.
 */
import { createSocket } from "node:dgram";
import type { Clock, Timer } from "../lib/clock.ts";

/** Whom a datagram is from. */
export interface Sender {
  readonly address: string;
  readonly port: number;
  /** Of both, for who knows it already: `10.0.0.1 53`. */
  readonly key?: string;
}

/** The part of `node:dgram`'s Socket that a session needs. A message may be overwritten after a listener returns. */
export interface DatagramSocket {
  on(event: "message", listener: (message: Buffer) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  once(event: "connect", listener: () => void): unknown;
  connect(port: number, address: string): void;
  send(message: Buffer): void;
  close(): unknown;
}

export interface UdpTarget {
  readonly ip: string;
  readonly port: number;
  /** The address to send from; must be one of this host's. */
  readonly localAddress?: string | undefined;
  /**
   * Gives a socket that is bound and may be connected to the target, or undefined when it cannot be had; the session then ends
   * and the next datagram tries again. Absent: one of this host's network.
   */
  readonly open?: () => Promise<DatagramSocket | undefined>;
}

export interface UdpRelayOptions {
  /** The bound socket: answers leave through it, so that they come from the address that was asked. */
  readonly listener: { send(message: Buffer, port: number, address: string): void };
  /** For a client without a session; undefined: its datagram is dropped. */
  readonly choose: (clientAddress: string, clientPort: number) => UdpTarget | undefined;
  readonly clock: Clock;
  readonly idleMs: number;
  readonly maxSessions?: number;
}

interface Session {
  /** Undefined while it is being opened. */
  socket: DatagramSocket | undefined;
  readonly target: UdpTarget;
  readonly client: string;
  /** Datagrams that wait for the socket to be connected; undefined afterwards. */
  waiting: Buffer[] | undefined;
  used: number;
  /** When it was last put at the end of the sessions. */
  ordered: number;
}

/** Datagrams kept while a session's socket is being opened and connected. */
const maxWaiting = 16;

export class UdpRelay {
  readonly #options: Required<UdpRelayOptions>;
  /** `address port` of the client → its session, longest idle first. */
  readonly #sessions = new Map<string, Session>();
  #sweep: Timer | undefined;

  constructor(options: UdpRelayOptions) {
    this.#options = { maxSessions: 1024, ...options };
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  /** A datagram from a client. */
  receive(message: Buffer, from: Sender): void {
    const key = from.key ?? `${from.address} ${from.port}`;
    const session = this.#sessions.get(key) ?? this.#open(key, from);
    if (session === undefined) return;
    this.#touch(key, session);
    if (session.waiting === undefined) session.socket?.send(message);
    else if (session.waiting.length < maxWaiting) session.waiting.push(Buffer.from(message));
  }

  /** Ends the sessions whose endpoint may no longer be used: their clients' next datagrams choose anew. */
  recheck(allowed: (target: UdpTarget, clientAddress: string) => boolean): void {
    for (const [key, { target, client }] of this.#sessions) {
      if (!allowed(target, client)) this.#end(key);
    }
  }

  close(): void {
    this.#sweep?.cancel();
    for (const key of this.#sessions.keys()) this.#end(key);
  }

  #open(key: string, from: Sender): Session | undefined {
    const target = this.#options.choose(from.address, from.port);
    if (target === undefined) return undefined;
    const session: Session = { socket: undefined, target, client: from.address, waiting: [], used: 0, ordered: 0 };
    this.#sessions.set(key, session);
    this.#makeRoom();
    if (target.open === undefined) this.#connect(key, from, session, hostSocket(target));
    else
      target.open().then(
        (socket) => (socket === undefined ? this.#end(key, session) : this.#connect(key, from, session, socket)),
        () => this.#end(key, session),
      );
    return session;
  }

  #connect(key: string, from: Sender, session: Session, socket: DatagramSocket): void {
    if (this.#sessions.get(key) !== session) return void socket.close();
    session.socket = socket;
    socket.on("message", (reply) => {
      this.#touch(key, session);
      this.#options.listener.send(reply, from.port, from.address);
    });
    // ECONNREFUSED: nobody listens at the endpoint (any more).
    socket.on("error", () => this.#end(key, session));
    socket.once("connect", () => flush(session));
    socket.connect(session.target.port, session.target.ip);
  }

  #touch(key: string, session: Session): void {
    if (this.#sessions.get(key) !== session) return;
    const now = this.#options.clock.monotonic();
    session.used = now;
    // To keep their order for each datagram would cost more than to send it: a session may so end late by a tenth of its time, never early.
    if (now - session.ordered < this.#options.idleMs / 10 && this.#sweep !== undefined) return;
    session.ordered = now;
    this.#sessions.delete(key);
    this.#sessions.set(key, session);
    this.#sweep ??= this.#options.clock.after(this.#options.idleMs, () => this.#expire());
  }

  #makeRoom(): void {
    if (this.#sessions.size <= this.#options.maxSessions) return;
    for (const oldest of this.#sessions.keys()) return this.#end(oldest);
  }

  #expire(): void {
    this.#sweep = undefined;
    const now = this.#options.clock.monotonic();
    for (const [key, { used }] of this.#sessions) {
      const left = used + this.#options.idleMs - now;
      if (left > 0) {
        this.#sweep = this.#options.clock.after(left, () => this.#expire());
        return;
      }
      this.#end(key);
    }
  }

  #end(key: string, only?: Session): void {
    const session = this.#sessions.get(key);
    if (session === undefined || (only !== undefined && only !== session)) return;
    this.#sessions.delete(key);
    session.socket?.close();
  }
}

function hostSocket({ ip, localAddress }: UdpTarget): DatagramSocket {
  const socket = createSocket({ type: ip.includes(":") ? "udp6" : "udp4" });
  if (localAddress !== undefined) socket.bind({ address: localAddress, port: 0, exclusive: true });
  return socket;
}

function flush(session: Session): void {
  for (const message of session.waiting ?? []) session.socket?.send(message);
  session.waiting = undefined;
}
