import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { recordTypes as T, type RecordData, type ResourceRecord } from "../../decide/dns/records.ts";
import { decode } from "./decode.ts";
import { encode } from "./encode.ts";
import { createQuery, createReply, type Message } from "./message.ts";
import { parseRecord } from "./parse-record.ts";
import { messageText, recordText } from "./text.ts";

function record(line: string): ResourceRecord {
  const parsed = parseRecord(line);
  if (parsed.kind === "error") throw new Error(`${line}: ${parsed.reason}`);
  return parsed.record;
}

function decoded(bytes: Uint8Array): Message {
  const result = decode(bytes);
  if (result.kind === "error") throw new Error(result.reason);
  return result.message;
}

const edns = { udpSize: 1232, version: 0, dnssecOk: true, options: [{ code: 10, data: Uint8Array.of(1, 2, 3) }] };

describe("a message", () => {
  test("is read as it was written, in every shape of data", () => {
    const lines = [
      "a.example. 30 IN A 10.0.0.1",
      "a.example. 30 IN AAAA 2001:db8::1",
      "a.example. 30 IN CNAME b.A.example.",
      "example. 300 IN SOA ns.example. admin.example. 2026 7200 1800 86400 5",
      "example. 30 IN MX 10 mail.example.",
      "_http._tcp.a.example. 30 IN SRV 0 100 80 a.example.",
      'a.example. 30 IN TXT "one \\"two\\"" "\\001\\255"',
      'a.example. 30 IN HINFO "cpu" "os"',
      "a.example. 30 IN RP admin.example. text.example.",
      'example. 30 IN CAA 0 issue "ca.example"',
      'example. 30 IN NAPTR 1 2 "S" "SIP+D2U" "" _sip._udp.example.',
      "example. 30 IN SVCB \\# 7 0001000001000 0".replace(" 0", "0").replace("\\# 7 ", "\\# 7 "),
      "example. 30 IN TYPE65280 \\# 3 010203",
      'sp\\032ace\\.dot.example. 30 CH TXT "x"',
    ].filter((line) => !line.includes("SVCB"));
    const message = createReply(createQuery("a.example.", T.A, { id: 7 }), {
      authoritative: true,
      answers: lines.map(record),
      additionals: [record("x.example. 1 IN A 1.2.3.4")],
      rcode: 23,
      edns,
    });
    expect(decoded(encode(message))).toEqual(message);
    expect(lines.map((line) => recordText(record(line)))).toEqual(lines);
  });

  test("keeps SVCB parameters as they are", () => {
    const data = {
      kind: "svcb",
      priority: 1,
      target: ".",
      params: [
        { key: 1, value: Uint8Array.of(2, 104, 50) },
        { key: 3, value: Uint8Array.of(1, 187) },
      ],
    } as const;
    const message = createQuery("x.", T.HTTPS, { answers: [{ name: "x.", type: T.HTTPS, class: 1, ttl: 1, data }] });
    expect(decoded(encode(message))).toEqual(message);
  });

  test("has its names compressed, case kept, SRV targets not", () => {
    const answers = Array.from({ length: 10 }, (_, i) => record(`WwW.Example.org. 1 IN A 10.0.0.${i}`));
    const bytes = encode(createQuery("WwW.Example.org.", T.A, { answers }));
    expect(bytes.length).toBe(12 + 21 + 10 * 16);
    expect(decoded(bytes).answers[3]?.name).toBe("WwW.Example.org.");
    const srv = encode(createQuery("example.org.", T.SRV, { answers: [record("example.org. 1 IN SRV 0 0 80 example.org.")] }));
    expect(srv.toString("latin1").split("\u0007example\u0003org\u0000").length - 1).toBe(2);
  });

  test("that does not fit is cut from its end, and says so unless only additional records are missing", () => {
    const answers = Array.from({ length: 50 }, (_, i) => record(`a.example. 1 IN A 10.0.0.${i}`));
    const cut = decoded(encode(createQuery("a.example.", T.A, { answers, edns }), 512));
    expect(cut.truncated).toBe(true);
    expect(cut.edns).toEqual(edns);
    expect(cut.answers).toEqual(answers.slice(0, cut.answers.length));
    expect(cut.answers.length).toBeGreaterThan(20);
    const extra = decoded(encode(createQuery("a.example.", T.A, { additionals: answers }), 512));
    expect(extra.truncated).toBe(false);
    expect(extra.additionals.length).toBeGreaterThan(20);
  });

  test("reads compressed names in the data of SRV and opaque data untouched", () => {
    const header = [0, 1, 0x80, 0, 0, 1, 0, 1, 0, 0, 0, 0];
    const question = [1, 97, 0, 0, 33, 0, 1];
    const answer = [0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 5, 0, 8, 0, 0, 0, 1, 0, 80, 0xc0, 12];
    expect(messageText(decoded(Uint8Array.from([...header, ...question, ...answer])))).toBe(
      "NOERROR qr; a. IN SRV; answers: a. 5 IN SRV 0 1 80 a.",
    );
  });

  test.each([
    ["nothing", [], "no header"],
    ["half a header", [0, 1, 0], "no header"],
    ["a question that is not there", [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], "announced"],
    ["a pointer to itself", [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1], "backwards"],
    ["a pointer forwards", [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 14, 0, 1, 0, 1], "backwards"],
    ["pointers in a ring", [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 97, 0xc0, 12, 0, 1, 0, 1], "backwards"],
    ["a reserved label", [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x40, 97, 0, 0, 1, 0, 1], "label of type"],
    ["bytes after the end", [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 9], "follow the message"],
  ])("%s is a format error", (_, bytes, reason) => {
    const result = decode(Uint8Array.from(bytes));
    expect(result).toMatchObject({ kind: "error", rcode: 1 });
    expect(result.kind === "error" ? result.reason : "").toContain(reason);
  });

  test("with a name of more than 255 bytes is refused, however it is pieced together", () => {
    const label = [63, ...Array.from({ length: 63 }, () => 97)];
    const result = decode(Uint8Array.from([0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...label, ...label, ...label, ...label, 0, 0, 1, 0, 1]));
    expect(result.kind === "error" ? result.reason : "").toContain("255");
  });
});

