/**
 * What the front does with HTTP/2 that is wrong, frame by frame (RFC 9113, RFC 7541): the connection or the stream ends, with a code
 * that the document names, and everyone else is served on. The rows follow the documents' sections.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  encodeFields,
  encodeFrame,
  flags,
  frameClient,
  frameTypes,
  preface,
  requestFields,
  settings,
  word,
  type Frame,
  type Received,
} from "../testing-http2.ts";
import { httpEndpoint, Opened, startEngine } from "../testing.ts";

const patient = 60_000;

const codes = {
  protocol: 1,
  internal: 2,
  flow: 3,
  closed: 5,
  size: 6,
  cancel: 8,
  compression: 9,
} as const;

type Code = keyof typeof codes;

type Expected =
  /** GOAWAY with one of the codes, or (RFC 9113 5.4.1 asks for no more) just the end of the connection. */
  | { readonly connection: readonly Code[] }
  /** RST_STREAM of stream 1; an end of the whole connection is allowed as well (5.4.2), and an answer of 400 (8.1.1). */
  | { readonly stream: readonly Code[] }
  /** As `stream: protocol`; a field that never was (node:http2 drops it) is allowed: what counts is that no endpoint gets it. */
  | { readonly never: string }
  /** An answer on this stream. */
  | { readonly answer: number };

interface Row {
  readonly section: string;
  readonly name: string;
  readonly frames: readonly Frame[];
  readonly expected: Expected;
}

const all = flags.endHeaders | flags.endStream;
const headers = (bits: number = all, fields: readonly (readonly [string, string])[] = requestFields(), stream = 1): Frame => ({
  type: "headers",
  flags: bits,
  stream,
  payload: encodeFields(fields),
});
const post = requestFields("/", "POST");
const data = (text: string, bits: number = flags.endStream, stream = 1): Frame => ({
  type: "data",
  flags: bits,
  stream,
  payload: Buffer.from(text),
});
const without = (name: string) => requestFields().filter(([each]) => each !== name);
const withField = (name: string, value: string) => headers(all, [...requestFields(), [name, value]]);
const block = (bytes: readonly number[]): Frame => ({ type: "headers", flags: all, stream: 1, payload: Buffer.from(bytes) });
const connection = (...each: readonly Code[]): Expected => ({ connection: each });
const stream = (...each: readonly Code[]): Expected => ({ stream: each });

