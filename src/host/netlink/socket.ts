/**
 * A netlink socket to the kernel. The kernel works a request off inside `send` and has its answers queued when `send`
 * returns, so nothing here waits: an exchange is one `send` and as many `recv` as there are answers.
 */
import * as c from "../syscalls/constants.ts";
import type { Libc } from "../syscalls/libc.ts";
import { SystemError } from "../syscalls/system-error.ts";
import { NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, readAck, readMessages, type NetlinkAck, type NetlinkMessage } from "./reader.ts";
import type { NetlinkWriter } from "./writer.ts";

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;
export const NETLINK_GENERIC = 16;

export interface Exchange {
  /** Successes among the answers: messages sent with NLM_F_ACK. */
  readonly acknowledged: readonly number[];
  /** In the order in which the kernel came upon them. */
  readonly failures: readonly NetlinkAck[];
  /** Everything that is no acknowledgement; payloads are copies. */
  readonly messages: readonly NetlinkMessage[];
  /** The queue of answers ran over (ENOBUFS): some of the above are missing. */
  readonly overrun: boolean;
}

/** What the code that builds messages needs; tests put a fake kernel behind it. */
export interface NetlinkSocket {
  readonly fd: number;
  /** Sends all messages at once and gathers the answers. Throws a SystemError when the batch cannot be sent at all. */
  exchange(batch: Uint8Array): Exchange;
  /**
   * The same, a `recv` at a time, for long lists: the kernel makes the next part when it is asked for. Until the last part has come
   * nothing else may be sent.
   */
  parts?(batch: Uint8Array): Iterable<Exchange>;
  close(): void;
}

/** The kernel grants an ordinary user 208 KiB for a batch; as root we ask for more. */
const wantedBufferBytes = 8 << 20;
const receiveBytes = 256 << 10;
/** A dump that changes under way is read again, so often. */
const dumpAttempts = 8;

/** In the calling thread's network namespace, to which the socket then belongs. */
export function openNetlink(libc: Libc, protocol: number): NetlinkSocket {
  return adoptNetlink(libc, openNetlinkDescriptor(libc, protocol));
}

