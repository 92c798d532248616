import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { defaultHeadLimits, parseRequestHead } from "./request-head.ts";
import { parseResponseHead } from "./response-head.ts";

const parse = (text: string) => parseRequestHead(Buffer.from(text, "latin1"));
/** With what the field lines say beside what the first line says. */
const flat = (head: ReturnType<typeof parse>) => (head.kind === "request" ? { ...head.block, ...head } : head);
const request = (line: string, ...fields: string[]) => parse([line, ...fields, "", ""].join("\r\n"));

test("a request", () => {
  const text =
    "POST /a/%7Eb?x=1 HTTP/1.1\r\nHost: Shop.test:8080\r\nContent-Length: 5\r\nConnection: X-Own, keep-alive\r\nx-own:  1 \r\n\r\n";
  expect(flat(parse(`\r\n${text}hello`))).toMatchObject({
    kind: "request",
    method: "POST",
    path: "/a/~b",
    query: "?x=1",
    authority: "Shop.test:8080",
    minorVersion: 1,
    body: { kind: "length", length: 5 },
    connection: ["x-own", "keep-alive"],
    keepAlive: true,
    upgrade: undefined,
    bytes: text.length + 2,
    fields: [{ name: "host" }, { name: "content-length" }, { name: "connection" }, { name: "x-own", value: "1" }],
  });
});

test.for([
  ["HTTP/1.0 closes", "GET / HTTP/1.0", [], { minorVersion: 0, keepAlive: false, authority: "" }],
  ["HTTP/1.0 may stay", "GET / HTTP/1.0", ["Connection: keep-alive"], { keepAlive: true }],
  ["HTTP/1.1 may close", "GET / HTTP/1.1", ["Host: a", "Connection: close"], { keepAlive: false }],
  [
    "an absolute target names the host",
    "GET http://b.test:81/x?y HTTP/1.1",
    ["Host: a"],
    { authority: "b.test:81", path: "/x", query: "?y" },
  ],
  ["an absolute target without path", "GET http://b.test?y HTTP/1.1", ["Host: b.test"], { path: "/", query: "?y" }],
  ["OPTIONS *", "OPTIONS * HTTP/1.1", ["Host: a"], { path: "*" }],
  ["an upgrade", "GET / HTTP/1.1", ["Host: a", "Connection: Upgrade", "Upgrade: websocket"], { upgrade: "websocket" }],
  ["Upgrade without Connection is none", "GET / HTTP/1.1", ["Host: a", "Upgrade: websocket"], { upgrade: undefined }],
  ["chunked in any case", "POST / HTTP/1.1", ["Host: a", "Transfer-Encoding: Chunked"], { body: { kind: "chunked" } }],
  ["bytes beyond ASCII in a value", "GET / HTTP/1.1", ["Host: a", "X: \xe9"], { kind: "request" }],
  ["an empty Host", "GET / HTTP/1.1", ["Host:"], { authority: "" }],
  ["IPv6", "GET / HTTP/1.1", ["Host: [::1]:80"], { authority: "[::1]:80" }],
] as const)("%s", ([, line, fields, wanted]) => expect(flat(request(line, ...fields))).toMatchObject(wanted));

