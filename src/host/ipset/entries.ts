/** Entries of a set, between the text of ipset(8) (`10.96.0.1,tcp:80,10.0.0.0/8`) and the kernel's attributes. */
import { eachAttribute, readAttributes, readU16be, readU8 } from "../netlink/reader.ts";
import type { NetlinkWriter } from "../netlink/writer.ts";
import { bytesOfIp, ipFromBytes } from "../syscalls/ip-bytes.ts";
import * as c from "./constants.ts";

export type SetType = "hash:ip" | "hash:ip,port" | "hash:ip,port,ip" | "hash:ip,port,net" | "bitmap:port";

const protocolNumbers = { tcp: 6, udp: 17, sctp: 132 } as const;
const be = c.NLA_F_NET_BYTEORDER;

/** Throws a TypeError for what is no entry of the type. */
export function writeEntry(writer: NetlinkWriter, type: SetType, entry: string): void {
  const refuse = () => new TypeError(`no entry of a set ${type}: ${entry}`);
  if (type === "bitmap:port") {
    if (!/^\d{1,5}$/.test(entry) || Number(entry) > 65_535) throw refuse();
    writer.attributeU16be(c.IPSET_ATTR_PORT | be, Number(entry));
    return;
  }
  const [address = "", transport, last, ...rest] = entry.split(",");
  if ((type === "hash:ip") !== (transport === undefined) || (type.split(",").length === 3) !== (last !== undefined) || rest.length > 0)
    throw refuse();
  writeAddress(writer, c.IPSET_ATTR_IP, address);
  if (transport === undefined) return;
  const [, name, port] = /^(tcp|udp|sctp):(\d{1,5})$/.exec(transport) ?? [];
  if (name === undefined || Number(port) > 65_535) throw refuse();
  writer.attributeU16be(c.IPSET_ATTR_PORT | be, Number(port));
  writer.attributeU8(c.IPSET_ATTR_PROTO, protocolNumbers[name as keyof typeof protocolNumbers]);
  if (last === undefined) return;
  const [second = "", bits] = last.split("/");
  writeAddress(writer, c.IPSET_ATTR_IP2, second);
  if (bits !== undefined && type === "hash:ip,port,net") writer.attributeU8(c.IPSET_ATTR_CIDR2, Number(bits));
}

function writeAddress(writer: NetlinkWriter, type: number, text: string): void {
  const bytes = bytesOfIp(text);
  const kind = bytes.length === 4 ? c.IPSET_ATTR_IPADDR_IPV4 : c.IPSET_ATTR_IPADDR_IPV6;
  writer.nest(type, (inner) => void inner.attributeBytes(kind | be, bytes));
}

/** Of one part of a listing: what follows nfgenmsg. */
export function readEntries(bytes: Uint8Array, type: SetType): readonly string[] {
  const list = readAttributes(bytes).get(c.IPSET_ATTR_ADT);
  const entries: string[] = [];
  if (list === undefined) return entries;
  eachAttribute(list, (kind, value) => void (kind === c.IPSET_ATTR_DATA && entries.push(entryText(readAttributes(value), type))));
  return entries;
}

function entryText(parts: ReadonlyMap<number, Uint8Array>, type: SetType): string {
  const port = () => {
    const value = parts.get(c.IPSET_ATTR_PORT);
    return value === undefined ? 0 : readU16be(value);
  };
  if (type === "bitmap:port") return String(port());
  const address = (kind: number) => readAddress(parts.get(kind));
  if (type === "hash:ip") return address(c.IPSET_ATTR_IP);
  const number = parts.get(c.IPSET_ATTR_PROTO);
  const protocol = Object.entries(protocolNumbers).find(([, value]) => number !== undefined && value === readU8(number))?.[0] ?? "";
  const first = `${address(c.IPSET_ATTR_IP)},${protocol}:${port()}`;
  if (type === "hash:ip,port") return first;
  const second = address(c.IPSET_ATTR_IP2);
  if (type === "hash:ip,port,ip") return `${first},${second}`;
  const bits = parts.get(c.IPSET_ATTR_CIDR2);
  return `${first},${second}/${bits === undefined ? (second.includes(":") ? 128 : 32) : readU8(bits)}`;
}

function readAddress(nested: Uint8Array | undefined): string {
  const inner = nested === undefined ? undefined : readAttributes(nested);
  const bytes = inner?.get(c.IPSET_ATTR_IPADDR_IPV4) ?? inner?.get(c.IPSET_ATTR_IPADDR_IPV6);
  return bytes === undefined ? "" : ipFromBytes(bytes);
}
