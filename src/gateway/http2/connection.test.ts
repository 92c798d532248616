import { EventEmitter } from "node:events";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { StreamSocket } from "../../net/stream-socket.ts";
import { errorCodes, flags, frameTypes, preface, settings } from "./codes.ts";
import { Http2Connection, type ConnectionOptions } from "./connection.ts";
import { FrameWriter } from "./frame-writer.ts";
import { encodeField } from "./hpack-encoder.ts";
import type { HeaderField } from "./hpack-table.ts";
import type { Http2Stream, StreamUser } from "./stream.ts";

/** A socket of which a test says what comes, and how much it takes before it is full. */
class TestSocket extends EventEmitter implements StreamSocket {
  destroyed = false;
  readableEnded = false;
  readonly writableLength = 0;
  sent: Buffer[] = [];
  room = Number.POSITIVE_INFINITY;

  write(bytes: Buffer | string): boolean {
    const copy = Buffer.from(bytes as Buffer);
    this.sent.push(copy);
    this.room -= copy.length;
    return this.room > 0;
  }

  /** What was written since the last time. */
  take(): Buffer {
    const all = Buffer.concat(this.sent);
    this.sent = [];
    return all;
  }

  end(): void {}
  destroy(): void {
    this.destroyed = true;
    this.emit("close", false);
  }
  destroySoon(): void {
    this.destroy();
  }
  resetAndDestroy(): void {
    this.destroy();
  }
  pause(): void {}
  resume(): void {}
  unshift(): void {}
  cork(): void {}
  uncork(): void {}
  setNoDelay(): void {}
  setKeepAlive(): void {}
}

interface Side {
  readonly socket: TestSocket;
  readonly connection: Http2Connection;
  /** The end of a turn. */
  readonly turn: () => void;
}

function side(role: "server" | "client", more: Partial<ConnectionOptions> = {}): Side {
  const socket = new TestSocket();
  const later: (() => void)[] = [];
  const connection = new Http2Connection({
    socket,
    role,
    headerLimits: { bytes: 16_384, fields: 100 },
    maxStreams: 4,
    now: () => 0,
    soon: (run) => void later.push(run),
    onClosed: () => {},
    ...more,
  });
  return { socket, connection, turn: () => later.splice(0).forEach((run) => run()) };
}

/** A stream's user that remembers what it was told. */
class Heard implements StreamUser {
  readonly heads: (readonly HeaderField[])[] = [];
  length = 0;
  first = 0;
  ended = false;
  code: number | undefined;
  drained = 0;
  onHeaders(fields: readonly HeaderField[]): void {
    this.heads.push(fields);
  }
  onData(bytes: Buffer): void {
    if (this.length === 0) this.first = bytes[0] ?? 0;
    this.length += bytes.length;
  }
  onEnd(): void {
    this.ended = true;
  }
  onDrain(): void {
    this.drained += 1;
  }
  onReset(code: number): void {
    this.code = code;
  }
}

const requestHead = [":method GET", ":scheme http", ":path /", ":authority a"].map((text) => {
  const [name = "", value = ""] = text.split(" ");
  return encodeField(name, value);
});
const answerHead = [encodeField(":status", "200")];

/** Bytes go back and forth, in pieces, until neither side has more to say. */
function exchange(a: Side, b: Side, cut: () => number): void {
  for (let quiet = 0; quiet < 2;) {
    let moved = false;
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      from.turn();
      const bytes = from.socket.take();
      for (let at = 0; at < bytes.length;) {
        const size = cut();
        to.socket.emit("data", Buffer.from(bytes.subarray(at, at + size)));
        at += size;
        moved = true;
      }
      if (from.socket.room <= 0) {
        from.socket.room = 10_000;
        from.socket.emit("drain");
        moved = true;
      }
    }
    quiet = moved ? 0 : quiet + 1;
  }
}

