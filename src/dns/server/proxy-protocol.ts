/**
 * The PROXY protocol in front of DNS: the client that a load balancer spoke for. By UDP a header comes with each datagram, or (Cloudflare Spectrum) in one of its own before the queries.
 */
import type { Socket } from "node:net";
import { cidrContains, parseIp } from "../../lib/ip.ts";
import { parseProxyHeader, type ProxyPeer } from "../../net/proxy-protocol.ts";
import type { ProxyProtocolSettings } from "../plugin.ts";
import { defaultReadMs, ignore } from "./listener.ts";

/** What to do with a header that comes from this address. */
export function policyFor(settings: ProxyProtocolSettings, address: string): ProxyProtocolSettings["others"] {
  const ip = parseIp(address.replace(/^::ffff:(?=\d+\.)/i, ""));
  const allowed = settings.allow.length === 0 || (ip !== undefined && settings.allow.some((cidr) => cidrContains(cidr, ip)));
  return allowed ? "use" : settings.others;
}

export interface ProxiedStart {
  readonly source: ProxyPeer | undefined;
  /** What followed the header. */
  readonly begun: Buffer;
}

/** Calls `ready` once the header of a connection is read; ends the connection when it may not have one, or it does not come whole. */
export function readProxyHeader(socket: Socket, settings: ProxyProtocolSettings, ready: (start: ProxiedStart) => void): void {
  const policy = policyFor(settings, socket.remoteAddress ?? "");
  if (policy === "skip") return ready({ source: undefined, begun: Buffer.alloc(0) });
  let received: Buffer = Buffer.alloc(0);
  const timer = setTimeout(() => socket.destroy(), defaultReadMs).unref();
  const done = () => {
    clearTimeout(timer);
    socket.off("data", take);
  };
  const take = (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    const header = parseProxyHeader(received);
    if (header.kind === "short") return;
    done();
    if (header.kind === "none") return ready({ source: undefined, begun: received });
    if (header.kind === "malformed" || policy === "reject") return void socket.destroy();
    ready({ source: policy === "use" ? header.source : undefined, begun: received.subarray(header.length) });
  };
  socket.on("error", ignore);
  socket.once("close", done);
  socket.on("data", take);
}

/** Headers of datagrams; one that comes alone stands for those that follow from the same address and port, for a while. */
export class ProxySessions {
  readonly #settings: ProxyProtocolSettings;
  readonly #now: () => number;
  readonly #sessions = new Map<string, { readonly source: ProxyPeer; until: number }>();

  constructor(settings: ProxyProtocolSettings, now: () => number = () => performance.now()) {
    this.#settings = settings;
    this.#now = now;
  }

  /** Undefined: there is nothing to answer. */
  read(packet: Buffer, key: string, address: string): { readonly packet: Buffer; readonly client: ProxyPeer | undefined } | undefined {
    const policy = policyFor(this.#settings, address);
    const header = policy === "skip" ? ({ kind: "none" } as const) : parseProxyHeader(packet);
    if (header.kind === "none") return { packet, client: this.#session(key) };
    if (header.kind !== "header" || policy === "reject") return undefined;
    const source = policy === "use" ? header.source : undefined;
    const rest = packet.subarray(header.length);
    if (rest.length > 0) return { packet: rest, client: source };
    if (source !== undefined && this.#settings.sessionMs > 0) this.#remember(key, source);
    return undefined;
  }

  #session(key: string): ProxyPeer | undefined {
    const session = this.#sessions.get(key);
    if (session === undefined) return undefined;
    this.#sessions.delete(key);
    if (session.until < this.#now()) return undefined;
    session.until = this.#now() + this.#settings.sessionMs;
    this.#sessions.set(key, session);
    return session.source;
  }

  #remember(key: string, source: ProxyPeer): void {
    this.#sessions.delete(key);
    this.#sessions.set(key, { source, until: this.#now() + this.#settings.sessionMs });
    if (this.#sessions.size > this.#settings.maxSessions) this.#sessions.delete(this.#sessions.keys().next().value as string);
  }
}