const rows: readonly Row[] = [
  {
    section: "4.1",
    name: "a frame of an unknown type",
    frames: [{ type: 0xee, payload: Buffer.alloc(8) }, headers()],
    expected: { answer: 1 },
  },
  { section: "4.1", name: "flags that the type does not have", frames: [headers(all | 0x40)], expected: { answer: 1 } },
  { section: "4.1", name: "the reserved bit of the stream", frames: [headers(all, requestFields(), 0x8000_0001)], expected: { answer: 1 } },
  {
    section: "4.2",
    name: "DATA longer than SETTINGS_MAX_FRAME_SIZE",
    frames: [headers(flags.endHeaders, post), { type: "data", stream: 1, payload: Buffer.alloc(16_385) }],
    expected: connection("size"),
  },
  {
    section: "4.2",
    name: "HEADERS longer than SETTINGS_MAX_FRAME_SIZE",
    frames: [{ type: "headers", flags: all, stream: 1, payload: Buffer.alloc(16_385) }],
    expected: connection("size"),
  },
  {
    section: "4.3",
    name: "a field block that cannot be read",
    frames: [block([0x00, 0xff, 0xff, 0xff, 0xff, 0xff])],
    expected: connection("compression"),
  },
  {
    section: "4.3",
    name: "PRIORITY inside a field block",
    frames: [headers(flags.endStream), { type: "priority", stream: 1, payload: Buffer.alloc(5) }],
    expected: connection("protocol"),
  },
  {
    section: "4.3",
    name: "HEADERS of another stream inside a field block",
    frames: [headers(flags.endStream), headers(all, requestFields(), 3)],
    expected: connection("protocol"),
  },
  { section: "5.1", name: "DATA of an idle stream", frames: [data("x")], expected: connection("protocol") },
  {
    section: "5.1",
    name: "RST_STREAM of an idle stream",
    frames: [{ type: "reset", stream: 1, payload: word(8) }],
    expected: connection("protocol"),
  },
  {
    section: "5.1",
    name: "WINDOW_UPDATE of an idle stream",
    frames: [{ type: "window", stream: 1, payload: word(100) }],
    expected: connection("protocol"),
  },
  {
    section: "5.1",
    name: "CONTINUATION of an idle stream",
    frames: [{ type: "continuation", flags: flags.endHeaders, stream: 1 }],
    expected: connection("protocol"),
  },
  { section: "5.1", name: "DATA after END_STREAM", frames: [headers(all, requestFields("/late")), data("x")], expected: stream("closed") },
  {
    section: "5.1",
    name: "HEADERS after END_STREAM",
    frames: [headers(all, requestFields("/late")), headers()],
    expected: stream("closed", "protocol"),
  },
  { section: "5.1.1", name: "an even stream", frames: [headers(all, requestFields(), 2)], expected: connection("protocol") },
  { section: "5.5", name: "an unknown setting", frames: [settings([0xfe, 1]), headers()], expected: { answer: 1 } },
  { section: "6.1", name: "DATA of stream 0", frames: [data("x", 0, 0)], expected: connection("protocol") },
  {
    section: "6.1",
    name: "DATA with more padding than payload",
    frames: [
      headers(flags.endHeaders, post),
      { type: "data", flags: flags.padded | flags.endStream, stream: 1, payload: Buffer.from([6, 0, 0, 0]) },
    ],
    expected: connection("protocol"),
  },
  { section: "6.2", name: "HEADERS of stream 0", frames: [headers(all, requestFields(), 0)], expected: connection("protocol") },
  {
    section: "6.2",
    name: "HEADERS with more padding than payload",
    frames: [{ type: "headers", flags: all | flags.padded, stream: 1, payload: Buffer.from([200, 0x82]) }],
    expected: connection("protocol"),
  },
  {
    section: "6.2",
    name: "HEADERS with padding and priority",
    frames: [
      {
        type: "headers",
        flags: all | flags.padded | flags.priority,
        stream: 1,
        payload: Buffer.concat([Buffer.from([3, 0, 0, 0, 0, 15]), encodeFields(requestFields()), Buffer.alloc(3)]),
      },
    ],
    expected: { answer: 1 },
  },
  {
    section: "6.3",
    name: "PRIORITY of a wrong length",
    frames: [headers(flags.endHeaders, post), { type: "priority", stream: 1, payload: Buffer.alloc(4) }],
    expected: stream("size"),
  },
  {
    section: "6.4",
    name: "RST_STREAM of stream 0",
    frames: [{ type: "reset", stream: 0, payload: word(8) }],
    expected: connection("protocol"),
  },
  {
    section: "6.4",
    name: "RST_STREAM of a wrong length",
    frames: [headers(flags.endHeaders, post), { type: "reset", stream: 1, payload: Buffer.alloc(3) }],
    expected: connection("size"),
  },
  {
    section: "6.5",
    name: "SETTINGS with ACK and a payload",
    frames: [{ ...settings([3, 1]), flags: flags.ack }],
    expected: connection("size"),
  },
  { section: "6.5", name: "SETTINGS of a stream", frames: [{ ...settings([3, 1]), stream: 1 }], expected: connection("protocol") },
  {
    section: "6.5",
    name: "SETTINGS of a wrong length",
    frames: [{ type: "settings", payload: Buffer.alloc(5) }],
    expected: connection("size"),
  },
  { section: "6.5.2", name: "SETTINGS_ENABLE_PUSH of 2", frames: [settings([2, 2])], expected: connection("protocol") },
  { section: "6.5.2", name: "SETTINGS_INITIAL_WINDOW_SIZE of 2^31", frames: [settings([4, 2 ** 31])], expected: connection("flow") },
  { section: "6.5.2", name: "SETTINGS_MAX_FRAME_SIZE of 16,383", frames: [settings([5, 16_383])], expected: connection("protocol") },
  { section: "6.5.2", name: "SETTINGS_MAX_FRAME_SIZE of 2^24", frames: [settings([5, 2 ** 24])], expected: connection("protocol") },
  {
    section: "6.6",
    name: "PUSH_PROMISE of a client",
    frames: [{ type: "push", flags: flags.endHeaders, stream: 1, payload: Buffer.concat([word(2), encodeFields(requestFields())]) }],
    expected: connection("protocol"),
  },
  {
    section: "6.7",
    name: "PING of a stream",
    frames: [{ type: "ping", stream: 1, payload: Buffer.alloc(8) }],
    expected: connection("protocol"),
  },
  { section: "6.7", name: "PING of a wrong length", frames: [{ type: "ping", payload: Buffer.alloc(6) }], expected: connection("size") },
  {
    section: "6.8",
    name: "GOAWAY of a stream",
    frames: [{ type: "goaway", stream: 1, payload: Buffer.alloc(8) }],
    expected: connection("protocol"),
  },
  {
    section: "6.9",
    name: "WINDOW_UPDATE of 0 for the connection",
    frames: [{ type: "window", payload: word(0) }],
    expected: connection("protocol"),
  },
  {
    section: "6.9",
    name: "WINDOW_UPDATE of 0 for a stream",
    frames: [headers(flags.endHeaders, post), { type: "window", stream: 1, payload: word(0) }],
    expected: stream("protocol"),
  },
  {
    section: "6.9",
    name: "WINDOW_UPDATE of a wrong length",
    frames: [{ type: "window", payload: Buffer.alloc(3) }],
    expected: connection("size"),
  },
  {
    section: "6.9.1",
    name: "a window of more than 2^31 - 1 for the connection",
    frames: [{ type: "window", payload: word(0x7fff_ffff) }],
    expected: connection("flow"),
  },
  {
    section: "6.9.1",
    name: "a window of more than 2^31 - 1 for a stream",
    frames: [headers(flags.endHeaders, post), { type: "window", stream: 1, payload: word(0x7fff_ffff) }],
    expected: stream("flow"),
  },
  {
    section: "6.10",
    name: "CONTINUATION of stream 0",
    frames: [headers(flags.endStream), { type: "continuation", flags: flags.endHeaders, stream: 0 }],
    expected: connection("protocol"),
  },
  {
    section: "6.10",
    name: "CONTINUATION after END_HEADERS",
    frames: [headers(), { type: "continuation", flags: flags.endHeaders, stream: 1 }],
    expected: connection("protocol", "closed"),
  },
  {
    section: "6.10",
    name: "a field block in three frames",
    frames: [
      { type: "headers", flags: flags.endStream, stream: 1, payload: encodeFields(requestFields()).subarray(0, 10) },
      { type: "continuation", stream: 1, payload: encodeFields(requestFields()).subarray(10, 20) },
      { type: "continuation", flags: flags.endHeaders, stream: 1, payload: encodeFields(requestFields()).subarray(20) },
    ],
    expected: { answer: 1 },
  },
  {
    section: "7",
    name: "RST_STREAM with an unknown code, then another request",
    frames: [headers(flags.endHeaders, post), { type: "reset", stream: 1, payload: word(0xff) }, headers(all, requestFields(), 3)],
    expected: { answer: 3 },
  },
  {
    section: "8.1",
    name: "a second HEADERS without END_STREAM",
    frames: [headers(flags.endHeaders, post), headers(flags.endHeaders, [["x", "y"]])],
    expected: stream("protocol"),
  },
  {
    section: "8.1",
    name: "trailers",
    frames: [headers(flags.endHeaders, post), data("x", 0), headers(all, [["x", "y"]])],
    expected: { answer: 1 },
  },
  {
    section: "8.1.1",
    name: "Content-Length of more than the DATA",
    frames: [headers(flags.endHeaders, [...post, ["content-length", "5"]]), data("x")],
    expected: stream("protocol"),
  },
  {
    section: "8.1.1",
    name: "Content-Length of less than the DATA",
    frames: [headers(flags.endHeaders, [...post, ["content-length", "1"]]), data("xyz")],
    expected: stream("protocol", "internal"),
  },
  { section: "8.2.1", name: "a name in upper case", frames: [withField("X-Test", "ok")], expected: stream("protocol") },
  { section: "8.2.1", name: "a value with CR LF", frames: [withField("x", "y\r\nz: 1")], expected: { never: "x" } },
  { section: "8.2.1", name: "a value with NUL", frames: [withField("x", "y\0")], expected: { never: "x" } },
  { section: "8.2.1", name: "a name with a space", frames: [withField("x y", "z")], expected: { never: "x y" } },
  { section: "8.2.2", name: "Connection", frames: [withField("connection", "keep-alive")], expected: stream("protocol") },
  { section: "8.2.2", name: "Transfer-Encoding", frames: [withField("transfer-encoding", "chunked")], expected: stream("protocol") },
  {
    section: "8.2.2",
    name: "TE of something else than trailers",
    frames: [withField("te", "trailers, deflate")],
    expected: stream("protocol"),
  },
  {
    section: "8.3",
    name: "an unknown pseudo-header",
    frames: [headers(all, [...requestFields(), [":test", "ok"]])],
    expected: stream("protocol"),
  },
  {
    section: "8.3",
    name: "a pseudo-header of answers",
    frames: [headers(all, [...requestFields(), [":status", "200"]])],
    expected: stream("protocol"),
  },
  {
    section: "8.3",
    name: "a pseudo-header after others",
    frames: [headers(all, [["x", "y"], ...requestFields()])],
    expected: stream("protocol"),
  },
  {
    section: "8.3",
    name: "a pseudo-header in trailers",
    frames: [headers(flags.endHeaders, post), headers(all, [[":method", "POST"]])],
    expected: stream("protocol"),
  },
  ...[":method", ":scheme", ":path"].flatMap((name): readonly Row[] => [
    { section: "8.3.1", name: `no ${name}`, frames: [headers(all, without(name))], expected: stream("protocol") },
    { section: "8.3.1", name: `two ${name}`, frames: [headers(all, [...requestFields(), [name, "/"]])], expected: stream("protocol") },
  ]),
  { section: "8.3.1", name: "an empty :path", frames: [headers(all, requestFields(""))], expected: stream("protocol") },
  { section: "8.3.1", name: "a :path with a space", frames: [headers(all, requestFields("/a b"))], expected: stream("protocol") },
  {
    section: "8.5",
    name: "CONNECT",
    frames: [
      headers(all, [
        [":method", "CONNECT"],
        [":authority", "a:80"],
      ]),
    ],
    expected: stream("protocol"),
  },
  { section: "HPACK 2.3.3", name: "an index beyond the tables", frames: [block([0xff, 0x80, 0x01])], expected: connection("compression") },
  {
    section: "HPACK 4.2",
    name: "a table size at the end of the block",
    frames: [{ type: "headers", flags: all, stream: 1, payload: Buffer.concat([encodeFields(requestFields()), Buffer.from([0x20])]) }],
    expected: connection("compression"),
  },
  {
    section: "HPACK 5.2",
    name: "Huffman padding of more than 7 bits",
    frames: [block([0x82, 0x86, 0x84, 0x00, 0x01, 0x78, 0x82, 0xff, 0xff])],
    expected: connection("compression"),
  },
  {
    section: "HPACK 5.2",
    name: "Huffman padding of zeros",
    frames: [block([0x82, 0x86, 0x84, 0x00, 0x01, 0x78, 0x81, 0x00])],
    expected: connection("compression"),
  },
  { section: "HPACK 6.1", name: "index 0", frames: [block([0x80])], expected: connection("compression") },
  {
    section: "HPACK 6.3",
    name: "a table larger than was offered",
    frames: [block([0x3f, 0xe1, 0xff, 0xff, 0x03, 0x82, 0x86, 0x84])],
    expected: connection("compression"),
  },
];

