import fc from "fast-check";
import { expect, test } from "vitest";
import { addressRecord, classes, recordTypes, type ResourceRecord } from "../records.ts";
import { applyIncremental, changesSince, IncrementalReader, incrementalRecords, zoneChange } from "./zone-changes.ts";

const soa = (serial: number): ResourceRecord => ({
  name: "example.org.",
  type: recordTypes.SOA,
  class: classes.IN,
  ttl: 60,
  data: { kind: "soa", mname: "ns.", rname: "admin.", serial, refresh: 1, retry: 1, expire: 1, minimum: 1 },
});

const record = fc
  .tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 5 }))
  .map(([host, end]) => addressRecord(`h${host}.example.org.`, 60, `10.0.0.${end}`));
const unique = (records: readonly ResourceRecord[]) => [...new Map(records.map((one) => [JSON.stringify(one), one])).values()];
const versions = fc.array(fc.array(record, { maxLength: 12 }).map(unique), { minLength: 2, maxLength: 6 });
const sorted = (records: readonly ResourceRecord[]) => records.map((one) => JSON.stringify(one)).toSorted();

test("the changes since any version make the newest of it, however the answer is cut into messages", () => {
  fc.assert(
    fc.property(versions, fc.nat(), (list, pick) => {
      const zones = list.map((records, i) => ({ soa: soa(i + 1), records: [soa(i + 1), ...records] }));
      const changes = zones.slice(1).map((zone, i) => zoneChange(zones[i] as (typeof zones)[number], zone));
      const from = pick % (zones.length - 1);
      const answer = incrementalRecords(changesSince(changes, from + 1) ?? []);
      const reader = new IncrementalReader();
      for (const [i, one] of answer.entries()) {
        expect(reader.done, `before record ${i}`).toBe(false);
        reader.add(one);
      }
      expect([reader.done, reader.kind]).toEqual([true, "incremental"]);
      const applied = applyIncremental(zones[from]?.records ?? [], reader.records);
      expect(applied.kind === "zone" ? sorted(applied.records) : applied.reason).toEqual(sorted(zones.at(-1)?.records ?? []));
    }),
  );
});

test("a version that is not known has no changes; changes that do not fit are refused", () => {
  const [one, two] = [
    { soa: soa(1), records: [soa(1), addressRecord("a.example.org.", 60, "10.0.0.1")] },
    { soa: soa(2), records: [soa(2)] },
  ];
  const answer = incrementalRecords([zoneChange(one, two)]);
  expect(changesSince([zoneChange(one, two)], 7)).toBeUndefined();
  expect(applyIncremental([soa(1)], answer)).toMatchObject({ kind: "error", reason: expect.stringContaining("not here") as string });
  expect(applyIncremental([soa(9)], answer)).toMatchObject({ kind: "error", reason: expect.stringContaining("version 1") as string });
});

test("an answer that is whole, and one that says there is nothing newer", () => {
  const whole = new IncrementalReader();
  for (const one of [soa(2), addressRecord("a.example.org.", 60, "10.0.0.1"), soa(2)]) whole.add(one);
  expect([whole.kind, whole.done]).toEqual(["whole", true]);
  const current = new IncrementalReader();
  current.add(soa(2));
  current.endOfMessage(1);
  expect(current.done).toBe(false);
  current.endOfMessage(2);
  expect([current.kind, current.done]).toEqual(["current", true]);
});
