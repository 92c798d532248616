/** For tests: a client that writes HTTP/2 frames (RFC 9113 4.1) one by one, right or wrong, and reads those that come back. */
import { connect, type Socket } from "node:net";
import type { Opened } from "./testing.ts";

export const frameTypes = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goaway: 7,
  window: 8,
  continuation: 9,
} as const;

export type FrameType = keyof typeof frameTypes;

export const flags = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 32 } as const;

export interface Frame {
  /** A number: a type that nobody knows. */
  readonly type: FrameType | number;
  readonly flags?: number;
  readonly stream?: number;
  readonly payload?: Buffer;
  /** What the frame claims, where that is not its payload's length. */
  readonly length?: number;
}

export const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

export function encodeFrame({ type, flags: bits = 0, stream = 0, payload = Buffer.alloc(0), length = payload.length }: Frame): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(length, 0, 3);
  head[3] = typeof type === "number" ? type : frameTypes[type];
  head[4] = bits;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** Names and values letter for letter: without index, without Huffman (RFC 7541 6.2.2). */
export function encodeFields(fields: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]));
}

function literal(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  return Buffer.concat([integer(bytes.length, 7), bytes]);
}

/** RFC 7541 5.1. */
function integer(value: number, bits: number): Buffer {
  const most = 2 ** bits - 1;
  if (value < most) return Buffer.from([value]);
  const bytes = [most];
  let rest = value - most;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

export const settings = (...pairs: readonly (readonly [id: number, value: number])[]): Frame => ({
  type: "settings",
  payload: Buffer.concat(
    pairs.map(([id, value]) => {
      const bytes = Buffer.alloc(6);
      bytes.writeUInt16BE(id, 0);
      bytes.writeUInt32BE(value, 2);
      return bytes;
    }),
  ),
});

export const word = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

export const requestFields = (path = "/", method = "GET"): readonly (readonly [string, string])[] => [
  [":method", method],
  [":scheme", "http"],
  [":path", path],
  [":authority", "a"],
];

export interface Received {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export interface FrameClient {
  readonly socket: Socket;
  readonly received: readonly Received[];
  send(...frames: readonly Frame[]): void;
  /** When such a frame has come; undefined: the connection ended before. */
  until(wanted: (frame: Received) => boolean): Promise<Received | undefined>;
}

/** A connection whose preface is out; `settings` of its own with it. */
export function frameClient(opened: Opened, port: number, start: Buffer = Buffer.concat([preface, encodeFrame(settings())])): FrameClient {
  const socket = connect({ host: "127.0.0.1", port, noDelay: true });
  opened.add(socket, () => socket.destroy());
  const received: Received[] = [];
  const waiting = new Set<() => void>();
  let unread: Buffer = Buffer.alloc(0);
  let over = false;
  const wake = () => {
    for (const each of [...waiting]) each();
  };
  socket.on("data", (bytes: Buffer) => {
    unread = Buffer.concat([unread, bytes]);
    while (unread.length >= 9 && unread.length >= 9 + unread.readUIntBE(0, 3)) {
      const length = unread.readUIntBE(0, 3);
      const payload = unread.subarray(9, 9 + length);
      received.push({ type: unread[3] as number, flags: unread[4] as number, stream: unread.readUInt32BE(5) & 0x7fffffff, payload });
      unread = unread.subarray(9 + length);
    }
    wake();
  });
  for (const event of ["end", "close", "error"]) {
    socket.on(event, () => {
      over = true;
      wake();
    });
  }
  socket.write(start);
  return {
    socket,
    received,
    send: (...frames) => void socket.write(Buffer.concat(frames.map(encodeFrame))),
    until: (wanted) =>
      new Promise((resolve) => {
        const check = () => {
          const found = received.find(wanted);
          if (found === undefined && !over) return;
          waiting.delete(check);
          resolve(found);
        };
        waiting.add(check);
        check();
      }),
  };
}
