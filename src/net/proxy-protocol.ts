/**
 * The PROXY protocol, versions 1 and 2 (HAProxy `doc/proxy-protocol.txt`): the addresses of the connection that a load balancer
 * speaks for, before its first byte. Pure; what to believe from whom is the caller's matter.
 */
import { formatIp, parseIp, type Ip } from "../lib/ip.ts";

export interface ProxyPeer {
  readonly address: string;
  readonly port: number;
}

export interface ProxyAddresses {
  /** Who connected. */
  readonly source: ProxyPeer;
  /** To where. */
  readonly destination: ProxyPeer;
}

export type ProxyHeader =
  | { readonly kind: "none" }
  /** More bytes are needed. */
  | { readonly kind: "short" }
  | { readonly kind: "malformed" }
  /** Without addresses: LOCAL, or a family that is none of IP: the connection speaks for itself. */
  | { readonly kind: "header"; readonly length: number; readonly source?: ProxyPeer; readonly destination?: ProxyPeer };

const signature = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
const word = Buffer.from("PROXY ");
const maxV1Bytes = 107;
/** More than addresses and any TLV that is in use; a header that claims more is none of a load balancer. */
const maxV2Bytes = 4096;

/** `bytes`: the connection's, or a datagram's, from its start. */
export function parseProxyHeader(bytes: Buffer): ProxyHeader {
  if (startsLike(bytes, signature)) return bytes.length < 16 ? { kind: "short" } : parseV2(bytes);
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
  const [, family = "", from = "", to = "", fromPort = "", toPort = "", ...more] = bytes.toString("latin1", 0, end).split(" ");
  const length = end + 2;
  if (family === "UNKNOWN") return { kind: "header", length };
  const version = family === "TCP4" ? 4 : family === "TCP6" ? 6 : undefined;
  const [source, destination] = [peer(from, fromPort, version), peer(to, toPort, version)];
  if (source === undefined || destination === undefined || more.length > 0) return { kind: "malformed" };
  return { kind: "header", length, source, destination };
}

function peer(address: string, port: string, family: 4 | 6 | undefined): ProxyPeer | undefined {
  const ip = parseIp(address);
  if (ip === undefined || ip.family !== family || !/^\d{1,5}$/.test(port) || Number(port) > 65_535) return undefined;
  return { address: formatIp(ip), port: Number(port) };
}

function parseV2(bytes: Buffer): ProxyHeader {
  const version = (bytes[12] as number) >> 4;
  const command = (bytes[12] as number) & 0xf;
  const family = (bytes[13] as number) >> 4;
  const length = 16 + bytes.readUInt16BE(14);
  if (version !== 2 || command > 1 || length > maxV2Bytes) return { kind: "malformed" };
  if (bytes.length < length) return { kind: "short" };
  if (command === 0 || (family !== 1 && family !== 2)) return { kind: "header", length };
  const size = family === 1 ? 4 : 16;
  if (length < 16 + 2 * size + 4) return { kind: "malformed" };
  const at = (index: number): ProxyPeer => ({
    address: formatIp({
      family: family === 1 ? 4 : 6,
      value: BigInt(`0x${bytes.toString("hex", 16 + index * size, 16 + (index + 1) * size)}`),
    }),
    port: bytes.readUInt16BE(16 + 2 * size + 2 * index),
  });
  return { kind: "header", length, source: at(0), destination: at(1) };
}

export type ProxyVersion = 1 | 2;

/** Of a TCP connection. Addresses of two families, or that are no IP address, are told as "unknown", as the document asks. */
export function encodeProxyHeader(version: ProxyVersion, { source, destination }: ProxyAddresses): Buffer {
  const [from, to] = [parseIp(source.address), parseIp(destination.address)];
  const family = from !== undefined && from.family === to?.family ? from.family : undefined;
  if (family === undefined || from === undefined || to === undefined)
    return version === 1 ? Buffer.from("PROXY UNKNOWN\r\n") : Buffer.concat([signature, Buffer.from([0x20, 0, 0, 0])]);
  if (version === 1)
    return Buffer.from(`PROXY TCP${family} ${formatIp(from)} ${formatIp(to)} ${source.port} ${destination.port}\r\n`, "latin1");
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(source.port, 0);
  ports.writeUInt16BE(destination.port, 2);
  const addresses = Buffer.concat([ipBytes(from), ipBytes(to), ports]);
  // Version 2, PROXY; TCP over the family; length.
  return Buffer.concat([signature, Buffer.from([0x21, family === 4 ? 0x11 : 0x21, 0, addresses.length]), addresses]);
}

function ipBytes({ family, value }: Ip): Buffer {
  return Buffer.from(value.toString(16).padStart(family === 4 ? 8 : 32, "0"), "hex");
}
