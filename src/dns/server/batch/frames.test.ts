import fc from "fast-check";
import { expect, test } from "vitest";
import { FrameReader, FrameWriter } from "./frames.ts";

test("what was written is read, in its order; a writer may be used again", () => {
  const part = fc.oneof(
    fc.record({ kind: fc.constant("number" as const), value: fc.double({ noNaN: true }) }),
    fc.record({ kind: fc.constant("bytes" as const), value: fc.uint8Array({ maxLength: 3000 }) }),
    fc.record({ kind: fc.constant("text" as const), value: fc.string({ unit: "grapheme", maxLength: 60 }) }),
  );
  const writer = new FrameWriter();
  fc.assert(
    fc.property(fc.array(part, { maxLength: 40 }), (parts) => {
      for (const { kind, value } of parts) {
        if (kind === "number") writer.number(value);
        else if (kind === "bytes") writer.bytes(value);
        else writer.text(value);
      }
      const reader = new FrameReader(writer.take());
      for (const { kind, value } of parts) {
        const read = kind === "number" ? reader.number() : kind === "bytes" ? Uint8Array.from(reader.bytes()) : reader.text();
        expect(read).toEqual(value);
      }
      expect([reader.done, writer.empty]).toEqual([true, true]);
    }),
  );
});
