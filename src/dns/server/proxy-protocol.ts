/**
 * The PROXY protocol in front of DNS (HAProxy `doc/proxy-protocol.txt`, versions 1 and 2): the client that a load balancer spoke
 * for. By UDP a header comes with each datagram, or (Cloudflare Spectrum) in one of its own before the queries.
 */
import type { Socket } from "node:net";
import { cidrContains, formatIp, parseIp } from "../../lib/ip.ts";
import type { ProxyProtocolSettings } from "../plugin.ts";
import { defaultReadMs, ignore } from "./listener.ts";

export interface ProxySource {
  readonly address: string;
  readonly port: number;
}

export type ProxyHeader =
  | { readonly kind: "none" }
  /** More bytes are needed. */
  | { readonly kind: "short" }
  | { readonly kind: "malformed" }
  /** `source` undefined: LOCAL or an unknown family, the connection speaks for itself. */
  | { readonly kind: "header"; readonly length: number; readonly source: ProxySource | undefined };

const signature = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
const maxV1Bytes = 107;

export function parseProxyHeader(bytes: Buffer): ProxyHeader {
  if (startsLike(bytes, signature)) return bytes.length < 16 ? { kind: "short" } : parseV2(bytes);
  const word = Buffer.from("PROXY ");
  if (!startsLike(bytes, word)) return { kind: "none" };
  return bytes.length < word.length ? { kind: "short" } : parseV1(bytes);
}

function startsLike(bytes: Buffer, prefix: Buffer): boolean {
  const length = Math.min(bytes.length, prefix.length);
  return length > 0 && bytes.compare(prefix, 0, length, 0, length) === 0;
}

function parseV1(bytes: Buffer): ProxyHeader {
  const end = bytes.subarray(0, maxV1Bytes).indexOf("\r\n");
  if (end < 0) return bytes.length < maxV1Bytes ? { kind: "short" } : { kind: "malformed" };
  const [, family = "", source = "", , port = ""] = bytes.toString("latin1", 0, end).split(" ");
  const length = end + 2;
  if (family === "UNKNOWN") return { kind: "header", length, source: undefined };
  const ip = parseIp(source);
  if (ip === undefined || !/^TCP[46]$/.test(family) || !/^\d{1,5}$/.test(port) || Number(port) > 65_535) return { kind: "malformed" };
  return { kind: "header", length, source: { address: formatIp(ip), port: Number(port) } };
}

function parseV2(bytes: Buffer): ProxyHeader {
  const version = (bytes[12] as number) >> 4;
  const command = (bytes[12] as number) & 0xf;
  const family = (bytes[13] as number) >> 4;
  const length = 16 + bytes.readUInt16BE(14);
  if (version !== 2 || command > 1) return { kind: "malformed" };
  if (bytes.length < length) return { kind: "short" };
  if (command === 0 || (family !== 1 && family !== 2)) return { kind: "header", length, source: undefined };
  const size = family === 1 ? 4 : 16;
  if (length < 16 + 2 * size + 4) return { kind: "malformed" };
  const value = BigInt(`0x${bytes.toString("hex", 16, 16 + size)}`);
  return {
    kind: "header",
    length,
    source: { address: formatIp({ family: family === 1 ? 4 : 6, value }), port: bytes.readUInt16BE(16 + 2 * size) },
  };
}

/** What to do with a header that comes from this address. */
export function policyFor(settings: ProxyProtocolSettings, address: string): ProxyProtocolSettings["others"] {
  const ip = parseIp(address.replace(/^::ffff:(?=\d+\.)/i, ""));
  const allowed = settings.allow.length === 0 || (ip !== undefined && settings.allow.some((cidr) => cidrContains(cidr, ip)));
  return allowed ? "use" : settings.others;
}

export interface ProxiedStart {
  readonly source: ProxySource | undefined;
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
  readonly #sessions = new Map<string, { readonly source: ProxySource; until: number }>();

  constructor(settings: ProxyProtocolSettings, now: () => number = () => performance.now()) {
    this.#settings = settings;
    this.#now = now;
  }

  /** Undefined: there is nothing to answer. */
  read(packet: Buffer, key: string, address: string): { readonly packet: Buffer; readonly client: ProxySource | undefined } | undefined {
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

  #session(key: string): ProxySource | undefined {
    const session = this.#sessions.get(key);
    if (session === undefined) return undefined;
    this.#sessions.delete(key);
    if (session.until < this.#now()) return undefined;
    session.until = this.#now() + this.#settings.sessionMs;
    this.#sessions.set(key, session);
    return session.source;
  }

  #remember(key: string, source: ProxySource): void {
    this.#sessions.delete(key);
    this.#sessions.set(key, { source, until: this.#now() + this.#settings.sessionMs });
    if (this.#sessions.size > this.#settings.maxSessions) this.#sessions.delete(this.#sessions.keys().next().value as string);
  }
}
