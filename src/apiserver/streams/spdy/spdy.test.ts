import { duplexPair } from "node:stream";
import { constants, createDeflate, createInflate } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SpdyConnection, type SpdyStream } from "./connection.ts";
import { encodeData, encodePing, encodeRstStream, encodeSynStream, FrameReader, maxFrame, type Frame, type FrameFault } from "./frames.ts";
import { decodePairs, dictionary, encodePairs, HeaderCompressor, HeaderDecompressor } from "./header-block.ts";

/** RFC 1950, 8.2 */
function adler32(bytes: Buffer): number {
  let [a, b] = [1, 0];
  for (const byte of bytes) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return ((b << 16) | a) >>> 0;
}

test("the dictionary is the one that the protocol names", () => {
  expect([dictionary.length, adler32(dictionary)]).toEqual([1423, 0xe3c6a7c2]);
});

const headers = fc.dictionary(
  fc.stringMatching(/^[a-z][a-z-]{0,10}$/).filter((name) => name !== "__proto__"),
  fc.string({ maxLength: 40 }),
  { maxKeys: 5 },
);

describe("header blocks", () => {
  test("read back, whichever compression wrote them", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(headers, { maxLength: 5 }), async (blocks) => {
        const [own, deflate] = [new HeaderCompressor(), createDeflate({ dictionary, level: 9 })];
        const [reader, other] = [new HeaderDecompressor(), new HeaderDecompressor()];
        const pieces: Buffer[] = [];
        deflate.on("data", (piece: Buffer) => pieces.push(piece));
        for (const block of blocks) {
          expect(await reader.decompress(own.compress(block))).toEqual({ ...block });
          deflate.write(encodePairs(block));
          await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, () => resolve()));
          expect(await other.decompress(Buffer.concat(pieces.splice(0)))).toEqual({ ...block });
        }
        reader.close();
        other.close();
      }),
      { numRuns: 30 },
    );
  });

  test("are what zlib itself reads", async () => {
    const inflate = createInflate({ dictionary });
    const seen = new Promise<Buffer>((resolve) => inflate.once("data", resolve));
    inflate.write(new HeaderCompressor().compress({ StreamType: "error" }));
    expect(decodePairs(await seen)).toEqual({ streamtype: "error" });
  });

  test("that make no sense, or too much, are refused", async () => {
    await expect(new HeaderDecompressor().decompress(Buffer.from("nonsense"))).rejects.toThrow();
    await expect(new HeaderDecompressor().decompress(new HeaderCompressor().compress({ a: "x".repeat(20_000) }))).rejects.toThrow(
      "longer than",
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => void decodePairs(Buffer.from(noise))));
  });
});

describe("frames", () => {
  test("are the same however the bytes are cut", () => {
    const bytes = Buffer.concat([
      encodeSynStream(1, Buffer.from("block"), true),
      encodeData(1, Buffer.from("data")),
      encodePing(7),
      encodeRstStream(1, 5),
    ]);
    const whole = new FrameReader().read(bytes);
    expect(whole.map(({ kind }) => kind)).toEqual(["syn-stream", "data", "ping", "rst-stream"]);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (sizes) => {
        const reader = new FrameReader();
        const frames: (Frame | FrameFault)[] = [];
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const size = sizes[turn % sizes.length] as number;
          frames.push(...reader.read(bytes.subarray(at, at + size)));
          at += size;
        }
        expect(frames).toEqual(whole);
      }),
    );
  });

  test("noise is a fault at most", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => void new FrameReader().read(Buffer.from(noise))),
      { numRuns: 2000 },
    );
    const huge = Buffer.alloc(8);
    huge.writeUIntBE(maxFrame + 1, 5, 3);
    expect(new FrameReader().read(huge)).toEqual([{ kind: "fault", message: expect.stringContaining("the limit is") }]);
    expect(new FrameReader().read(Buffer.from([0x80, 2, 0, 1, 0, 0, 0, 0]))).toEqual([{ kind: "fault", message: "SPDY version 2" }]);
    expect(new FrameReader().read(Buffer.from([0x80, 3, 0, 1, 0, 0, 0, 0]))[0]?.kind).toBe("fault");
  });
});

describe("a connection", () => {
  function connected(onStream: (stream: SpdyStream) => void, maxStreams = 10) {
    const [client, transport] = duplexPair();
    const faults: string[] = [];
    const connection = new SpdyConnection({ transport, onStream, maxStreams, onFault: (message) => faults.push(message) });
    const frames: (Frame | FrameFault)[] = [];
    const reader = new FrameReader();
    client.on("data", (chunk: Buffer) => frames.push(...reader.read(chunk)));
    client.on("error", () => undefined);
    const compressor = new HeaderCompressor();
    const open = (id: number, fin = false) => client.write(encodeSynStream(id, compressor.compress({ streamtype: "data" }), fin));
    return { client, connection, frames, faults, open, kinds: () => frames.map(({ kind }) => kind) };
  }

  test("carries data both ways and ends streams one side at a time", async () => {
    const { client, frames, open } = connected((stream) => stream.pipe(stream));
    open(1);
    client.write(encodeData(1, Buffer.from("hello")));
    client.write(encodeData(1, Buffer.alloc(0), true));
    await expect
      .poll(() => frames.filter(({ kind }) => kind === "data"))
      .toEqual([
        { kind: "data", stream: 1, fin: false, data: Buffer.from("hello") },
        { kind: "data", stream: 1, fin: true, data: Buffer.alloc(0) },
      ]);
    expect(frames[0]?.kind).toBe("syn-reply");
  });

  test("answers pings, refuses streams beyond its limit, and resets what is destroyed", async () => {
    const { client, frames, open } = connected((stream) => void (stream.id === 3 && stream.destroy()), 2);
    client.write(encodePing(9));
    for (const id of [1, 3, 5, 7]) open(id);
    await expect.poll(() => frames.filter(({ kind }) => kind === "rst-stream")).toHaveLength(2);
    expect(frames).toContainEqual({ kind: "ping", id: 9 });
    expect(frames).toContainEqual({ kind: "rst-stream", stream: 7, status: 3 });
  });

  test("ends with a fault when the client breaks the protocol", async () => {
    const { connection, faults, open } = connected(() => undefined);
    open(3);
    open(1);
    await connection.closed;
    expect(faults).toEqual(["stream 1 after 3"]);
  });

  test("whatever comes, it ends or waits, and holds nothing", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), async (noise) => {
        const { client, connection } = connected((stream) => stream.resume());
        client.end(Buffer.from(noise));
        await connection.closed;
      }),
      { numRuns: 200 },
    );
  });
});
