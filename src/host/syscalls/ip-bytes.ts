/** Addresses as the kernel has them: 4 or 16 bytes, most significant first. */
import { formatIp, parseIp, type Ip } from "../../lib/ip.ts";

/** Throws a TypeError for what is no address. */
export function bytesOfIp(text: string): Uint8Array {
  const ip = parseIp(text);
  if (ip === undefined) throw new TypeError(`no address: ${text}`);
  return bytesOf(ip);
}

export function bytesOf(ip: Ip): Uint8Array {
  const bytes = new Uint8Array(ip.family === 4 ? 4 : 16);
  let rest = ip.value;
  for (let i = bytes.length - 1; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 255n);
  return bytes;
}

/** `bytes`: 4 or 16. */
export function ipFromBytes(bytes: Uint8Array): string {
  return formatIp({ family: bytes.length === 4 ? 4 : 6, value: bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n) });
}
