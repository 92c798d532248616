import fc from "fast-check";
import { expect, test } from "vitest";
import { RecordEdges } from "./tls-records.ts";

const record = (length: number) => Buffer.concat([Buffer.from([23, 3, 3, length >> 8, length & 255]), Buffer.alloc(length, 23)]);

test("one whole record is told from parts and from several, however what came was cut", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 8 }),
      fc.array(fc.nat(2000), { maxLength: 8 }),
      (lengths, cuts) => {
        const all = Buffer.concat(lengths.map(record));
        const starts = new Set([0]);
        for (const length of lengths) starts.add(Math.max(...starts) + length + 5);
        const edges = [...new Set([0, ...cuts.filter((cut) => cut < all.length), all.length])].toSorted((a, b) => a - b);
        const records = new RecordEdges();
        for (let index = 1; index < edges.length; index++) {
          const [from, to] = [edges[index - 1] as number, edges[index] as number];
          const inside = [...starts].filter((start) => start > from && start < to).length;
          expect(records.push(all.subarray(from, to))).toBe(starts.has(from) && starts.has(to) && inside === 0);
        }
      },
    ),
  );
});