/** The descriptor alone, configured, for another thread to adopt. */
export function openNetlinkDescriptor(libc: Libc, protocol: number): number {
  const fd = libc.socket(c.AF_NETLINK, c.SOCK_RAW | c.SOCK_NONBLOCK, protocol);
  try {
    libc.bind(fd, Uint8Array.of(c.AF_NETLINK, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    for (const option of [c.NETLINK_CAP_ACK, c.NETLINK_EXT_ACK, c.NETLINK_GET_STRICT_CHK]) tryOption(libc, fd, c.SOL_NETLINK, option, 1);
    growBuffer(libc, fd, c.SO_SNDBUFFORCE, c.SO_SNDBUF);
    growBuffer(libc, fd, c.SO_RCVBUFFORCE, c.SO_RCVBUF);
  } catch (error) {
    libc.close(fd);
    throw error;
  }
  return fd;
}

/** Takes over a descriptor that `openNetlinkDescriptor` made; `close` closes it. */
export function adoptNetlink(libc: Libc, fd: number): NetlinkSocket {
  const buffer = new Uint8Array(receiveBytes);
  return {
    fd,
    exchange: (batch) => exchange(libc, fd, batch, buffer),
    parts: (batch) => parts(libc, fd, batch, buffer),
    close: () => libc.close(fd),
  };
}

/** Past the limit for ordinary users where that is allowed, else up to it. */
function growBuffer(libc: Libc, fd: number, forced: number, plain: number): void {
  if (!tryOption(libc, fd, c.SOL_SOCKET, forced, wantedBufferBytes)) tryOption(libc, fd, c.SOL_SOCKET, plain, wantedBufferBytes);
}

/** Comforts: answers are less detailed, or batches smaller, where an option is refused. */
function tryOption(libc: Libc, fd: number, level: number, option: number, value: number): boolean {
  try {
    libc.setsockopt(fd, level, option, value);
    return true;
  } catch {
    return false;
  }
}

function exchange(libc: Libc, fd: number, batch: Uint8Array, buffer: Uint8Array): Exchange {
  const whole = { acknowledged: [] as number[], failures: [] as NetlinkAck[], messages: [] as NetlinkMessage[] };
  let overrun = false;
  for (const part of parts(libc, fd, batch, buffer)) {
    whole.acknowledged.push(...part.acknowledged);
    whole.failures.push(...part.failures);
    for (const message of part.messages) whole.messages.push(message);
    overrun ||= part.overrun;
  }
  return { ...whole, overrun };
}

function* parts(libc: Libc, fd: number, batch: Uint8Array, buffer: Uint8Array): Generator<Exchange> {
  const sent = libc.send(fd, batch, 0);
  if (sent !== batch.byteLength) throw new SystemError("send", sent < 0 ? -sent : c.ENOBUFS, `netlink batch of ${batch.byteLength} bytes`);
  for (;;) {
    const received = libc.recv(fd, buffer, 0);
    if (received === -c.EAGAIN) return;
    if (received === -c.ENOBUFS) {
      yield { acknowledged: [], failures: [], messages: [], overrun: true };
      continue;
    }
    if (received < 0) throw new SystemError("recv", -received, "netlink");
    yield sorted(readMessages(buffer.subarray(0, received)));
  }
}

function sorted(all: readonly NetlinkMessage[]): Exchange {
  const acknowledged: number[] = [];
  const failures: NetlinkAck[] = [];
  const messages: NetlinkMessage[] = [];
  for (const message of all) {
    if (message.type === NLMSG_ERROR) {
      const ack = readAck(message);
      if (ack.errno === 0) acknowledged.push(ack.sequence);
      else failures.push(ack);
    } else messages.push({ ...message, payload: message.payload.slice() });
  }
  return { acknowledged, failures, messages, overrun: false };
}

/** Sends what the writer holds and empties it. The first failure is thrown, by the message's label. */
export function commit(socket: NetlinkSocket, writer: NetlinkWriter): Exchange {
  try {
    const done = socket.exchange(writer.finish());
    const [first] = done.failures;
    if (first !== undefined) throw netlinkError(first, writer);
    return done;
  } finally {
    writer.reset();
  }
}

export function netlinkError(ack: NetlinkAck, writer: NetlinkWriter): SystemError {
  const what = writer.label(ack.sequence) ?? `message ${ack.sequence}`;
  return new SystemError("netlink", ack.errno, ack.message === undefined ? what : `${what}: ${ack.message}`);
}

/**
 * A dump a part at a time, each with a pause after it. Throws EINTR where the list changed under way: the whole is to be read again.
 */
export async function dumpSlowly(
  socket: NetlinkSocket,
  writer: NetlinkWriter,
  write: (writer: NetlinkWriter) => void,
  use: (messages: readonly NetlinkMessage[]) => void,
  pause: () => Promise<void>,
): Promise<void> {
  write(writer.reset());
  const label = writer.label(writer.sequence);
  const batch = writer.finish().slice();
  let torn = false;
  let failed: NetlinkAck | undefined;
  // Read to its end also where it has failed: the socket is others' too.
  for (const { failures, messages, overrun } of socket.parts?.(batch) ?? [socket.exchange(batch)]) {
    torn ||= overrun || messages.some(({ flags }) => flags & NLM_F_DUMP_INTR);
    const ends = messages.filter(({ type, payload }) => type === NLMSG_DONE && payload.length >= 4).map(readAck);
    failed ??= [...failures, ...ends].find(({ errno }) => errno > 0);
    use(messages.filter(({ type }) => type !== NLMSG_DONE));
    await pause();
  }
  if (failed !== undefined) throw new SystemError("netlink", failed.errno, label);
  if (torn) throw new SystemError("netlink", c.EINTR, label);
}

/** Runs one dump: `write` begins a message with NLM_F_DUMP. Throws EINTR when the list changes faster than it can be read. */
export function dump(socket: NetlinkSocket, writer: NetlinkWriter, write: (writer: NetlinkWriter) => void): NetlinkMessage[] {
  try {
    for (let attempt = 1; attempt <= dumpAttempts; attempt++) {
      write(writer.reset());
      const { failures, messages, overrun } = socket.exchange(writer.finish());
      // The first part comes with `send`, each further one with a `recv`; the last one says how it went.
      const ends = messages.filter(({ type, payload }) => type === NLMSG_DONE && payload.length >= 4).map(readAck);
      const failed = [...failures, ...ends].find(({ errno }) => errno > 0);
      if (failed !== undefined) throw netlinkError(failed, writer);
      if (!overrun && !messages.some(({ flags }) => flags & NLM_F_DUMP_INTR)) return messages.filter(({ type }) => type !== NLMSG_DONE);
    }
    throw new SystemError("netlink", c.EINTR, writer.label(writer.sequence));
  } finally {
    writer.reset();
  }
}
