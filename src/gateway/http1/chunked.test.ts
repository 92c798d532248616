import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ChunkedReader } from "./chunked.ts";
import type { Field } from "./fields.ts";

interface Read {
  readonly data: string;
  readonly trailers: readonly string[] | undefined;
  readonly rest: string;
  readonly error: string | undefined;
}

/** Reads `text` in pieces that end at `cuts`. */
function read(text: string, framed: boolean, cuts: readonly number[] = []): Read {
  let data = "";
  let trailers: readonly Field[] | undefined;
  const reader = new ChunkedReader({ data: (bytes) => (data += bytes.toString("latin1")), end: (fields) => (trailers = fields) }, framed);
  const edges = [...new Set([0, ...cuts, text.length])].toSorted((a, b) => a - b);
  for (let index = 1; index < edges.length; index++) {
    const [from, to] = [edges[index - 1] as number, edges[index] as number];
    const result = reader.push(Buffer.from(text.slice(from, to), "latin1"));
    if (result.kind === "malformed") return { data, trailers: undefined, rest: "", error: result.why };
    if (result.kind === "end")
      return {
        data,
        trailers: trailers?.map(({ name, value }) => `${name}=${value}`),
        rest: text.slice(from + result.used),
        error: undefined,
      };
  }
  return { data, trailers: undefined, rest: "", error: undefined };
}

test("data, trailers and what follows", () => {
  const text = "5\r\nhello\r\nA\r\n, world...\r\n0\r\nX-Sum: 1\r\nContent-Length: 3\r\nHost: x\r\n\r\nGET /";
  expect(read(text, false)).toEqual({ data: "hello, world...", trailers: ["x-sum=1"], rest: "GET /", error: undefined });
  expect(read(text, true)).toEqual({ data: "5\r\nhello\r\nA\r\n, world...\r\n", trailers: ["x-sum=1"], rest: "GET /", error: undefined });
});

test("extensions are dropped", () => {
  const text = '5;a;b=c;d="e\\"f"\r\nhello\r\n3 ; x\r\nabc\r\n0;last\r\n\r\n';
  expect(read(text, true)).toMatchObject({ data: "5\r\nhello\r\n3\r\nabc\r\n", trailers: [], error: undefined });
});

describe("refused", () => {
  test.for([
    ["no size", "\r\nhello"],
    ["an empty size with extension", ";x\r\nhello"],
    ["a sign", "+5\r\nhello\r\n"],
    ["0x", "0x5\r\nhello\r\n"],
    ["white space first", " 5\r\nhello\r\n"],
    ["a bare LF after the size", "5\nhello\r\n"],
    ["a bare CR after the size", "5\rhello\r\n"],
    ["a bare LF after the chunk", "5\r\nhello\n0\r\n\r\n"],
    ["a longer chunk", "5\r\nhello!\r\n0\r\n\r\n"],
    ["a size that overflows", "fffffffffffffffff\r\n"],
    ["a wrapping size", "100000000000000005\r\nhello\r\n"],
    ["a line feed in an extension", "5;a\nb\r\nhello\r\n"],
    ["an extension without a name", "5;\r\nhello\r\n"],
    ["an open quote", '5;a="b\r\nhello\r\n'],
    ["a long extension", `5;${"a".repeat(2000)}\r\nhello\r\n`],
    ["a bare LF in the trailer", "0\r\nX: y\n\r\n"],
    ["a folded trailer", "0\r\nX: y\r\n z\r\n\r\n"],
    ["no colon in the trailer", "0\r\nGET / HTTP/1.1\r\n\r\n"],
    ["a long trailer", `0\r\n${"X: y\r\n".repeat(2000)}\r\n`],
  ])("%s", ([, text]) => {
    expect(read(text as string, false).error).toBeTypeOf("string");
    expect(read(text as string, true).error).toBeTypeOf("string");
  });
});

const chunk = fc.tuple(
  fc.string({ minLength: 1, maxLength: 40, unit: "binary-ascii" }),
  fc.constantFrom("", ";a", ';a="b;c"', " ;x=y"),
  fc.boolean(),
);
const body = fc.record({
  chunks: fc.array(chunk, { maxLength: 6 }),
  trailers: fc.array(fc.constantFrom("a: b", "x-y:z"), { maxLength: 2 }),
});

test("whatever the pieces: the same data, and framed output that reads as the same data", () => {
  fc.assert(
    fc.property(
      body,
      fc.array(fc.nat(400), { maxLength: 12 }),
      fc.constantFrom("", "GET / HTTP/1.1\r\n"),
      ({ chunks, trailers }, cuts, rest) => {
        const lines = chunks.map(([data, extension, upper]) => {
          const size = data.length.toString(16);
          return `${upper ? size.toUpperCase() : size}${extension}\r\n${data}\r\n`;
        });
        const text = `${lines.join("")}0\r\n${trailers.map((line) => `${line}\r\n`).join("")}\r\n${rest}`;
        const data = chunks.map(([each]) => each).join("");
        const inside = cuts.filter((cut) => cut < text.length);
        expect(read(text, false, inside)).toMatchObject({ data, rest, error: undefined });
        const framed = read(text, true, inside);
        expect(framed).toMatchObject({ rest, error: undefined });
        // Extensions are dropped; what looks like one in the data stays.
        if (!data.includes(";a")) expect(framed.data).not.toContain(";a\r\n");
        expect(read(`${framed.data}0\r\n\r\n`, false)).toMatchObject({ data, rest: "", error: undefined });
      },
    ),
    { numRuns: 400 },
  );
});

test("any bytes: an end, an error, or more; never more data than came", () => {
  const piece = fc.constantFrom("5", "0", "\r\n", "\r", "\n", "hello", ";", "a=b", '"', " ", "f", "\0", "ÿ");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), fc.boolean(), fc.array(fc.nat(40)), (pieces, framed, cuts) => {
      const text = pieces.join("");
      const whole = read(text, framed);
      const cut = read(
        text,
        framed,
        cuts.filter((at) => at < text.length),
      );
      expect(cut.data.length).toBeLessThanOrEqual(text.length + 20);
      expect([cut.error === undefined, cut.rest]).toEqual([whole.error === undefined, whole.rest]);
      if (whole.error === undefined && !framed) expect(cut.data).toBe(whole.data);
    }),
    { numRuns: 500 },
  );
});