const opened = new Opened();
/** Names of the header fields of every request that the endpoint has got. */
const seen = new Set<string>();
let port = 0;

beforeAll(async () => {
  const endpoint = await httpEndpoint(opened, (request, response) => {
    for (const name of Object.keys(request.headers)) seen.add(name);
    request.resume();
    // What is asked of `/late` stays open, so that the rest of the row meets its stream.
    if (request.url !== "/late") request.on("end", () => response.end("ok"));
  });
  port = (await startEngine(opened, [endpoint.port])).port;
});
afterAll(() => opened.closeAll());

const marker = Buffer.from("fairlead");
/** The first byte of an answer's field block is its status: in HPACK's static table 200 is 8 and 400 is 12. */
const statuses: Readonly<Record<number, number>> = { 0x88: 200, 0x8c: 400 };

type Outcome = "200" | "400" | "no answer" | "ended" | `GOAWAY ${number}` | `RST ${number}`;

/** The first that says what became of the row. A PING behind it is answered when nothing did. */
function outcome({ type, payload, stream: id }: Received, wanted: number): Outcome | undefined {
  if (type === frameTypes.goaway) return `GOAWAY ${payload.readUInt32BE(4)}`;
  if (type === frameTypes.reset) return `RST ${payload.readUInt32BE(0)}`;
  if (type === frameTypes.headers && id === wanted) return String(statuses[payload[0] as number]) as Outcome;
  return undefined;
}

