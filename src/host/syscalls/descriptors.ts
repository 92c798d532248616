/**
 * Open descriptors passed to another process with a message over a Unix socket (unix(7) SCM_RIGHTS). Linux on 64-bit machines,
 * little-endian.
 */
import * as c from "./constants.ts";
import type { Libc } from "./libc.ts";

/** As many as the kernel takes with one message (SCM_MAX_FD is 253). */
export const maxDescriptors = 128;
const maxBytes = 65_536;
const vectorAt = 56;
const controlAt = 72;
/** `struct cmsghdr`: length, level, type. */
const controlHeaderBytes = 16;
const controlRoom = controlHeaderBytes + 4 * maxDescriptors;
const dataAt = controlAt + controlRoom;

export interface DescriptorMessage {
  readonly bytes: Buffer;
  readonly descriptors: readonly number[];
}

/** 0 or a negative errno. The descriptors stay the caller's too. At most `maxDescriptors`, and 64 KiB of bytes. */
export function sendDescriptors(libc: Libc, socket: number, { bytes, descriptors }: DescriptorMessage): number {
  if (descriptors.length > maxDescriptors || bytes.length > maxBytes) throw new RangeError("more than one message may carry");
  const { memory, view } = layOut(libc, descriptors.length);
  const control = controlHeaderBytes + 4 * descriptors.length;
  view.setBigUint64(vectorAt + 8, BigInt(bytes.length), true);
  view.setBigUint64(40, descriptors.length === 0 ? 0n : BigInt(control), true);
  view.setBigUint64(controlAt, BigInt(control), true);
  view.setInt32(controlAt + 8, c.SOL_SOCKET, true);
  view.setInt32(controlAt + 12, c.SCM_RIGHTS, true);
  for (const [index, descriptor] of descriptors.entries()) view.setInt32(controlAt + controlHeaderBytes + 4 * index, descriptor, true);
  memory.set(bytes, dataAt);
  return Math.min(0, libc.sendmsg(socket, memory, c.MSG_NOSIGNAL));
}

/** Undefined: the other side has ended. A number: a negative errno. The descriptors are the caller's, close-on-exec. */
export function receiveDescriptors(libc: Libc, socket: number): DescriptorMessage | undefined | number {
  const { memory, view } = layOut(libc, maxDescriptors);
  const received = libc.recvmsg(socket, memory, c.MSG_CMSG_CLOEXEC);
  if (received <= 0) return received === 0 ? undefined : received;
  const control = Number(view.getBigUint64(40, true));
  const descriptors: number[] = [];
  if (control >= controlHeaderBytes && view.getInt32(controlAt + 12, true) === c.SCM_RIGHTS) {
    const end = Number(view.getBigUint64(controlAt, true));
    for (let at = controlHeaderBytes; at + 4 <= end; at += 4) descriptors.push(view.getInt32(controlAt + at, true));
  }
  return { bytes: Buffer.from(memory.subarray(dataAt, dataAt + received)), descriptors };
}

/** `struct msghdr` with one iovec, room for descriptors and for bytes, all in one memory so that the addresses in it stay true. */
function layOut(libc: Pick<Libc, "address">, descriptors: number) {
  const memory = new Uint8Array(new ArrayBuffer(dataAt + maxBytes));
  const view = new DataView(memory.buffer);
  const base = libc.address(memory);
  view.setBigUint64(16, base + BigInt(vectorAt), true);
  view.setBigUint64(24, 1n, true);
  view.setBigUint64(32, base + BigInt(controlAt), true);
  view.setBigUint64(40, BigInt(controlHeaderBytes + 4 * descriptors), true);
  view.setBigUint64(vectorAt, base + BigInt(dataAt), true);
  view.setBigUint64(vectorAt + 8, BigInt(maxBytes), true);
  return { memory, view };
}

/** `sockaddr_un` of a name without a file; each network namespace has its own (unix(7) "abstract"). */
export function abstractAddress(name: string): Uint8Array {
  return new Uint8Array([c.AF_UNIX, 0, 0, ...Buffer.from(name)]);
}

/** The user who is at the other end. */
export function peerUser(libc: Libc, socket: number): number {
  const credentials = libc.getsockopt(socket, c.SOL_SOCKET, c.SO_PEERCRED, new Uint8Array(12));
  return new DataView(credentials.buffer).getUint32(4, true);
}
