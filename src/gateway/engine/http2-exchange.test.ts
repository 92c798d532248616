/** Endpoints that speak HTTP/2, plain and over TLS, behind clients of HTTP/1.1 and HTTP/2. */
import { connect, createServer, type ClientHttp2Session, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { Opened, rawClient, startEngine, type TestEngine } from "../testing.ts";

const opened = new Opened();
afterEach(() => opened.closeAll());

async function h2cEndpoint(onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void): Promise<number> {
  const server = createServer();
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    onStream(stream as ServerHttp2Stream, headers);
  });
  const sessions = new Set<{ destroy(): void }>();
  server.on("session", (session) => void sessions.add(session));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  opened.add(server, () => {
    for (const session of sessions) session.destroy();
    return new Promise((done) => server.close(done));
  });
  return (server.address() as AddressInfo).port;
}

async function started(port: number): Promise<TestEngine> {
  const test = await startEngine(opened, [port]);
  test.engine.publish({
    backends: new Map([["default/web:80", { kind: "endpoints", endpoints: [{ ip: "127.0.0.1", port }], speaks: "h2c" }]]),
  });
  await test.engine.settled();
  return test;
}

function h2cClient(port: number): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  return opened.add(session, () => session.destroy());
}

interface Answer {
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly body: string;
}

function ask(session: ClientHttp2Session, headers: Record<string, string>, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ":path": "/", ":authority": "a.test", ...headers }, { endStream: body === undefined });
    let answer: IncomingHttpHeaders = {};
    let trailers: IncomingHttpHeaders = {};
    let text = "";
    stream.on("response", (got) => (answer = got));
    stream.on("trailers", (got) => (trailers = got));
    stream.on("data", (bytes: Buffer) => (text += bytes.toString()));
    // A stream that was reset may end before it says so.
    stream.on("close", () =>
      stream.rstCode === 0 ? resolve({ headers: answer, trailers, body: text }) : reject(new Error(`reset ${stream.rstCode}`)),
    );
    stream.on("error", reject);
    if (body !== undefined) stream.end(body);
  });
}

function echo(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  let body = "";
  stream.on("data", (bytes: Buffer) => (body += bytes.toString()));
  stream.on("end", () => {
    stream.respond({ ":status": 200, "x-te": headers.te ?? "", "x-path": headers[":path"] ?? "" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(`${headers[":method"]} ${headers[":authority"]} ${body}`);
  });
}

test("HTTP/2 with prior knowledge in front, h2c behind: bodies, trailers and te, as gRPC needs them", async () => {
  const { port } = await started(await h2cEndpoint(echo));
  const session = h2cClient(port);
  const answer = await ask(
    session,
    { ":method": "POST", ":path": "/pkg.Service/Method?x", te: "trailers", "content-type": "application/grpc" },
    "hello",
  );
  expect(answer).toMatchObject({
    headers: { ":status": 200, "x-te": "trailers", "x-path": "/pkg.Service/Method?x" },
    trailers: { "grpc-status": "0" },
    body: "POST a.test hello",
  });
  const many = await Promise.all(Array.from({ length: 50 }, (_, index) => ask(session, { ":method": "POST" }, `body ${index}`)));
  expect(many.map(({ body }) => body)).toEqual(Array.from({ length: 50 }, (_, index) => `POST a.test body ${index}`));
});

test("HTTP/1.1 in front, h2c behind: bodies of either framing, answers without a length, HEAD", async () => {
  const { port } = await started(await h2cEndpoint(echo));
  const client = rawClient(opened, port);
  client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc");
  expect(await client.until((text) => text.includes("0\r\n"))).toContain("POST a.test abc");
  client.send("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  expect(await client.until((text) => text.includes("POST a.test abcde"))).toContain("grpc-status: 0");
  client.send("HEAD / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
  expect((await client.closed()).split("HTTP/1.1 200")).toHaveLength(4);
});

test("an endpoint that refuses a stream gets it again; one that resets it in the middle breaks the answer", async () => {
  let seen = 0;
  const port = await h2cEndpoint((stream, headers) => {
    seen += 1;
    if (headers[":path"]?.startsWith("/break") === true) {
      stream.respond({ ":status": 200 });
      stream.write("half", () => stream.session?.destroy());
    } else if (seen === 1) stream.close(7);
    else echo(stream, headers);
  });
  const session = h2cClient((await started(port)).port);
  expect((await ask(session, { ":method": "POST" })).body).toBe("POST a.test ");
  expect(seen).toBe(2);
  await expect(ask(session, { ":method": "GET", ":path": "/break" })).rejects.toThrow();
});

test("no endpoint: 503; one that cannot be reached: 502", async () => {
  const { port, engine } = await started(1);
  const session = h2cClient(port);
  expect((await ask(session, { ":method": "GET" })).headers[":status"]).toBe(502);
  engine.publish({ backends: new Map([["default/web:80", { kind: "unusable", reason: "NoEndpoints", message: "none" }]]) });
  await engine.settled();
  expect((await ask(session, { ":method": "GET" })).headers[":status"]).toBe(503);
});
