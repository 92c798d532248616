/**
 * Bytes to message. Never throws for what a stranger sent: the result says what is wrong and, as far as they could be read, the
 * id and question to answer it with. Work is bounded by the size of the input: a record needs eleven bytes, a name reads at most
 * 255 whatever its pointers do.
 */
import { recordTypes, rcodes, type ResourceRecord } from "../../decide/dns/records.ts";
import type { Edns, EdnsOption, Message, Question } from "./message.ts";
import { readData } from "./rdata.ts";
import { FormatError, Reader } from "./reader.ts";

export type Decoded =
  | { readonly kind: "ok"; readonly message: Message }
  /** `header`: what could be read, for an answer with `rcode`; absent when not even the header could. */
  | { readonly kind: "error"; readonly rcode: number; readonly reason: string; readonly header?: Header };

export type Header = Omit<Message, "questions" | "answers" | "authorities" | "additionals" | "edns"> & {
  /** Number of entries in each section. */
  readonly counts: readonly [questions: number, answers: number, authorities: number, additionals: number];
};

export const headerBytes = 12;

/** The first twelve bytes; undefined when there are fewer. */
export function decodeHeader(bytes: Uint8Array): Header | undefined {
  if (bytes.length < headerBytes) return undefined;
  const reader = new Reader(bytes);
  const id = reader.u16();
  const flags = reader.u16();
  return {
    id,
    response: (flags & 0x8000) !== 0,
    opcode: (flags >> 11) & 0xf,
    authoritative: (flags & 0x400) !== 0,
    truncated: (flags & 0x200) !== 0,
    recursionDesired: (flags & 0x100) !== 0,
    recursionAvailable: (flags & 0x80) !== 0,
    authenticData: (flags & 0x20) !== 0,
    checkingDisabled: (flags & 0x10) !== 0,
    rcode: flags & 0xf,
    counts: [reader.u16(), reader.u16(), reader.u16(), reader.u16()],
  };
}

export function decode(bytes: Uint8Array): Decoded {
  const header = decodeHeader(bytes);
  if (header === undefined) return { kind: "error", rcode: rcodes.FORMERR, reason: `${bytes.length} bytes are no header` };
  try {
    return { kind: "ok", message: decodeBody(header, new Reader(bytes, headerBytes)) };
  } catch (error) {
    if (error instanceof FormatError) return { kind: "error", rcode: rcodes.FORMERR, reason: error.message, header };
    throw error;
  }
}

function decodeBody({ counts, ...header }: Header, reader: Reader): Message {
  const questions = Array.from({ length: atMost(counts[0], 5, reader) }, () => readQuestion(reader));
  const answers = readRecords(reader, counts[1]);
  const authorities = readRecords(reader, counts[2]);
  const { records: additionals, edns } = splitOpt(readRecords(reader, counts[3]));
  if (reader.left > 0) throw new FormatError(`${reader.left} bytes follow the message`);
  const message = { ...header, questions, answers, authorities, additionals };
  return edns === undefined ? message : { ...message, rcode: header.rcode | (edns.extendedRcode << 4), edns: edns.edns };
}

/** A count in the header is a claim: no more entries can be there than bytes for them. */
function atMost(count: number, bytesEach: number, reader: Reader): number {
  if (count * bytesEach > reader.left) throw new FormatError(`${count} entries are announced, ${reader.left} bytes are left`);
  return count;
}

function readQuestion(reader: Reader): Question {
  return { name: reader.name(), type: reader.u16(), class: reader.u16() };
}

function readRecords(reader: Reader, count: number): ResourceRecord[] {
  return Array.from({ length: atMost(count, 11, reader) }, () => readRecord(reader));
}

function readRecord(reader: Reader): ResourceRecord {
  const name = reader.name();
  const type = reader.u16();
  const recordClass = reader.u16();
  const ttl = reader.u32();
  const size = reader.u16();
  if (size > reader.left) throw new FormatError(`a record of ${size} bytes, ${reader.left} are left`);
  const data = readData(new Reader(reader.bytes, reader.offset, reader.offset + size), type);
  reader.offset += size;
  return { name, type, class: recordClass, ttl, data };
}

function splitOpt(all: readonly ResourceRecord[]): { records: readonly ResourceRecord[]; edns?: { edns: Edns; extendedRcode: number } } {
  const opts = all.filter(({ type }) => type === recordTypes.OPT);
  const [opt] = opts;
  if (opt === undefined) return { records: all };
  if (opts.length > 1 || opt.name !== ".") throw new FormatError("more than one OPT record, or one that is not the root's");
  const bytes = opt.data.kind === "opaque" ? opt.data.bytes : new Uint8Array(0);
  const edns = {
    udpSize: opt.class,
    version: (opt.ttl >>> 16) & 0xff,
    dnssecOk: (opt.ttl & 0x8000) !== 0,
    options: readOptions(new Reader(bytes)),
  };
  return { records: all.filter(({ type }) => type !== recordTypes.OPT), edns: { edns, extendedRcode: opt.ttl >>> 24 } };
}

function readOptions(reader: Reader): EdnsOption[] {
  const options: EdnsOption[] = [];
  while (reader.left > 0) {
    const code = reader.u16();
    options.push({ code, data: reader.take(reader.u16()) });
  }
  return options;
}
