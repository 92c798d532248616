/** What no plugin has to see: packets that are no question, and the bare answers that they get (as miekg/dns' accept function). */
import { rcodes, recordTypes } from "../../decide/dns/records.ts";
import type { Header } from "../wire/decode.ts";
import { encode } from "../wire/encode.ts";
import { createQuery, createReply, opcodes } from "../wire/message.ts";

/** The code with which the packet is turned away by its header alone; undefined: it is to be read. */
export function refusalOf({ opcode, counts: [questions, answers, authorities, additionals] }: Header): number | undefined {
  if (opcode !== opcodes.QUERY && opcode !== opcodes.NOTIFY) return rcodes.NOTIMP;
  return questions !== 1 || answers > 1 || authorities > 1 || additionals > 2 ? rcodes.FORMERR : undefined;
}

/** Without a question: it could not be read, or was not one. */
export function bareReply({ id, opcode, recursionDesired }: Header, rcode: number): Uint8Array {
  const query = createQuery(".", recordTypes.A, { id, opcode, recursionDesired, questions: [] });
  return encode(createReply(query, { rcode }));
}
