/** By which parts of their tuples the kernel picks flows: attributes beside CTA_FILTER, whose bits say which of them count. */
import type { NetlinkWriter } from "../netlink/writer.ts";
import { bytesOfIp } from "../syscalls/ip-bytes.ts";
import * as c from "./constants.ts";
import type { Endpoint } from "./tuple.ts";

export function writeProtocol(writer: NetlinkWriter, protocol: number): void {
  writer.nest(c.CTA_TUPLE_ORIG, (tuple) => tuple.nest(c.CTA_TUPLE_PROTO, (proto) => proto.attributeU8(c.CTA_PROTO_NUM, protocol)));
  writeParts(writer, c.CTA_FILTER_F_CTA_PROTO_NUM, 0);
}

/** Sent to `destination`; with `source`: answered by it; `unanswered`: by nobody yet. */
export function writeMatch(
  writer: NetlinkWriter,
  protocol: number,
  { destination, source, unanswered }: { readonly destination: Endpoint; readonly source?: Endpoint; readonly unanswered?: boolean },
): void {
  if (unanswered === true) writer.attributeU32be(c.CTA_STATUS, 0).attributeU32be(c.CTA_STATUS_MASK, c.IPS_SEEN_REPLY);
  const to = destination.ip.includes(":") ? c.CTA_IP_V6_DST : c.CTA_IP_V4_DST;
  writePlace(writer, c.CTA_TUPLE_ORIG, to, c.CTA_PROTO_DST_PORT, protocol, destination);
  const original = c.CTA_FILTER_F_CTA_IP_DST | c.CTA_FILTER_F_CTA_PROTO_NUM | c.CTA_FILTER_F_CTA_PROTO_DST_PORT;
  if (source === undefined) return writeParts(writer, original, 0);
  const from = source.ip.includes(":") ? c.CTA_IP_V6_SRC : c.CTA_IP_V4_SRC;
  writePlace(writer, c.CTA_TUPLE_REPLY, from, c.CTA_PROTO_SRC_PORT, protocol, source);
  writeParts(writer, original, c.CTA_FILTER_F_CTA_IP_SRC | c.CTA_FILTER_F_CTA_PROTO_NUM | c.CTA_FILTER_F_CTA_PROTO_SRC_PORT);
}

function writePlace(
  writer: NetlinkWriter,
  tupleType: number,
  ipType: number,
  portType: number,
  protocol: number,
  { ip, port }: Endpoint,
): void {
  writer.nest(tupleType, (tuple) => {
    tuple.nest(c.CTA_TUPLE_IP, (address) => address.attributeBytes(ipType, bytesOfIp(ip)));
    tuple.nest(c.CTA_TUPLE_PROTO, (proto) => proto.attributeU8(c.CTA_PROTO_NUM, protocol).attributeU16be(portType, port));
  });
}

function writeParts(writer: NetlinkWriter, original: number, reply: number): void {
  writer.nest(c.CTA_FILTER, (filter) =>
    filter.attributeU32(c.CTA_FILTER_ORIG_FLAGS, original).attributeU32(c.CTA_FILTER_REPLY_FLAGS, reply),
  );
}
