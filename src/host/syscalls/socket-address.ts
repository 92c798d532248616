/** `sockaddr_in` and `sockaddr_in6` as bytes, and back. */
import { bytesOfIp, ipFromBytes } from "./ip-bytes.ts";
import { AF_INET, AF_INET6 } from "./constants.ts";

export interface SocketAddress {
  readonly family: 4 | 6;
  /** Without a zone. */
  readonly address: string;
  readonly port: number;
}

/** Throws a TypeError for what is no address. */
export function encodeSocketAddress(address: string, port: number): Uint8Array {
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new RangeError(`no port: ${port}`);
  const ip = bytesOfIp(address);
  const bytes = new Uint8Array(ip.length === 4 ? 16 : 28);
  bytes[0] = ip.length === 4 ? AF_INET : AF_INET6;
  bytes[2] = port >> 8;
  bytes[3] = port & 255;
  bytes.set(ip, ip.length === 4 ? 4 : 8);
  return bytes;
}

/** Undefined for another family or bytes that end early. */
export function decodeSocketAddress(bytes: Uint8Array): SocketAddress | undefined {
  if (bytes.length < 16) return undefined;
  const family = (bytes[0] as number) | ((bytes[1] as number) << 8);
  const port = ((bytes[2] as number) << 8) | (bytes[3] as number);
  if (family === AF_INET) return { family: 4, address: ipFromBytes(bytes.subarray(4, 8)), port };
  if (family === AF_INET6 && bytes.length >= 28) return { family: 6, address: ipFromBytes(bytes.subarray(8, 24)), port };
  return undefined;
}
