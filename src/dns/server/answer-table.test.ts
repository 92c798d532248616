import { describe, expect, test } from "vitest";
import { recordTypes as T } from "../../decide/dns/records.ts";
import { decode } from "../wire/decode.ts";
import { encode } from "../wire/encode.ts";
import { createQuery, createReply } from "../wire/message.ts";
import { parseRecord } from "../wire/parse-record.ts";
import { recordText } from "../wire/text.ts";
import { AskedBefore } from "./asked-before.ts";
import { AnswerTable, copyAnswer } from "./answer-table.ts";
import { Cookies } from "./cookies.ts";
import { rotationOf } from "./rotation.ts";

type Listener = (tag: string | undefined) => void;

function changes() {
  const listeners = new Set<Listener>();
  const source = {
    onChange(listener: Listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  return { source, listeners, tell: (tag: string | undefined) => listeners.forEach((listener) => listener(tag)) };
}

const packet = (name: string, id = 1) => encode(createQuery(name, T.A, { id }));
const find = (table: AnswerTable, bytes: Uint8Array, now = 0) => table.find(bytes, bytes.length, now);
const recordOf = (line: string) => {
  const parsed = parseRecord(line);
  if (parsed.kind === "error") throw new Error(parsed.reason);
  return parsed.record;
};
const answer = (...lines: readonly string[]) => {
  const answers = lines.map(recordOf);
  return encode(createReply(createQuery("a.", T.A, { id: 1 }), { answers }));
};

describe("a table of answers", () => {
  test("finds by question whatever the id, and patches it", () => {
    const table = new AnswerTable();
    const bytes = answer("a. 5 IN A 10.0.0.1");
    table.put(packet("a."), bytes, { holds: { until: "time", ms: 1000 } }, 0);
    const entry = find(table, packet("a.", 0x1234));
    const target = new Uint8Array(512);
    expect(entry === undefined ? 0 : copyAnswer(entry, packet("a.", 0x1234), target, 0, 0)).toBe(bytes.length);
    expect([target[0], target[1]]).toEqual([0x12, 0x34]);
    expect(find(table, packet("A."))).toBeUndefined();
    expect(find(table, packet("a."), 1000)).toBeUndefined();
  });

  test("drops what a change concerns, all of it when nobody knows what, and follows a source once", () => {
    const { source, listeners, tell } = changes();
    const table = new AnswerTable();
    const put = (name: string, tag: string) => table.put(packet(name), answer(), { holds: { until: "change", tag, source } }, 0);
    put("a.", "x");
    put("b.", "y");
    expect(listeners.size).toBe(1);
    tell("x");
    expect([find(table, packet("a.")), find(table, packet("b."))?.tag]).toEqual([undefined, "y"]);
    put("a.", "x");
    expect(find(table, packet("a."))?.live).toBe(true);
    tell(undefined);
    expect([find(table, packet("a.")), find(table, packet("b."))]).toEqual([undefined, undefined]);
    table.close();
    expect(listeners.size).toBe(0);
  });

  test("tells how often an answer was sent when it goes, replaced or cleared", () => {
    const told: number[][] = [];
    const table = new AnswerTable({ leaves: ({ id, times }) => told.push([id, times]) });
    const put = (name: string, id: number) => table.put(packet(name), answer(), { holds: { until: "time", ms: 1 }, id }, 0);
    const send = (name: string) => {
      const entry = find(table, packet(name));
      if (entry !== undefined) copyAnswer(entry, packet(name), new Uint8Array(512), 0, 0);
    };
    put("a.", 1);
    put("b.", 2);
    for (const name of ["a.", "b.", "a."]) send(name);
    put("a.", 3);
    expect(told).toEqual([[1, 2]]);
    table.clear();
    expect(told.slice(1)).toEqual([
      [3, 0],
      [2, 1],
    ]);
  });

  test("an answer is kept when its question comes again; made-up names push nobody out", () => {
    const asked = new AskedBefore();
    expect([asked.again(packet("a.")), asked.again(packet("a.", 9)), asked.again(packet("b."))]).toEqual([false, true, false]);
    const names = Array.from({ length: 10_000 }, (_, i) => packet(`name-${i}.`));
    for (const name of names) asked.again(name);
    const missed = names.filter((name) => !asked.again(name));
    expect(missed.length).toBeLessThan(100);
    let again = 0;
    for (let i = 0; i < 10_000; i++) if (asked.again(packet(`made-up-${i}.`))) again++;
    // Two of 32 bits may be the same by chance, not many.
    expect(again).toBeLessThan(5);
  });

  test("counts TTLs down by the second, from where they stood, in every section", () => {
    const bytes = encode({
      ...createReply(createQuery("a.", T.A, { id: 1 }), {
        answers: ["a. 30 IN CNAME b.", "b. 30 IN A 10.0.0.1"].map(recordOf),
        additionals: [recordOf("b. 5 IN AAAA ::1")],
      }),
      edns: { version: 0, udpSize: 1232, dnssecOk: false, options: [] },
    });
    const table = new AnswerTable();
    table.put(packet("a."), bytes, { holds: { until: "time", ms: 29_400, sinceSecond: 600 } }, 1000);
    const at = (now: number) => {
      const target = new Uint8Array(512);
      const entry = find(table, packet("a."), now);
      const length = entry === undefined ? 0 : copyAnswer(entry, packet("a."), target, 0, now);
      const decoded = decode(target.subarray(0, length));
      if (decoded.kind === "error") return decoded.reason;
      const { answers, additionals, edns } = decoded.message;
      return [...answers, ...additionals].map(({ ttl }) => ttl).concat(edns?.udpSize ?? 0);
    };
    expect(at(1399)).toEqual([30, 30, 5, 1232]);
    expect(at(1400)).toEqual([29, 29, 4, 1232]);
    expect(at(20_500)).toEqual([10, 10, 0, 1232]);
    expect(find(table, packet("a."), 30_400)).toBeUndefined();
  });

  test("has a bound in number and bytes", () => {
    const table = new AnswerTable({ capacity: 100, maxBytes: 1 << 20 });
    for (let i = 0; i < 1000; i++) table.put(packet(`n${i}.`), answer("a. 5 IN A 10.0.0.1"), { holds: { until: "time", ms: 1000 } }, 0);
    expect(table.size).toBeLessThanOrEqual(100);
    expect(find(table, packet("n999."))).toBeDefined();
  });
});

describe("rotation", () => {
  const texts = (bytes: Uint8Array) => {
    const decoded = decode(bytes);
    return decoded.kind === "ok" ? decoded.message.answers.map(recordText) : [];
  };

  test("each address takes its turn at the front; an alias stays there", () => {
    const bytes = answer("a. 5 IN CNAME b.", "b. 5 IN A 10.0.0.1", "b. 5 IN A 10.0.0.2", "b. 5 IN A 10.0.0.3");
    const table = new AnswerTable();
    table.put(packet("a."), bytes, { holds: { until: "time", ms: 1 }, rotate: true }, 0);
    const entry = find(table, packet("a."));
    if (entry === undefined) throw new Error("not found");
    const orders = [0, 1, 2].map((turn) => {
      const target = new Uint8Array(bytes.length);
      copyAnswer(entry, packet("a."), target, turn, 0);
      return texts(target);
    });
    expect(orders.map(([first]) => first)).toEqual(Array.from({ length: 3 }, () => "a. 5 IN CNAME b."));
    expect(new Set(orders.map(([, second]) => second)).size).toBe(3);
    for (const order of orders) expect([...order].sort()).toEqual([...texts(bytes)].sort());
  });

  test("needs two addresses of one size", () => {
    expect(rotationOf(answer("a. 5 IN A 10.0.0.1"))).toBeUndefined();
    expect(rotationOf(answer("a. 5 IN TXT x", "a. 5 IN TXT y"))).toBeUndefined();
    expect(rotationOf(answer("a. 5 IN AAAA ::1", "a. 5 IN AAAA ::2"))?.count).toBe(2);
  });
});

test("a cookie is known again, for its address and its time only", () => {
  let now = 1_000_000;
  const cookies = new Cookies({ now: () => now, secret: new Uint8Array(32) });
  const client = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  const first = cookies.check(client, "10.0.0.1");
  expect(first).toMatchObject({ kind: "cookie", known: false });
  const whole = first.kind === "cookie" ? first.reply : client;
  expect(whole.length).toBe(24);
  expect(cookies.check(whole, "10.0.0.1")).toMatchObject({ known: true });
  expect(cookies.check(whole, "10.0.0.2")).toMatchObject({ known: false });
  now += 3_700_000;
  expect(cookies.check(whole, "10.0.0.1")).toMatchObject({ known: false });
  for (const length of [0, 7, 9, 15, 41]) expect(cookies.check(new Uint8Array(length), "10.0.0.1").kind).toBe("malformed");
});
