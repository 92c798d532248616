import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { realClock } from "../../../lib/clock.ts";
import { cpuProfile, heapProfile } from "./collect.ts";
import { encodeProfile, type Profile } from "./profile.ts";

interface Field {
  readonly number: number;
  readonly value: number | Buffer;
}

/** Protocol buffers, as far as `profile.proto` needs them: varints and bytes. */
function fieldsOf(bytes: Buffer): readonly Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++] as number;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(value);
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    if ((tag & 7) === 0) fields.push({ number: tag >> 3, value: varint() });
    else {
      const length = varint();
      fields.push({ number: tag >> 3, value: bytes.subarray(at, (at += length)) });
    }
  }
  return fields;
}

const all = (fields: readonly Field[], number: number) => fields.filter((field) => field.number === number).map(({ value }) => value);
const bytesOf = (value: number | Buffer | undefined): Buffer => (Buffer.isBuffer(value) ? value : Buffer.alloc(0));

function varintsOf(bytes: Buffer): readonly number[] {
  const wrapped = [...bytes].reduce<{ readonly list: number[]; value: number; shift: number }>(
    (state, byte) => {
      state.value += (byte & 0x7f) * 2 ** state.shift;
      state.shift += 7;
      if (byte < 0x80) {
        state.list.push(state.value);
        state.value = 0;
        state.shift = 0;
      }
      return state;
    },
    { list: [], value: 0, shift: 0 },
  );
  return wrapped.list;
}

test("a profile is what google/pprof's profile.proto says: stacks from the leaf on, strings once, the first empty", () => {
  const [leaf, root] = [
    { name: "leaf", file: "a.js", line: 7 },
    { name: "", file: "b.js", line: 1 },
  ];
  const profile: Profile = {
    types: [
      { type: "samples", unit: "count" },
      { type: "cpu", unit: "nanoseconds" },
    ],
    samples: [
      { stack: [leaf, root], values: [3, 300_000] },
      { stack: [root], values: [1, 2 ** 40] },
    ],
    period: 1000,
    timeNanos: 5e9,
    durationNanos: 1e9,
  };
  const fields = fieldsOf(gunzipSync(encodeProfile(profile)));
  const strings = all(fields, 6).map((value) => bytesOf(value).toString());
  expect(strings[0]).toBe("");
  expect(new Set(strings).size).toBe(strings.length);
  const types = all(fields, 1).map((value) => fieldsOf(bytesOf(value)).map((one) => strings[one.value as number]));
  expect(types).toEqual([
    ["samples", "count"],
    ["cpu", "nanoseconds"],
  ]);
  const functions = new Map(
    all(fields, 5).map((value): [number, string] => {
      const own = fieldsOf(bytesOf(value));
      return [all(own, 1)[0] as number, strings[all(own, 2)[0] as number] ?? ""];
    }),
  );
  const locations = new Map(
    all(fields, 4).map((value): [number, string] => {
      const own = fieldsOf(bytesOf(value));
      const line = fieldsOf(bytesOf(all(own, 4)[0]));
      return [all(own, 1)[0] as number, `${functions.get(all(line, 1)[0] as number)}:${String(all(line, 2)[0])}`];
    }),
  );
  const samples = all(fields, 2).map((value) => {
    const own = fieldsOf(bytesOf(value));
    return [varintsOf(bytesOf(all(own, 1)[0])).map((id) => locations.get(id)), varintsOf(bytesOf(all(own, 2)[0]))];
  });
  expect(samples).toEqual([
    [
      ["leaf:7", "(anonymous):1"],
      [3, 300_000],
    ],
    [["(anonymous):1"], [1, 2 ** 40]],
  ]);
  expect([all(fields, 9), all(fields, 10), all(fields, 12)]).toEqual([[5e9], [1e9], [1000]]);
});

test("the profiler sees what runs, and what stays allocated", { timeout: 60_000 }, async () => {
  const kept: object[] = [];
  const busy = setInterval(function burn() {
    for (let i = 0; i < 20_000; i++) kept.push({ i, text: `object ${i}` });
  }, 1);
  const named = (profile: Profile) => profile.samples.flatMap(({ stack }) => stack.map(({ name }) => name));
  expect(named(await cpuProfile(0.5, realClock))).toContain("burn");
  expect(named(await heapProfile(0.5, realClock))).toContain("burn");
  clearInterval(busy);
  expect(kept.length).toBeGreaterThan(0);
});
