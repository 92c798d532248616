/** Record data on the wire, by type. Names are compressed only where RFC 1035 allows it, and read compressed wherever RFC 3597 4 asks. */
import { recordTypes as T, type RecordData } from "../../decide/dns/records.ts";
import { FormatError, type Reader } from "./reader.ts";
import type { Writer } from "./writer.ts";

type Kind = RecordData["kind"];

/** The shape of each type's data; types that are not here are opaque. */
const kinds = new Map<number, Kind>([
  [T.A, "address"],
  [T.AAAA, "address"],
  ...[T.NS, T.MD, T.MF, T.CNAME, T.MB, T.MG, T.MR, T.PTR, T.DNAME].map((type): [number, Kind] => [type, "name"]),
  [T.SOA, "soa"],
  ...[T.MX, T.AFSDB, T.RT, T.KX].map((type): [number, Kind] => [type, "mx"]),
  [T.SRV, "srv"],
  [T.TXT, "txt"],
  [T.SPF, "txt"],
  [T.HINFO, "hinfo"],
  [T.RP, "names"],
  [T.MINFO, "names"],
  [T.CAA, "caa"],
  [T.SVCB, "svcb"],
  [T.HTTPS, "svcb"],
  [T.NAPTR, "naptr"],
]);

export const kindOf = (type: number): Kind => kinds.get(type) ?? "opaque";

/** Types of RFC 1035: the only ones in whose data names may be compressed. */
const compressible = new Set<number>([T.NS, T.MD, T.MF, T.CNAME, T.SOA, T.MB, T.MG, T.MR, T.PTR, T.MINFO, T.MX]);

/** `reader` ends where the data ends. Data of no bytes is opaque whatever the type: updates use it (RFC 2136). */
export function readData(reader: Reader, type: number): RecordData {
  if (reader.left === 0) return { kind: "opaque", bytes: new Uint8Array(0) };
  const data = readKind(reader, kindOf(type), type);
  if (reader.left !== 0) throw new FormatError(`${reader.left} bytes are left over in a record of type ${type}`);
  return data;
}

function readKind(reader: Reader, kind: Kind, type: number): RecordData {
  switch (kind) {
    case "address":
      return { kind, address: reader.address(type === T.A ? 4 : 6) };
    case "name":
      return { kind, target: reader.name() };
    case "soa":
      return {
        kind,
        mname: reader.name(),
        rname: reader.name(),
        serial: reader.u32(),
        refresh: reader.u32(),
        retry: reader.u32(),
        expire: reader.u32(),
        minimum: reader.u32(),
      };
    case "mx":
      return { kind, preference: reader.u16(), exchange: reader.name() };
    case "srv":
      return { kind, priority: reader.u16(), weight: reader.u16(), port: reader.u16(), target: reader.name() };
    case "txt":
      return { kind, strings: readStrings(reader) };
    case "hinfo":
      return { kind, cpu: reader.string(), os: reader.string() };
    case "names":
      return { kind, first: reader.name(), second: reader.name() };
    case "caa":
      return { kind, flags: reader.u8(), tag: reader.string(), value: reader.text(reader.left) };
    case "svcb":
      return { kind, priority: reader.u16(), target: reader.name(), params: readParams(reader) };
    case "naptr":
      return {
        kind,
        order: reader.u16(),
        preference: reader.u16(),
        flags: reader.string(),
        services: reader.string(),
        regexp: reader.string(),
        replacement: reader.name(),
      };
    case "opaque":
      return { kind, bytes: reader.take(reader.left) };
  }
}

function readStrings(reader: Reader): string[] {
  const strings: string[] = [];
  while (reader.left > 0) strings.push(reader.string());
  return strings;
}

function readParams(reader: Reader) {
  const params: { key: number; value: Uint8Array }[] = [];
  while (reader.left > 0) {
    const key = reader.u16();
    const last = params.at(-1);
    if (last !== undefined && last.key >= key) throw new FormatError("the parameters of a SVCB record are out of order");
    params.push({ key, value: reader.take(reader.u16()) });
  }
  return params;
}

export function writeData(writer: Writer, type: number, data: RecordData): void {
  const compress = compressible.has(type);
  switch (data.kind) {
    case "address":
      return writer.address(data.address);
    case "name":
      return writer.name(data.target, compress);
    case "soa":
      writer.name(data.mname, compress);
      writer.name(data.rname, compress);
      for (const field of [data.serial, data.refresh, data.retry, data.expire, data.minimum]) writer.u32(field);
      return;
    case "mx":
      writer.u16(data.preference);
      return writer.name(data.exchange, compress);
    case "srv":
      for (const field of [data.priority, data.weight, data.port]) writer.u16(field);
      return writer.name(data.target, false);
    case "txt":
      for (const string of data.strings) writer.string(string);
      return;
    case "hinfo":
      writer.string(data.cpu);
      return writer.string(data.os);
    case "names":
      writer.name(data.first, compress);
      return writer.name(data.second, compress);
    case "caa":
      writer.u8(data.flags);
      writer.string(data.tag);
      return writer.text(data.value);
    case "svcb":
      writer.u16(data.priority);
      writer.name(data.target, false);
      for (const { key, value } of data.params) {
        writer.u16(key);
        writer.u16(value.length);
        writer.bytes(value);
      }
      return;
    case "naptr":
      writer.u16(data.order);
      writer.u16(data.preference);
      for (const field of [data.flags, data.services, data.regexp]) writer.string(field);
      return writer.name(data.replacement, false);
    case "opaque":
      return writer.bytes(data.bytes);
  }
}
