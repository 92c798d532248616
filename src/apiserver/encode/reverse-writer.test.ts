import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ReverseWriter } from "./reverse-writer.ts";

test("pieces of any size stand in the opposite order, wherever the room ends", () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 3000 }).map((bytes) => ({ bytes, write: (out: ReverseWriter) => out.raw(bytes) })),
    fc
      .string({ maxLength: 900 })
      .map((text) => ({ bytes: delimited(Buffer.from(text)), write: (out: ReverseWriter) => out.text(1, text) })),
    fc.double({ noNaN: true }).map((value) => {
      const bytes = Buffer.alloc(9, 9);
      bytes.writeDoubleLE(value, 1);
      return { bytes, write: (out: ReverseWriter) => out.double(1, value) };
    }),
    fc.nat(0xffffffff).map((value) => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(value);
      return { bytes, write: (out: ReverseWriter) => out.fixed32BigEndian(value) };
    }),
    fc.nat(127).map((value) => ({ bytes: Buffer.from([8, value]), write: (out: ReverseWriter) => out.integer(1, value) })),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      const out = new ReverseWriter();
      for (const { write } of pieces) write(out);
      expect(Buffer.compare(out.bytes(), Buffer.concat(pieces.map(({ bytes }) => bytes).reverse()))).toBe(0);
    }),
    { numRuns: 500 },
  );
});

function delimited(bytes: Buffer): Buffer {
  const size = bytes.length < 128 ? [bytes.length] : [(bytes.length & 127) | 128, bytes.length >> 7];
  return Buffer.concat([Buffer.from([10, ...size]), bytes]);
}
