/** Parameters of SVCB and HTTPS records as people write them (RFC 9460 2.1 and 7): `alpn=h2,h3 port=8443 ipv4hint=192.0.2.1`. */
import type { SvcParam } from "../../decide/dns/records.ts";
import { formatIp, parseIp } from "../../lib/ip.ts";

const keyNames: readonly string[] = ["mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint", "dohpath", "ohttp"];

const keyName = (key: number): string => keyNames[key] ?? `key${key}`;

/** Undefined: not a parameter's name. */
export function svcKey(name: string): number | undefined {
  const known = keyNames.indexOf(name);
  if (known >= 0) return known;
  const [, digits] = /^key(\d{1,5})$/.exec(name) ?? [];
  return digits !== undefined && Number(digits) <= 0xffff ? Number(digits) : undefined;
}

const u16 = (value: number): Uint8Array => Uint8Array.of(value >> 8, value & 0xff);

/** Undefined: the value does not fit the key. `text`: without quotes. */
export function parseSvcValue(key: number, text: string): Uint8Array | undefined {
  switch (key) {
    case 0: {
      const keys = text.split(",").map(svcKey);
      return keys.includes(undefined) ? undefined : Buffer.concat((keys as number[]).sort((a, b) => a - b).map(u16));
    }
    case 1:
      return alpn(text);
    case 2:
      return text === "" ? new Uint8Array(0) : undefined;
    case 3:
      return /^\d{1,5}$/.test(text) && Number(text) <= 0xffff ? u16(Number(text)) : undefined;
    case 4:
      return addresses(text, 4);
    case 5:
      return Buffer.from(text, "base64");
    case 6:
      return addresses(text, 6);
    default:
      return Buffer.from(
        text.replace(/\\(\d{3}|[^])/g, (_, what: string) => (what.length === 3 ? String.fromCharCode(Number(what) & 0xff) : what)),
        "latin1",
      );
  }
}

function alpn(text: string): Uint8Array | undefined {
  const names = text.split(",").map((name) => Buffer.from(name));
  if (names.some(({ length }) => length === 0 || length > 255)) return undefined;
  return Buffer.concat(names.map((name) => Buffer.concat([Uint8Array.of(name.length), name])));
}

function addresses(text: string, family: 4 | 6): Uint8Array | undefined {
  const list = text.split(",").map(parseIp);
  if (list.some((ip) => ip?.family !== family)) return undefined;
  return Buffer.concat(list.map((ip) => Buffer.from((ip?.value ?? 0n).toString(16).padStart(family === 4 ? 8 : 32, "0"), "hex")));
}

export function svcParamText({ key, value }: SvcParam): string {
  const shown = valueText(key, value);
  return shown === "" && key === 2 ? keyName(key) : `${keyName(key)}="${shown}"`;
}

function valueText(key: number, value: Uint8Array): string {
  const bytes = Buffer.from(value);
  switch (key) {
    case 0:
      return pairs(bytes).map(keyName).join(",");
    case 1:
      return strings(bytes).join(",");
    case 3:
      return bytes.length === 2 ? String(bytes.readUInt16BE(0)) : escaped(bytes);
    case 4:
    case 6:
      return chunks(bytes, key === 4 ? 4 : 16)
        .map((chunk) => formatIp({ family: key, value: BigInt(`0x${chunk.toString("hex")}`) }))
        .join(",");
    case 5:
      return bytes.toString("base64");
    default:
      return escaped(bytes);
  }
}

const pairs = (bytes: Buffer): number[] => chunks(bytes, 2).map((chunk) => chunk.readUInt16BE(0));

function chunks(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.floor(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
}

function strings(bytes: Buffer): string[] {
  const found: string[] = [];
  for (let at = 0; at < bytes.length; at += 1 + (bytes[at] as number))
    found.push(escaped(bytes.subarray(at + 1, at + 1 + (bytes[at] as number))));
  return found;
}

function escaped(bytes: Buffer): string {
  return bytes
    .toString("latin1")
    .replace(/["\\]/g, "\\$&")
    .replace(/[^ -~]/g, (char) => `\\${String(char.charCodeAt(0)).padStart(3, "0")}`);
}
