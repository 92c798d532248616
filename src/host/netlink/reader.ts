/**
 * Netlink bytes as messages and attributes. Every length is checked against what is there: whatever the bytes are, the
 * reader ends, stays inside them, and throws nothing but NetlinkFormatError.
 */

export const NLMSG_NOOP = 1;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
/** Something changed while the dump ran: it may be inconsistent. */
export const NLM_F_DUMP_INTR = 0x10;
/** The error message holds only the request's header, not the request. */
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;

const headerBytes = 16;
const typeMask = 0x3fff;
const decoder = new TextDecoder();

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** What follows `nlmsghdr`: a view, valid as long as the buffer is not used again. */
  readonly payload: Uint8Array;
}

/** The answer to one message. */
export interface NetlinkAck {
  readonly sequence: number;
  /** 0: done; else positive. */
  readonly errno: number;
  /** The kernel's own words, where it has some. */
  readonly message: string | undefined;
}

export class NetlinkFormatError extends Error {
  constructor(message: string) {
    super(`malformed netlink: ${message}`);
    this.name = "NetlinkFormatError";
  }
}

/** The messages of what one `recv` gave. */
export function readMessages(bytes: Uint8Array): NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  const view = viewOf(bytes);
  for (let offset = 0; offset < bytes.length;) {
    if (bytes.length - offset < headerBytes) throw new NetlinkFormatError(`${bytes.length - offset} bytes after the last message`);
    const length = view.getUint32(offset, true);
    if (length < headerBytes || length > bytes.length - offset)
      throw new NetlinkFormatError(`a message of ${length} bytes with ${bytes.length - offset} left`);
    messages.push({
      type: view.getUint16(offset + 4, true),
      flags: view.getUint16(offset + 6, true),
      sequence: view.getUint32(offset + 8, true),
      payload: bytes.subarray(offset + headerBytes, offset + length),
    });
    offset += (length + 3) & ~3;
  }
  return messages;
}

/** Of an NLMSG_ERROR message, which also carries acknowledgements, and of NLMSG_DONE, which may carry a dump's error. */
export function readAck(message: NetlinkMessage): NetlinkAck {
  const { payload, sequence } = message;
  if (payload.length < 4) throw new NetlinkFormatError("an answer without an error number");
  const view = viewOf(payload);
  const errno = -view.getInt32(0, true);
  if (message.type === NLMSG_DONE || payload.length < 4 + headerBytes) return { sequence, errno, message: undefined };
  const requestBytes = message.flags & NLM_F_CAPPED ? headerBytes : Math.max(headerBytes, view.getUint32(4, true));
  const said = message.flags & NLM_F_ACK_TLVS ? payload.subarray(Math.min(payload.length, 4 + ((requestBytes + 3) & ~3))) : undefined;
  const words = said === undefined ? undefined : readAttributes(said).get(NLMSGERR_ATTR_MSG);
  return { sequence, errno, message: words === undefined ? undefined : readString(words) };
}

/** type → value, flags taken off the type. Of a type that comes twice the last counts; see `eachAttribute` for lists. */
export function readAttributes(bytes: Uint8Array): Map<number, Uint8Array> {
  const attributes = new Map<number, Uint8Array>();
  eachAttribute(bytes, (type, value) => attributes.set(type, value));
  return attributes;
}

export function eachAttribute(bytes: Uint8Array, use: (type: number, value: Uint8Array) => void): void {
  const view = viewOf(bytes);
  for (let offset = 0; offset < bytes.length;) {
    const left = bytes.length - offset;
    if (left < 4) throw new NetlinkFormatError(`${left} bytes after the last attribute`);
    const length = view.getUint16(offset, true);
    if (length < 4 || length > left) throw new NetlinkFormatError(`an attribute of ${length} bytes with ${left} left`);
    use(view.getUint16(offset + 2, true) & typeMask, bytes.subarray(offset + 4, offset + length));
    offset += (length + 3) & ~3;
  }
}

export function readU8(value: Uint8Array): number {
  return sized(value, 1)[0] as number;
}

export function readU16(value: Uint8Array): number {
  return viewOf(sized(value, 2)).getUint16(0, true);
}

export function readU16be(value: Uint8Array): number {
  return viewOf(sized(value, 2)).getUint16(0, false);
}

export function readU32(value: Uint8Array): number {
  return viewOf(sized(value, 4)).getUint32(0, true);
}

export function readU32be(value: Uint8Array): number {
  return viewOf(sized(value, 4)).getUint32(0, false);
}

export function readU64be(value: Uint8Array): bigint {
  return viewOf(sized(value, 8)).getBigUint64(0, false);
}

/** Up to the first NUL. */
export function readString(value: Uint8Array): string {
  const end = value.indexOf(0);
  return decoder.decode(end < 0 ? value : value.subarray(0, end));
}

function sized(value: Uint8Array, bytes: number): Uint8Array {
  if (value.length < bytes) throw new NetlinkFormatError(`${value.length} bytes where ${bytes} are needed`);
  return value;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
