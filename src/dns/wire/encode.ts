/** Message to bytes, within a size: what does not fit is left out, and TC says so where it matters (RFC 2181 9). */
import { recordTypes, type ResourceRecord } from "../../decide/dns/records.ts";
import type { Edns, Message } from "./message.ts";
import { writeData } from "./rdata.ts";
import { OverflowError, Writer } from "./writer.ts";

/** Largest message over TCP. */
export const maxTcpBytes = 65_535;
/** What every UDP client takes (RFC 1035 4.2.1). */
export const minUdpBytes = 512;

/**
 * At most `max` bytes. Records that do not fit are left out from the end; TC is set when they are answers or authorities, not
 * when they are only additional. OPT always fits. Throws TypeError for a message that cannot be written: a wrong name or
 * address, or a question that alone is larger than `max`.
 */
export function encode(message: Message, max: number = maxTcpBytes): Buffer {
  const opt = message.edns === undefined ? undefined : encodeOpt(message.edns, message.rcode);
  const writer = new Writer(max - (opt?.length ?? 0));
  writer.u16(message.id);
  writer.u16(flagsOf(message));
  const counts = writer.offset;
  for (let i = 0; i < 4; i++) writer.u16(0);
  writeQuestions(writer, message);
  const sections = [message.answers, message.authorities, message.additionals];
  const written = [0, 0, 0];
  let full = false;
  sections.forEach((records, i) => {
    if (!full) written[i] = writeRecords(writer, records);
    full ||= written[i] !== records.length;
  });
  const cut = written[0] !== message.answers.length || written[1] !== message.authorities.length;
  if (cut) writer.setU16(2, flagsOf({ ...message, truncated: true }));
  [message.questions.length, written[0], written[1], (written[2] ?? 0) + (opt === undefined ? 0 : 1)].forEach((count, i) =>
    writer.setU16(counts + 2 * i, count ?? 0),
  );
  const body = writer.finish();
  return opt === undefined ? body : Buffer.concat([body, opt]);
}

function flagsOf(message: Message): number {
  return (
    (message.response ? 0x8000 : 0) |
    ((message.opcode & 0xf) << 11) |
    (message.authoritative ? 0x400 : 0) |
    (message.truncated ? 0x200 : 0) |
    (message.recursionDesired ? 0x100 : 0) |
    (message.recursionAvailable ? 0x80 : 0) |
    (message.authenticData ? 0x20 : 0) |
    (message.checkingDisabled ? 0x10 : 0) |
    (message.rcode & 0xf)
  );
}

function writeQuestions(writer: Writer, message: Message): void {
  try {
    for (const question of message.questions) {
      writer.name(question.name);
      writer.u16(question.type);
      writer.u16(question.class);
    }
  } catch (error) {
    if (error instanceof OverflowError) throw new TypeError("the question alone is larger than the message may be", { cause: error });
    throw error;
  }
}

/** How many fitted. */
function writeRecords(writer: Writer, records: readonly ResourceRecord[]): number {
  let count = 0;
  for (const record of records) {
    const before = writer.offset;
    try {
      writeRecord(writer, record);
    } catch (error) {
      if (!(error instanceof OverflowError)) throw error;
      writer.rewind(before);
      return count;
    }
    count++;
  }
  return count;
}

function writeRecord(writer: Writer, record: ResourceRecord): void {
  writer.name(record.name);
  writer.u16(record.type);
  writer.u16(record.class);
  writer.u32(record.ttl);
  const size = writer.offset;
  writer.u16(0);
  writeData(writer, record.type, record.data);
  writer.setU16(size, writer.offset - size - 2);
}

function encodeOpt(edns: Edns, rcode: number): Buffer {
  const writer = new Writer(maxTcpBytes);
  writer.u8(0);
  writer.u16(recordTypes.OPT);
  writer.u16(edns.udpSize);
  writer.u8(rcode >> 4);
  writer.u8(edns.version);
  writer.u16(edns.dnssecOk ? 0x8000 : 0);
  const size = writer.offset;
  writer.u16(0);
  for (const { code, data } of edns.options) {
    writer.u16(code);
    writer.u16(data.length);
    writer.bytes(data);
  }
  writer.setU16(size, writer.offset - size - 2);
  return writer.finish();
}