describe("refused", () => {
  const host = "Host: a";
  test.for([
    ["no Host", 400, ["GET / HTTP/1.1"]],
    ["two Hosts", 400, ["GET / HTTP/1.1", host, "host: b"]],
    ["two equal Hosts", 400, ["GET / HTTP/1.1", host, host]],
    ["a Host with a path", 400, ["GET / HTTP/1.1", "Host: a/b"]],
    ["a Host with user information", 400, ["GET / HTTP/1.1", "Host: u@a"]],
    ["a Host with a space", 400, ["GET / HTTP/1.1", "Host: a b"]],
    ["two lengths", 400, ["POST / HTTP/1.1", host, "Content-Length: 5", "Content-Length: 6"]],
    ["two equal lengths", 400, ["POST / HTTP/1.1", host, "Content-Length: 5", "Content-Length: 5"]],
    ["a list of lengths", 400, ["POST / HTTP/1.1", host, "Content-Length: 5, 5"]],
    ["a signed length", 400, ["POST / HTTP/1.1", host, "Content-Length: +5"]],
    ["a hexadecimal length", 400, ["POST / HTTP/1.1", host, "Content-Length: 0x5"]],
    ["an empty length", 400, ["POST / HTTP/1.1", host, "Content-Length:"]],
    ["a huge length", 400, ["POST / HTTP/1.1", host, "Content-Length: 9999999999999999"]],
    ["length and chunked", 400, ["POST / HTTP/1.1", host, "Content-Length: 5", "Transfer-Encoding: chunked"]],
    ["chunked and length", 400, ["POST / HTTP/1.1", host, "Transfer-Encoding: chunked", "Content-Length: 5"]],
    ["chunked twice", 400, ["POST / HTTP/1.1", host, "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"]],
    ["chunked in HTTP/1.0", 400, ["POST / HTTP/1.0", "Transfer-Encoding: chunked"]],
    ["another encoding", 501, ["POST / HTTP/1.1", host, "Transfer-Encoding: gzip, chunked"]],
    ["identity", 501, ["POST / HTTP/1.1", host, "Transfer-Encoding: identity"]],
    ["xchunked", 501, ["POST / HTTP/1.1", host, "Transfer-Encoding: xchunked"]],
    ["chunked with a vertical tab", 400, ["POST / HTTP/1.1", host, "Transfer-Encoding: \x0bchunked"]],
    ["a space before the colon", 400, ["POST / HTTP/1.1", host, "Transfer-Encoding : chunked"]],
    ["a tab before the colon", 400, ["POST / HTTP/1.1", host, "Content-Length\t: 5"]],
    ["a folded line", 400, ["GET / HTTP/1.1", host, "X: a", " b"]],
    ["a first line that is folded", 400, ["GET / HTTP/1.1", " Host: a"]],
    ["no colon", 400, ["GET / HTTP/1.1", host, "X"]],
    ["an empty name", 400, ["GET / HTTP/1.1", host, ": x"]],
    ["a name with a byte beyond ASCII", 400, ["GET / HTTP/1.1", host, "X\xe9: a"]],
    ["a NUL", 400, ["GET / HTTP/1.1", host, "X: a\0b"]],
    ["a bare LF between lines", 400, ["GET / HTTP/1.1\nHost: b", host]],
    ["a bare CR in a value", 400, ["GET / HTTP/1.1", host, "X: a\rContent-Length: 5"]],
    ["a bare LF in a value", 400, ["GET / HTTP/1.1", host, "X: a\nContent-Length: 5"]],
    ["no version", 400, ["GET /", host]],
    ["HTTP/0.9", 505, ["GET / HTTP/0.9", host]],
    ["HTTP/2.0", 505, ["GET / HTTP/2.0", host]],
    ["http/1.1", 400, ["GET / http/1.1", host]],
    ["HTTP/1.1 and a space", 400, ["GET / HTTP/1.1 ", host]],
    ["two spaces", 400, ["GET  / HTTP/1.1", host]],
    ["a space in the target", 400, ["GET /a b HTTP/1.1", host]],
    ["a tab in the line", 400, ["GET\t/ HTTP/1.1", host]],
    ["a fragment", 400, ["GET /#x HTTP/1.1", host]],
    ["no slash", 400, ["GET x HTTP/1.1", host]],
    ["another scheme", 400, ["GET ftp://a/ HTTP/1.1", host]],
    ["user information in the target", 400, ["GET http://u@a/ HTTP/1.1", host]],
    ["* with GET", 400, ["GET * HTTP/1.1", host]],
    ["CONNECT", 501, ["CONNECT a:443 HTTP/1.1", host]],
    ["a method that is none", 400, ["GE T / HTTP/1.1", host]],
    ["a method with a colon", 400, ["GET: / HTTP/1.1", host]],
    ["a path out of the root", 400, ["GET /a/../../b HTTP/1.1", host]],
    ["a NUL in the path", 400, ["GET /%00 HTTP/1.1", host]],
    ["a long target", 414, [`GET /${"a".repeat(9000)} HTTP/1.1`, host]],
    ["many lines", 431, ["GET / HTTP/1.1", host, ...Array.from({ length: 200 }, (_, i) => `X${i}: y`)]],
  ] as const)("%s", ([, status, [line, ...fields]]) =>
    expect(request(line as string, ...fields)).toMatchObject({ kind: "refused", status }),
  );

  test("before the head is whole, once it cannot become right", () => {
    expect(parse("GET / HTTP/1.1\nHost: a\n\n")).toMatchObject({ status: 400 });
    expect(parse(`GET / HTTP/1.1\r\nX: ${"a".repeat(40_000)}`)).toMatchObject({ status: 431 });
    expect(parse("a".repeat(40_000))).toMatchObject({ status: 414 });
    expect(parse("GET / HTTP/1.1\r\nHost: a\r\n")).toEqual({ kind: "incomplete" });
    expect(parse("GET / HTTP/1.1\r")).toEqual({ kind: "incomplete" });
  });
});

test("lines that come again are read once, unless the first line gives them another meaning", () => {
  const first = parse("GET /1 HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n");
  if (first.kind !== "request") throw new Error(first.kind);
  const next = (text: string) => parseRequestHead(Buffer.from(text, "latin1"), defaultHeadLimits, first.block);
  expect(next("GET /2 HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n")).toMatchObject({ path: "/2", block: first.block });
  const older = next("GET /2 HTTP/1.0\r\nHost: a\r\nX: 1\r\n\r\n");
  expect(older).toMatchObject({ block: { minorVersion: 0, keepAlive: false } });
  expect(next("GET /2 HTTP/1.1\r\nHost: b\r\nX: 1\r\n\r\n")).toMatchObject({ authority: "b" });
  expect(next("GET /\u00002 HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n")).toMatchObject({ status: 400 });
});

