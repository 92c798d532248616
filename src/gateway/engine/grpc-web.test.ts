/** gRPC-Web in front of an endpoint that speaks gRPC: messages, trailers, errors without a body, both forms, both protocols in front. */
import { connect, createServer, type ServerHttp2Stream, type IncomingHttpHeaders } from "node:http2";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { Opened, rawClient, startEngine, type TestEngine } from "../testing.ts";

const patient = 60_000;
const opened = new Opened();
afterEach(() => opened.closeAll());

const frame = (text: string): Buffer => {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(text.length, 1);
  return Buffer.concat([head, Buffer.from(text)]);
};
const trailerFrame = (text: string): Buffer => {
  const bytes = frame(text);
  bytes[0] = 0x80;
  return bytes;
};

/** Says each message back, then how it ended. */
async function echo(asked: IncomingHttpHeaders[]): Promise<TestEngine> {
  const server = createServer();
  const sessions = new Set<{ destroy(): void }>();
  server.on("session", (session) => void sessions.add(session));
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    asked.push(headers);
    stream.on("error", () => {});
    if (headers[":path"] === "/none")
      return stream.respond({ "content-type": "application/grpc", "grpc-status": "5" }, { endStream: true });
    stream.respond({ "content-type": "application/grpc+proto" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0", "grpc-message": "fine" }));
    stream.pipe(stream);
    return undefined;
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  opened.add(server, () => {
    for (const session of sessions) session.destroy();
    return new Promise((done) => server.close(done));
  });
  const { port } = server.address() as AddressInfo;
  const engine = await startEngine(opened, [port]);
  engine.engine.publish({
    backends: new Map([["default/web:80", { kind: "endpoints", endpoints: [{ ip: "127.0.0.1", port }], speaks: "h2c" }]]),
  });
  return engine;
}

async function post(
  { port }: TestEngine,
  type: string,
  body: Buffer,
  path = "/a.B/C",
): Promise<{ readonly head: string; readonly body: Buffer }> {
  const client = rawClient(opened, port);
  client.send(
    `POST ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Grpc-Web: 1\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n`,
  );
  // In two pieces that are cut inside of a group of base64.
  client.send(body.subarray(0, 7));
  client.send(body.subarray(7));
  const all = await client.closed();
  const at = all.indexOf("\r\n\r\n");
  const [head, chunks] = [all.slice(0, at + 2), all.slice(at + 4)];
  const pieces: Buffer[] = [];
  for (let rest = Buffer.from(chunks, "latin1"); rest.length > 0;) {
    const end = rest.indexOf("\r\n");
    const size = Number.parseInt(rest.toString("latin1", 0, end), 16);
    pieces.push(rest.subarray(end + 2, end + 2 + size));
    rest = rest.subarray(end + 2 + size + 2);
  }
  return { head, body: Buffer.concat(pieces) };
}

const trailers = trailerFrame("grpc-status: 0\r\ngrpc-message: fine\r\n");

test("messages go through, trailers come as a frame", { timeout: patient }, async () => {
  const asked: IncomingHttpHeaders[] = [];
  const { head, body } = await post(await echo(asked), "application/grpc-web+proto", frame("hello"));
  expect(head).toContain("HTTP/1.1 200");
  expect(head).toMatch(/Content-Type: application\/grpc-web\+proto\r\n/);
  expect(body).toEqual(Buffer.concat([frame("hello"), trailers]));
  expect(asked[0]).toMatchObject({
    "content-type": "application/grpc+proto",
    te: "trailers",
    "content-length": String(frame("hello").length),
  });
  expect(asked[0]).not.toHaveProperty("x-grpc-web");
});

test("as text: base64 in pieces, each with its padding", { timeout: patient }, async () => {
  const asked: IncomingHttpHeaders[] = [];
  const messages = [frame("hello"), frame("you")];
  const sent = Buffer.from(messages.map((each) => each.toString("base64")).join(""));
  const { head, body } = await post(await echo(asked), "application/grpc-web-text", sent);
  expect(head).toMatch(/Content-Type: application\/grpc-web-text\r\n/);
  const decoded = Buffer.concat((body.toString("latin1").match(/[^=]+=*/g) ?? []).map((each) => Buffer.from(each, "base64")));
  expect(decoded).toEqual(Buffer.concat([...messages, trailers]));
  expect(asked[0]).not.toHaveProperty("content-length");
});

test("an error without a message says so in its header", { timeout: patient }, async () => {
  const { head } = await post(await echo([]), "application/grpc-web", frame("x"), "/none");
  expect(head.toLowerCase()).toContain("grpc-status: 5");
});

test("over HTTP/2", { timeout: patient }, async () => {
  const { port } = await echo([]);
  const session = connect(`http://127.0.0.1:${port}`);
  opened.add(session, () => session.destroy());
  const stream = session.request({ ":method": "POST", ":path": "/a.B/C", "content-type": "application/grpc-web" });
  const pieces: Buffer[] = [];
  stream.on("data", (bytes: Buffer) => void pieces.push(bytes));
  stream.end(frame("hello"));
  await new Promise((resolve) => stream.once("end", resolve));
  expect(Buffer.concat(pieces)).toEqual(Buffer.concat([frame("hello"), trailers]));
});

test("gRPC itself is left alone", { timeout: patient }, async () => {
  const { port } = await echo([]);
  const session = connect(`http://127.0.0.1:${port}`);
  opened.add(session, () => session.destroy());
  const stream = session.request({ ":method": "POST", ":path": "/a.B/C", "content-type": "application/grpc", te: "trailers" });
  const ended = new Promise<IncomingHttpHeaders>((resolve) => stream.once("trailers", resolve));
  stream.resume();
  stream.end(frame("hello"));
  expect(await ended).toMatchObject({ "grpc-status": "0" });
});

test("base64 in chunks is refused by name", { timeout: patient }, async () => {
  const client = rawClient(opened, (await echo([])).port);
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc-web-text\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  expect(await client.until((text) => text.includes("translated"))).toContain("HTTP/1.1 415");
});