function allowed(expected: Expected): readonly Outcome[] {
  const all = (list: readonly Code[], how: "GOAWAY" | "RST") => list.map((code): Outcome => `${how} ${codes[code]}`);
  if ("answer" in expected) return ["200"];
  if ("connection" in expected) return ["ended", ...all(expected.connection, "GOAWAY")];
  if ("never" in expected) return ["200", "400", ...all(["protocol"], "RST"), ...all(["protocol"], "GOAWAY")];
  return ["400", "ended", ...all(expected.stream, "RST"), ...all(expected.stream, "GOAWAY")];
}

/** nghttp2 passes over what comes for a stream that has ended; RFC 9113 5.1 asks for an error. */
const passedOver: ReadonlySet<string> = new Set(["DATA after END_STREAM"]);

describe("a client of HTTP/2", () => {
  test.for(rows)("$section $name", { timeout: patient }, async ({ name, frames, expected }) => {
    const client = frameClient(opened, port);
    client.send(...frames, { type: "ping", payload: marker });
    const wanted = "answer" in expected ? expected.answer : 1;
    const found = await client.until(
      (frame) => outcome(frame, wanted) !== undefined || (passedOver.has(name) && frame.type === frameTypes.ping),
    );
    const what = found === undefined ? "ended" : (outcome(found, wanted) ?? "no answer");
    expect([...allowed(expected), ...(passedOver.has(name) ? ["no answer"] : [])]).toContain(what);
    if ("never" in expected) expect([...seen]).not.toContain(expected.never);
    client.socket.destroy();
  });

  test("others are served on after all of these", { timeout: patient }, async () => {
    const client = frameClient(opened, port);
    client.send(headers());
    expect((await client.until(({ type }) => type === frameTypes.headers))?.payload[0]).toBe(0x88);
  });

  test("a preface that is none gets no HTTP/2", { timeout: patient }, async () => {
    const client = frameClient(opened, port, Buffer.from("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"));
    await client.until(({ type }) => type === frameTypes.goaway);
    client.send(headers());
    expect(await client.until(({ type }) => type === frameTypes.headers)).toBeUndefined();
  });

  test("a flood of resets ends the connection (CVE-2023-44487)", { timeout: patient }, async () => {
    const client = frameClient(opened, port);
    for (let id = 1; id < 4000; id += 2)
      client.send(headers(all, requestFields("/late"), id), { type: "reset", stream: id, payload: word(8) });
    const goaway = await client.until(({ type }) => type === frameTypes.goaway);
    // ENHANCE_YOUR_CALM or whatever the end is: what counts is that it ends.
    if (goaway !== undefined) expect(goaway.payload.readUInt32BE(4)).not.toBe(0);
  });

  test("a field block without an end is not kept (CONTINUATION flood)", { timeout: patient }, async () => {
    const client = frameClient(opened, port);
    client.send(headers(flags.endStream));
    const piece = encodeFields([["x", "y".repeat(16_000)]]);
    const ended = new Promise<void>((resolve) => client.socket.once("close", () => resolve()));
    for (let sent = 0; sent < 2000 && !client.socket.destroyed; sent++) {
      client.socket.write(encodeFrame({ type: "continuation", stream: 1, payload: piece }));
      if (sent % 50 === 0) await new Promise((next) => setImmediate(next));
    }
    await ended;
  });
});

test("the table is not thin", () => {
  expect(rows.length).toBeGreaterThanOrEqual(70);
  expect(preface.length).toBe(24);
});