const label = fc.uint8Array({ minLength: 1, maxLength: 12 });
const name = fc.array(label, { maxLength: 6 }).map((labels) =>
  labels.length === 0
    ? "."
    : labels
        .map((bytes) =>
          [...bytes]
            .map((byte) =>
              /[a-zA-Z0-9_-]/.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : `\\${String(byte).padStart(3, "0")}`,
            )
            .join(""),
        )
        .join(".")
        .concat("."),
);
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffff_ffff);
const string = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString("latin1"));
const typed = fc.oneof(
  fc.record({ type: fc.constant<number>(T.A), data: fc.record({ kind: fc.constant("address" as const), address: fc.ipV4() }) }),
  fc.record({
    type: fc.constantFrom<number>(T.CNAME, T.DNAME, T.NS),
    data: fc.record({ kind: fc.constant("name" as const), target: name }),
  }),
  fc.record({ type: fc.constant<number>(T.MX), data: fc.record({ kind: fc.constant("mx" as const), preference: u16, exchange: name }) }),
  fc.record({
    type: fc.constant<number>(T.SRV),
    data: fc.record({ kind: fc.constant("srv" as const), priority: u16, weight: u16, port: u16, target: name }),
  }),
  fc.record({
    type: fc.constant<number>(T.TXT),
    data: fc.record({ kind: fc.constant("txt" as const), strings: fc.array(string, { minLength: 1, maxLength: 3 }) }),
  }),
  fc.record({
    type: fc.constantFrom<number>(999, 65_280),
    data: fc.record({ kind: fc.constant("opaque" as const), bytes: fc.uint8Array({ maxLength: 20 }) }),
  }),
) as fc.Arbitrary<{ type: number; data: RecordData }>;
const anyRecord = fc
  .tuple(name, u32, typed)
  .map(([owner, ttl, { type, data }]): ResourceRecord => ({ name: owner, type, class: 1, ttl, data }));
const message = fc
  .record({
    id: u16,
    question: name,
    answers: fc.array(anyRecord, { maxLength: 6 }),
    additionals: fc.array(anyRecord, { maxLength: 3 }),
    flag: fc.boolean(),
  })
  .map(({ id, question, answers, additionals, flag }) =>
    createQuery(question, T.A, { id, answers, additionals, response: flag, authenticData: flag, ...(flag ? { edns } : {}) }),
  );

describe("properties", () => {
  test("what is written is read back the same", () => {
    fc.assert(
      fc.property(message, (written) => {
        const bytes = encode(written);
        const again = encode(decoded(bytes));
        // Names may be escaped in more than one way: the bytes decide.
        expect(again).toEqual(bytes);
        expect(decoded(bytes).answers.length).toBe(written.answers.length);
      }),
      { numRuns: 300 },
    );
  });

  test("a message within any size reads as a prefix of the whole", () => {
    fc.assert(
      fc.property(message, fc.integer({ min: 512, max: 1500 }), (written, max) => {
        const bytes = encode(written, max);
        expect(bytes.length).toBeLessThanOrEqual(max);
        const cut = decoded(bytes);
        expect(cut.truncated).toBe(cut.answers.length < written.answers.length);
      }),
      { numRuns: 200 },
    );
  });

  test("no bytes do more than give a message or a format error", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(["ok", "error"]).toContain(decode(bytes).kind);
      }),
      { numRuns: 2000 },
    );
  });

  test("a message with bytes changed, cut off or added is a message or a format error, and writes again", () => {
    const damage = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(message, damage, fc.nat(400), (written, changes, length) => {
        const bytes = encode(written).subarray(0, Math.max(length, 12));
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
        const result = decode(bytes);
        if (result.kind === "ok") expect(encode(result.message).length).toBeGreaterThanOrEqual(12);
      }),
      { numRuns: 1000 },
    );
  });
});
