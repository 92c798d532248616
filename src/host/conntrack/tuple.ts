/** One direction of a tracked flow: who sends to whom. */
import { eachAttribute, readAttributes, readU16be, readU8 } from "../netlink/reader.ts";
import type { NetlinkWriter } from "../netlink/writer.ts";
import { bytesOfIp, ipFromBytes } from "../syscalls/ip-bytes.ts";
import * as c from "./constants.ts";

export interface Endpoint {
  readonly ip: string;
  readonly port: number;
}

export interface Tuple {
  /** IANA's number. */
  readonly protocol: number;
  readonly source: Endpoint;
  readonly destination: Endpoint;
}

/** As the attribute `type` (CTA_TUPLE_ORIG, CTA_TUPLE_REPLY). */
export function writeTuple(writer: NetlinkWriter, type: number, { protocol, source, destination }: Tuple): void {
  const [from, to] = source.ip.includes(":") ? [c.CTA_IP_V6_SRC, c.CTA_IP_V6_DST] : [c.CTA_IP_V4_SRC, c.CTA_IP_V4_DST];
  writer.nest(type, (tuple) => {
    tuple.nest(c.CTA_TUPLE_IP, (ip) => ip.attributeBytes(from, bytesOfIp(source.ip)).attributeBytes(to, bytesOfIp(destination.ip)));
    tuple.nest(c.CTA_TUPLE_PROTO, (proto) =>
      proto
        .attributeU8(c.CTA_PROTO_NUM, protocol)
        .attributeU16be(c.CTA_PROTO_SRC_PORT, source.port)
        .attributeU16be(c.CTA_PROTO_DST_PORT, destination.port),
    );
  });
}

/** Undefined where a part is missing: ICMP has no ports. */
export function readTuple(bytes: Uint8Array): Tuple | undefined {
  const parts = readAttributes(bytes);
  const proto = readAttributes(parts.get(c.CTA_TUPLE_PROTO) ?? new Uint8Array());
  const [number, from, to] = [proto.get(c.CTA_PROTO_NUM), proto.get(c.CTA_PROTO_SRC_PORT), proto.get(c.CTA_PROTO_DST_PORT)];
  let [source, destination]: (string | undefined)[] = [];
  eachAttribute(parts.get(c.CTA_TUPLE_IP) ?? new Uint8Array(), (type, value) => {
    if (value.length !== 4 && value.length !== 16) return;
    if (type === c.CTA_IP_V4_SRC || type === c.CTA_IP_V6_SRC) source = addressText(value);
    if (type === c.CTA_IP_V4_DST || type === c.CTA_IP_V6_DST) destination = addressText(value);
  });
  if (number === undefined || from === undefined || to === undefined || source === undefined || destination === undefined) return undefined;
  return {
    protocol: readU8(number),
    source: { ip: source, port: readU16be(from) },
    destination: { ip: destination, port: readU16be(to) },
  };
}

/** IPv4 without detours: a table may hold hundreds of thousands of flows. */
function addressText(bytes: Uint8Array): string {
  return bytes.length === 4 ? `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}` : ipFromBytes(bytes);
}
