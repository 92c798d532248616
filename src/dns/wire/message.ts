/** A DNS message as frozen plain data (RFC 1035 4.1), the OPT record taken out of the additional section (RFC 6891). */
import { classes, rcodes, type ResourceRecord } from "../../decide/dns/records.ts";

export interface Question {
  /** Absolute, presentation form, in the case that was sent. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
}

export interface EdnsOption {
  readonly code: number;
  readonly data: Uint8Array;
}

export interface Edns {
  readonly version: number;
  /** The largest UDP answer that the sender takes, in bytes. */
  readonly udpSize: number;
  /** DNSSEC records are wanted (DO). */
  readonly dnssecOk: boolean;
  readonly options: readonly EdnsOption[];
}

export interface Message {
  readonly id: number;
  /** QR: an answer, not a question. */
  readonly response: boolean;
  readonly opcode: number;
  readonly authoritative: boolean;
  readonly truncated: boolean;
  readonly recursionDesired: boolean;
  readonly recursionAvailable: boolean;
  readonly authenticData: boolean;
  readonly checkingDisabled: boolean;
  /** With EDNS twelve bits, else four. */
  readonly rcode: number;
  readonly questions: readonly Question[];
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  /** Without OPT. */
  readonly additionals: readonly ResourceRecord[];
  readonly edns?: Edns;
}

export const opcodes = { QUERY: 0, IQUERY: 1, STATUS: 2, NOTIFY: 4, UPDATE: 5 } as const;

const empty: readonly never[] = [];

/** A question as a stub resolver sends it: one name, recursion desired, no EDNS. */
export function createQuery(name: string, type: number, options: Partial<Message> = {}): Message {
  return {
    id: 0,
    response: false,
    opcode: opcodes.QUERY,
    authoritative: false,
    truncated: false,
    recursionDesired: true,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled: false,
    rcode: rcodes.NOERROR,
    questions: [{ name, type, class: classes.IN }],
    answers: empty,
    authorities: empty,
    additionals: empty,
    ...options,
  };
}

/** An answer to `query`: its id, opcode, question, RD and CD; everything else as `parts` say. */
export function createReply(query: Message, parts: Partial<Message>): Message {
  return {
    id: query.id,
    response: true,
    opcode: query.opcode,
    authoritative: false,
    truncated: false,
    recursionDesired: query.recursionDesired,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled: query.checkingDisabled,
    rcode: rcodes.NOERROR,
    questions: query.questions.slice(0, 1),
    answers: empty,
    authorities: empty,
    additionals: empty,
    ...parts,
  };
}
