import * as fc from "fast-check";
import { expect, test } from "vitest";
import { packRows, unpackRows } from "./protocol.ts";

const revision = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const row = fc.record({
  key: fc.string({ unit: "grapheme" }),
  value: fc.option(fc.uint8Array({ maxLength: 300 })),
  createRevision: revision,
  revision,
});

test("rows come out of the worker's message as they went in", () => {
  fc.assert(
    fc.property(fc.array(row), (rows) => {
      const plain = rows.map((one) => ({ ...one, value: one.value === null ? null : [...one.value] }));
      expect(unpackRows(packRows(rows)).map((one) => ({ ...one, value: one.value === null ? null : [...one.value] }))).toEqual(plain);
    }),
  );
});