test("any bytes: a verdict that longer input does not change", () => {
  const piece = fc.constantFrom(
    "GET ",
    "/ ",
    "HTTP/1.1",
    "\r\n",
    "\r",
    "\n",
    "Host: a",
    "\r\n\r\n",
    "Content-Length: 5",
    "Transfer-Encoding: chunked",
    " ",
    ":",
    "\0",
    "é",
    "x",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 16 }), fc.string(), (pieces, tail) => {
      const text = pieces.join("");
      const short = parse(text);
      if (short.kind === "incomplete") return;
      const long = parse(text + tail);
      expect(long.kind).toBe(short.kind);
      if (long.kind === "request" && short.kind === "request") expect([long.bytes, long.block]).toEqual([short.bytes, short.block]);
    }),
    { numRuns: 1000 },
  );
});

test("what is accepted has one reading: its fields cover its text, and no line hides another", () => {
  const value = fc.string({ maxLength: 20, unit: "binary-ascii" });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom("X-A", "Content-Length", "Transfer-Encoding", "Connection", "Te"), value), { maxLength: 5 }),
      (fields) => {
        const result = request("POST / HTTP/1.1", "Host: a", ...fields.map(([name, text]) => `${name}: ${text}`));
        if (result.kind !== "request") return;
        const { block } = result;
        expect(block.fields.map(({ start, end }) => block.text.slice(start, end)).join("")).toBe(block.text);
        expect(block.fields.length).toBe(fields.length + 1);
        expect(parseRequestHead(Buffer.from(`POST / HTTP/1.1\r\n${block.text}\r\n`, "latin1"), defaultHeadLimits, block)).toEqual(result);
        expect(result.bytes).toBeLessThanOrEqual(defaultHeadLimits.headBytes + 4);
      },
    ),
    { numRuns: 500 },
  );
});

describe("answers", () => {
  const answer = (method: string, ...lines: string[]) => parseResponseHead(Buffer.from([...lines, "", ""].join("\r\n"), "latin1"), method);
  test.for([
    ["a length", "GET", ["HTTP/1.1 200 OK", "Content-Length: 3"], { body: { kind: "length", length: 3 }, keepAlive: true }],
    ["chunks", "GET", ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"], { body: { kind: "chunked" } }],
    ["neither", "GET", ["HTTP/1.1 200 OK"], { body: { kind: "until-close" }, keepAlive: false }],
    ["HEAD", "HEAD", ["HTTP/1.1 200 OK", "Content-Length: 3"], { body: { kind: "none" }, keepAlive: true }],
    ["204", "GET", ["HTTP/1.1 204 No Content"], { body: { kind: "none" } }],
    ["304 with a length", "GET", ["HTTP/1.1 304 Not Modified", "Content-Length: 3"], { body: { kind: "none" } }],
    ["no reason", "GET", ["HTTP/1.1 200", "Content-Length: 0"], { status: 200, reason: "" }],
    ["HTTP/1.0", "GET", ["HTTP/1.0 200 OK", "Content-Length: 0"], { keepAlive: false }],
    ["close", "GET", ["HTTP/1.1 200 OK", "Content-Length: 0", "Connection: close"], { keepAlive: false }],
    ["Keep-Alive", "GET", ["HTTP/1.1 200 OK", "Content-Length: 0", "Keep-Alive: max=5, timeout=7"], { keepAliveTimeout: 7 }],
  ] as const)("%s", ([, method, lines, wanted]) => expect(answer(method, ...lines)).toMatchObject(wanted));

  test.for([
    ["two lengths", ["HTTP/1.1 200 OK", "Content-Length: 3", "Content-Length: 3"]],
    ["length and chunks", ["HTTP/1.1 200 OK", "Content-Length: 3", "Transfer-Encoding: chunked"]],
    ["an unknown encoding", ["HTTP/1.1 200 OK", "Transfer-Encoding: gzip"]],
    ["HTTP/2", ["HTTP/2 200 OK"]],
    ["a status of four digits", ["HTTP/1.1 2000 OK"]],
    ["status 099", ["HTTP/1.1 099 OK"]],
    ["a folded line", ["HTTP/1.1 200 OK", "X: a", " b"]],
    ["a bare LF", ["HTTP/1.1 200 OK\nX: a"]],
  ] as const)("refused: %s", ([, lines]) => expect(answer("GET", ...lines)).toMatchObject({ kind: "malformed" }));
});