test("requests beyond what the server takes at once wait, and bodies of any size arrive whole through windows, full sockets and any cuts", () => {
  const sizes = fc.array(fc.tuple(fc.nat(400_000), fc.nat(400_000)), { minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(sizes, fc.array(fc.integer({ min: 100, max: 70_000 }), { minLength: 1, maxLength: 20 }), (bodies, cuts) => {
      const served: { stream: Http2Stream; heard: Heard }[] = [];
      let most = 0;
      const server = side("server", {
        onRequest: (stream) => {
          const heard = new Heard();
          served.push({ stream, heard });
          most = Math.max(most, server.connection.streams);
          heard.onEnd = () => {
            const [, answer = 0] = bodies[heard.first] ?? [];
            stream.headers(...answerHead);
            stream.write(Buffer.alloc(answer, 7));
            stream.end([encodeField("x-sum", String(heard.length))]);
          };
          return heard;
        },
      });
      const client = side("client");
      let next = 0;
      const cut = () => cuts[next++ % cuts.length] as number;
      // How many streams the server takes is known from its first frame on.
      exchange(client, server, cut);
      server.socket.room = client.socket.room = 10_000;
      const asked = bodies.map(([size], index) => {
        const heard = new Heard();
        const stream = client.connection.request(requestHead, heard);
        stream.write(Buffer.alloc(size, index));
        stream.end();
        return heard;
      });
      exchange(client, server, cut);
      for (const [index, heard] of asked.entries()) {
        const [sent = 0] = bodies[index] ?? [];
        const answer = bodies[sent === 0 ? 0 : index]?.[1];
        expect([heard.length, heard.ended, heard.heads.at(-1)]).toEqual([answer, true, [{ name: "x-sum", value: String(sent) }]]);
      }
      expect(most).toBeLessThanOrEqual(4);
      expect([client.connection.streams, server.connection.streams, client.connection.stalled]).toEqual([0, 0, false]);
    }),
    { numRuns: 20 },
  );
});

describe("a client's end", () => {
  const greeting = (values: readonly (readonly [number, number])[] = []) => {
    const frames = new FrameWriter();
    frames.settings(values);
    return Buffer.from(frames.take());
  };

  test("GOAWAY: what the server has not looked at may be asked elsewhere, the rest is answered", () => {
    let spent = 0;
    const { connection, socket, turn } = side("client", { onGoaway: () => void (spent += 1) });
    socket.emit("data", greeting());
    const [first, second] = [new Heard(), new Heard()];
    for (const heard of [first, second]) connection.request(requestHead, heard).end();
    turn();
    const frames = new FrameWriter();
    frames.goaway(1, errorCodes.none);
    frames.headers(1, answerHead, true);
    socket.emit("data", Buffer.from(frames.take()));
    expect([second.code, first.ended, first.code, spent, connection.closed]).toEqual([errorCodes.refusedStream, true, undefined, 1, true]);
  });

  test("a server that promises pushes, or answers what was not asked, is left", () => {
    for (const [type, stream] of [
      [frameTypes.pushPromise, 1],
      [frameTypes.headers, 3],
    ] as const) {
      const { connection, socket } = side("client");
      socket.emit("data", greeting());
      const heard = new Heard();
      connection.request(requestHead, heard);
      socket.emit("data", Buffer.from([0, 0, 1, type, flags.endHeaders, 0, 0, 0, stream, 0x88]));
      expect([connection.isOver, heard.code !== undefined]).toEqual([true, true]);
    }
  });

  test("a window that was made smaller than what is out holds everything back until it is wide again", () => {
    const { connection, socket, turn } = side("client");
    socket.emit("data", greeting());
    const stream = connection.request(requestHead, new Heard());
    expect(stream.write(Buffer.alloc(60_000))).toBe(true);
    socket.emit("data", greeting([[settings.initialWindowSize, 10_000]]));
    turn();
    socket.take();
    expect(stream.write(Buffer.alloc(10))).toBe(false);
    const frames = new FrameWriter();
    frames.windowUpdate(1, 50_009);
    socket.emit("data", Buffer.from(frames.take()));
    turn();
    expect(socket.take().subarray(9)).toHaveLength(9);
  });
});

describe("whatever comes", () => {
  const frame = fc.record({
    type: fc.nat(11),
    bits: fc.constantFrom(0, 1, 4, 5, 8, 0x20, 0x2d, 0xff),
    stream: fc.constantFrom(0, 1, 1, 2, 3, 5, 7, 0x7fff_ffff),
    payload: fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.constant(new Uint8Array(Buffer.concat(requestHead))),
      fc.constant(new Uint8Array(Buffer.concat(answerHead))),
      fc.constant(Uint8Array.of(0, 0, 0, 9)),
      fc.constant(new Uint8Array(8)),
    ),
  });
  const encoded = ({ type, bits, stream, payload }: { type: number; bits: number; stream: number; payload: Uint8Array }) => {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head[3] = type;
    head[4] = bits;
    head.writeUInt32BE(stream, 5);
    return Buffer.concat([head, payload]);
  };
  const settingsFrame = encoded({ type: frameTypes.settings, bits: 0, stream: 0, payload: new Uint8Array() });

  test.for(["server", "client"] as const)("a %s throws nothing, tells each stream its end once, and keeps no more than it may", (role) => {
    const comes = fc.oneof(
      frame.map(encoded),
      fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    );
    fc.assert(
      fc.property(fc.array(comes, { maxLength: 60 }), fc.integer({ min: 1, max: 500 }), fc.boolean(), (pieces, cut, full) => {
        const users: Heard[] = [];
        const fresh = () => {
          const heard = new Heard();
          users.push(heard);
          return heard;
        };
        const { connection, socket, turn } = side(role, {
          onRequest: (stream) => {
            stream.headers(...answerHead);
            stream.write(Buffer.alloc(100_000));
            return fresh();
          },
        });
        if (role === "client") for (let count = 0; count < 3; count++) connection.request(requestHead, fresh()).write(Buffer.alloc(100));
        if (full) socket.room = 0;
        const all = Buffer.concat([...(role === "server" ? [preface] : []), settingsFrame, ...pieces]);
        for (let at = 0; at < all.length; at += cut) {
          socket.emit("data", Buffer.from(all.subarray(at, at + cut)));
          turn();
        }
        const written = socket.take().length;
        // What streams write, and for each frame that came no more than a short one of ours.
        expect(written).toBeLessThan(1000 + users.length * 101_000 + all.length * 3);
        expect(connection.streams).toBeLessThanOrEqual(Math.max(4, users.length));
        socket.destroy();
        expect(connection.streams).toBe(0);
        expect(users.every(({ ended, code }) => ended || code !== undefined)).toBe(true);
      }),
      { numRuns: 400 },
    );
  });

  test("resets without end, and pings that nobody reads the answers to, end the connection", () => {
    const rapid = side("server", { onRequest: () => new Heard() });
    rapid.socket.emit("data", Buffer.concat([preface, settingsFrame]));
    let rounds = 0;
    for (let id = 1; !rapid.connection.isOver; id += 2, rounds++) {
      const head = encoded({ type: frameTypes.headers, bits: 4, stream: id, payload: Buffer.concat(requestHead) });
      rapid.socket.emit(
        "data",
        Buffer.concat([head, encoded({ type: frameTypes.reset, bits: 0, stream: id, payload: new Uint8Array(4) })]),
      );
    }
    expect(rounds).toBe(201);
    const silent = side("server");
    silent.socket.room = 0;
    silent.socket.emit("data", Buffer.concat([preface, settingsFrame]));
    silent.turn();
    for (rounds = 0; !silent.connection.isOver; rounds++)
      silent.socket.emit("data", encoded({ type: frameTypes.ping, bits: 0, stream: 0, payload: new Uint8Array(8) }));
    expect(rounds * 17).toBeLessThan(70_000);
  });
});
