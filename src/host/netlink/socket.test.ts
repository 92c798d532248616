import { describe, expect, test } from "vitest";
import { EAGAIN, ENOBUFS } from "../syscalls/constants.ts";
import type { Libc } from "../syscalls/libc.ts";
import { NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR } from "./reader.ts";
import { adoptNetlink, commit, dump } from "./socket.ts";
import { NetlinkWriter, NLM_F_ACK, NLM_F_DUMP } from "./writer.ts";

/** What the kernel puts into the queue, one entry a `recv`: bytes, or a negative errno. */
function fakeLibc(queue: (Uint8Array | number)[], sent: Uint8Array[] = [], sends: (bytes: number) => number = (bytes) => bytes) {
  const libc: Pick<Libc, "send" | "recv" | "close"> = {
    send(_, bytes) {
      sent.push(bytes.slice());
      return sends(bytes.byteLength);
    },
    recv(_, into) {
      const next = queue.shift() ?? -EAGAIN;
      if (typeof next === "number") return next;
      into.set(next);
      return next.byteLength;
    },
    close: () => undefined,
  };
  return libc as Libc;
}

function answer(sequence: number, errno: number): Uint8Array {
  return new NetlinkWriter({ firstSequence: sequence })
    .message(NLMSG_ERROR, 0x100)
    .u32(-errno >>> 0)
    .u32(0)
    .u32(0)
    .u32(0)
    .u32(0)
    .finish()
    .slice();
}

function part(sequence: number, flags: number, value: number): Uint8Array {
  return new NetlinkWriter({ firstSequence: sequence }).message(24, flags).u32(value).finish().slice();
}

function done(sequence: number, errno: number): Uint8Array {
  return new NetlinkWriter({ firstSequence: sequence })
    .message(NLMSG_DONE, 2)
    .u32(-errno >>> 0)
    .finish()
    .slice();
}

describe("exchange", () => {
  test("answers are sorted into successes, failures and the rest", () => {
    const socket = adoptNetlink(fakeLibc([answer(1, 0), part(2, 0, 7), answer(3, 17)]), 5);
    const { acknowledged, failures, messages, overrun } = socket.exchange(Uint8Array.of(1));
    expect(acknowledged).toEqual([1]);
    expect(failures).toEqual([{ sequence: 3, errno: 17, message: undefined }]);
    expect(messages.map(({ sequence }) => sequence)).toEqual([2]);
    expect(overrun).toBe(false);
  });

  test("a queue that ran over is told, and what is left of it still read", () => {
    const { acknowledged, overrun } = adoptNetlink(fakeLibc([-ENOBUFS, answer(2, 0)]), 5).exchange(Uint8Array.of(1));
    expect([acknowledged, overrun]).toEqual([[2], true]);
  });

  test("a batch that the kernel does not take is an error of the whole batch", () => {
    const socket = adoptNetlink(
      fakeLibc([], [], () => -ENOBUFS),
      5,
    );
    expect(() => socket.exchange(new Uint8Array(9))).toThrow("send ENOBUFS netlink batch of 9 bytes");
  });

  test("another failure to read than an empty queue is thrown", () => {
    expect(() => adoptNetlink(fakeLibc([-9]), 5).exchange(Uint8Array.of(1))).toThrow("recv EBADF");
  });
});

describe("commit", () => {
  test("the first failure is thrown by the name of its message, and the writer is empty again", () => {
    const writer = new NetlinkWriter();
    writer.message(16, 0, "add link a").message(24, NLM_F_ACK, "add route b");
    const socket = adoptNetlink(fakeLibc([answer(2, 1)]), 5);
    expect(() => commit(socket, writer)).toThrow(expect.objectContaining({ code: "EPERM", message: "netlink EPERM add route b" }) as Error);
    expect(writer.length).toBe(0);
  });
});

describe("dump", () => {
  const request = (writer: NetlinkWriter) => void writer.message(26, NLM_F_DUMP, "list");
  const values = (messages: ReturnType<typeof dump>) => messages.map(({ payload }) => payload[0]);

  test("is read again when something changed under way or the queue ran over", () => {
    const sent: Uint8Array[] = [];
    const queue = [
      part(1, NLM_F_DUMP_INTR, 1),
      done(1, 0),
      -EAGAIN,
      part(2, 2, 2),
      -ENOBUFS,
      done(2, 0),
      -EAGAIN,
      part(3, 2, 3),
      part(3, 2, 4),
      done(3, 0),
    ];
    expect(values(dump(adoptNetlink(fakeLibc(queue, sent), 5), new NetlinkWriter(), request))).toEqual([3, 4]);
    expect(sent.length).toBe(3);
  });

  test("a list that never stands still is an error", () => {
    const queue = Array.from({ length: 8 }, (_, i) => [part(i + 1, NLM_F_DUMP_INTR, 1), -EAGAIN]).flat();
    expect(() => dump(adoptNetlink(fakeLibc(queue), 5), new NetlinkWriter(), request)).toThrow("netlink EINTR list");
  });

  test("an error at its end is an error", () => {
    expect(() => dump(adoptNetlink(fakeLibc([done(1, 95)]), 5), new NetlinkWriter(), request)).toThrow("netlink ENOTSUP list");
  });
});
