/** Extended DNS Errors: why an answer is a failure, in the answer itself (RFC 8914; codes: IANA "Extended DNS Error Codes"). */
import type { Edns, EdnsOption, Message } from "./message.ts";

export interface ExtendedError {
  readonly code: number;
  /** For people; short, and nothing that a stranger must not know. */
  readonly text?: string;
}

export const extendedErrors = {
  OTHER: 0,
  STALE_ANSWER: 3,
  FORGED_ANSWER: 4,
  CACHED_ERROR: 13,
  NOT_READY: 14,
  BLOCKED: 15,
  FILTERED: 17,
  PROHIBITED: 18,
  STALE_NXDOMAIN: 19,
  NOT_AUTHORITATIVE: 20,
  NOT_SUPPORTED: 21,
  NO_REACHABLE_AUTHORITY: 22,
  NETWORK_ERROR: 23,
} as const satisfies Readonly<Record<string, number>>;

/** Option codes of EDNS (IANA "DNS EDNS0 Option Codes"). */
export const optionCodes = { NSID: 3, CLIENT_SUBNET: 8, EXPIRE: 9, COOKIE: 10, KEEPALIVE: 11, PADDING: 12, EXTENDED_ERROR: 15 } as const;

export function extendedErrorOption({ code, text = "" }: ExtendedError): EdnsOption {
  const data = Buffer.alloc(2 + Buffer.byteLength(text));
  data.writeUInt16BE(code);
  data.write(text, 2, "utf8");
  return { code: optionCodes.EXTENDED_ERROR, data };
}

/** The reasons that a message gives. */
export function extendedErrorsOf({ edns }: Message): readonly ExtendedError[] {
  return (edns?.options ?? []).flatMap(({ code, data }) =>
    code === optionCodes.EXTENDED_ERROR && data.length >= 2
      ? [{ code: ((data[0] as number) << 8) | (data[1] as number), text: Buffer.from(data.subarray(2)).toString("utf8") }]
      : [],
  );
}

const plainEdns: Edns = { version: 0, udpSize: 1232, dnssecOk: false, options: [] };

/** With one more EDNS option; the server leaves them out for a client that speaks no EDNS. */
export function withOption(message: Message, option: EdnsOption): Message {
  const edns = message.edns ?? plainEdns;
  return { ...message, edns: { ...edns, options: [...edns.options, option] } };
}

export const withReason = (message: Message, reason: ExtendedError): Message => withOption(message, extendedErrorOption(reason));
