/** Many requests on one connection, in any framing and cut anywhere, and large bodies over TLS: everything arrives, in order, once. */
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect as http2Connect } from "node:http2";
import type { RequestListener } from "node:http";
import type { Readable, Writable } from "node:stream";
import { connect as tlsConnect, type ConnectionOptions } from "node:tls";
import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { openLocalAuthority } from "../local-authority.ts";
import { collecting, httpEndpoint, Opened, rawClient, startEngine } from "../testing.ts";

const opened = new Opened();
afterEach(() => opened.closeAll());
const patient = 180_000;

interface Planned {
  readonly method: "GET" | "HEAD" | "POST" | "PUT";
  readonly framing: "none" | "length" | "chunked";
  readonly body: string;
  readonly answer: { readonly framing: "length" | "chunked" | "close"; readonly body: string; readonly status: 200 | 204 | 304 };
}

const text = fc.string({ maxLength: 300, unit: "binary-ascii" });
const planned: fc.Arbitrary<Planned> = fc
  .record({
    method: fc.constantFrom("GET", "HEAD", "POST", "PUT"),
    framing: fc.constantFrom("none", "length", "chunked"),
    body: text,
    answer: fc.record({
      framing: fc.constantFrom("length", "chunked", "close"),
      body: text,
      status: fc.constantFrom(200, 200, 200, 204, 304),
    }),
  })
  .map((each) => (each.framing === "none" ? { ...each, body: "" } : each));

function written({ method, framing, body }: Planned, index: number): string {
  const head = `${method} /${index} HTTP/1.1\r\nHost: a\r\n`;
  const bytes = Buffer.from(body, "latin1").length;
  if (framing === "none") return `${head}\r\n`;
  if (framing === "length") return `${head}Content-Length: ${bytes}\r\n\r\n${body}`;
  const half = Math.floor(body.length / 2);
  const chunks = [body.slice(0, half), body.slice(half)].filter((chunk) => chunk !== "");
  return `${head}Transfer-Encoding: chunked\r\n\r\n${chunks.map((chunk) => `${chunk.length.toString(16)};n=${index}\r\n${chunk}\r\n`).join("")}0\r\n\r\n`;
}

interface Got {
  readonly status: number;
  readonly body: string;
}

/** Splits what came into answers, as a client that knows what it asked does. */
function answersIn(all: string, plans: readonly Planned[]): readonly Got[] {
  const answers: Got[] = [];
  let rest = all;
  for (const { method } of plans) {
    const end = rest.indexOf("\r\n\r\n");
    if (end < 0) break;
    const head = rest.slice(0, end + 2);
    rest = rest.slice(end + 4);
    const status = Number(head.slice(9, 12));
    let body = "";
    if (method !== "HEAD" && status === 200 && /transfer-encoding: chunked/i.test(head)) {
      for (;;) {
        const size = Number.parseInt(rest.slice(0, rest.indexOf("\r\n")), 16);
        const start = rest.indexOf("\r\n") + 2;
        body += rest.slice(start, start + size);
        rest = rest.slice(start + size + 2);
        if (!(size > 0)) break;
      }
    } else if (method !== "HEAD" && status === 200) {
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1]);
      body = rest.slice(0, length);
      rest = rest.slice(length);
    }
    answers.push({ status, body });
  }
  return answers;
}

test(
  "any run of requests and answers in any framing, cut anywhere: each reaches the endpoint once and gets its own answer",
  { timeout: patient },
  async () => {
    let plans: readonly Planned[] = [];
    let seen: string[] = [];
    const { port } = await httpEndpoint(opened, (request, response) => {
      const index = Number(String(request.url).slice(1));
      const { answer } = plans[index] as Planned;
      let body = "";
      request.on("data", (bytes: Buffer) => (body += bytes.toString("latin1")));
      request.on("end", () => {
        seen.push(`${request.method} ${index} ${body}`);
        const bytes = Buffer.from(answer.body, "latin1");
        if (answer.status !== 200) return void response.writeHead(answer.status).end();
        if (answer.framing === "length") response.setHeader("content-length", bytes.length);
        if (answer.framing === "close") response.setHeader("connection", "close");
        response.writeHead(200);
        if (answer.framing !== "length") response.write(bytes.subarray(0, 1));
        response.end(answer.framing === "length" ? bytes : bytes.subarray(1));
      });
    });
    const engine = await startEngine(opened, [port]);
    const runs = fc.asyncProperty(
      fc.array(planned, { minLength: 1, maxLength: 8 }),
      fc.array(fc.nat(3000), { maxLength: 20 }),
      async (list, cuts) => {
        plans = list;
        seen = [];
        const all = list.map(written).join("");
        const own = new Opened();
        const client = rawClient(own, engine.port);
        const edges = [...new Set([0, ...cuts.filter((cut) => cut < all.length), all.length])].toSorted((a, b) => a - b);
        for (let at = 1; at < edges.length; at++) {
          client.send(all.slice(edges[at - 1], edges[at]));
          if (at % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
        }
        client.send("OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        const answers = answersIn(await client.closed(), list);
        await own.closeAll();
        expect(seen).toEqual(list.map(({ method, body }, index) => `${method} ${index} ${body}`));
        expect(answers).toEqual(
          list.map(({ method, answer }) => ({
            status: answer.status,
            body: method === "HEAD" || answer.status !== 200 ? "" : answer.body,
          })),
        );
      },
    );
    await fc.assert(runs, { numRuns: 75 });
  },
);

const mebibyte = 1 << 20;

function pour(to: Writable, total: number): Promise<string> {
  const sum = createHash("sha256");
  let left = total;
  return new Promise((resolve) => {
    const more = () => {
      while (left > 0) {
        const bytes = randomBytes(Math.min(left, 1 + ((left * 7919) % 100_003)));
        left -= bytes.length;
        sum.update(bytes);
        if (!to.write(bytes) && left > 0) return void to.once("drain", more);
      }
      to.end();
      resolve(sum.digest("hex"));
    };
    more();
  });
}

/** Reads to the end with a pause after each 256 KiB. */
function sip(from: Readable): Promise<string> {
  const sum = createHash("sha256");
  let unpaused = 0;
  return new Promise((resolve, reject) => {
    from.on("data", (bytes: Buffer) => {
      sum.update(bytes);
      unpaused += bytes.length;
      if (unpaused < mebibyte / 4) return;
      unpaused = 0;
      from.pause();
      setTimeout(() => from.resume(), 1);
    });
    from.on("error", reject);
    from.on("end", () => resolve(sum.digest("hex")));
  });
}

async function secureEngine(handler: RequestListener): Promise<{ readonly port: number; readonly ca: string }> {
  const { port } = await httpEndpoint(opened, handler);
  const { engine } = await startEngine(opened, [port]);
  const authority = await openLocalAuthority({ now: () => Date.now() });
  engine.publish({ certificates: [{ host: "*", ...authority.certificateFor("a.localhost") }] });
  await engine.settled();
  // The one rule is for the plain listener's name: this one bears it too.
  const listener = await engine.listen({ name: "http", protocol: "HTTPS", host: "127.0.0.1", port: 0 });
  if (listener.kind === "failed") throw new Error(listener.message);
  return { port: listener.port, ca: authority.cert };
}

test("HTTP/2: four streams with 8 MiB each way at once, slow readers on both sides", { timeout: patient }, async () => {
  const size = 8 * mebibyte;
  const atEndpoint = new Map<string, Promise<readonly [string, string]>>();
  const { port, ca } = await secureEngine((request, response) => {
    atEndpoint.set(String(request.url), Promise.all([sip(request), pour(response, size)]));
  });
  const session = http2Connect(`https://a.localhost:${port}`, {
    ca,
    lookup: (_name, _options, done) => done(null, [{ address: "127.0.0.1", family: 4 }] as never),
  });
  opened.add(session, () => session.destroy());
  const streams = ["/1", "/2", "/3", "/4"].map(async (path) => {
    const stream = session.request({ ":path": path, ":method": "POST" });
    const both = await Promise.all([pour(stream, size), sip(stream)]);
    return [path, both] as const;
  });
  for (const [path, [sent, received]] of await Promise.all(streams)) expect(await atEndpoint.get(path)).toEqual([sent, received]);
});

test("TLS by HTTP/1.1: an upgraded connection carries 8 MiB each way and a half-close", { timeout: patient }, async () => {
  const size = 8 * mebibyte;
  const { port: endpointPort, server } = await httpEndpoint(opened, () => {});
  const atEndpoint = Promise.withResolvers<readonly [string, string]>();
  server.on("upgrade", (_request, socket: import("node:net").Socket) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: bytes\r\n\r\n");
    void Promise.all([sip(socket), pour(socket, size)]).then(atEndpoint.resolve);
  });
  const { engine } = await startEngine(opened, [endpointPort]);
  const authority = await openLocalAuthority({ now: () => Date.now() });
  engine.publish({ certificates: [{ host: "*", ...authority.certificateFor("a.localhost") }] });
  await engine.settled();
  const listener = await engine.listen({ name: "http", protocol: "HTTPS", host: "127.0.0.1", port: 0 });
  if (listener.kind === "failed") throw new Error(listener.message);
  const options = { host: "127.0.0.1", port: listener.port, servername: "a.localhost", ca: authority.cert, allowHalfOpen: true };
  const socket = tlsConnect(options as ConnectionOptions);
  opened.add(socket, () => socket.destroy());
  await once(socket, "secureConnect");
  const head = collecting(socket);
  socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: bytes\r\n\r\n");
  const first = await head.until((all) => all.includes("\r\n\r\n"));
  socket.removeAllListeners("data");
  // What came behind the head belongs to the stream.
  const early = Buffer.from(first.slice(first.indexOf("\r\n\r\n") + 4), "latin1");
  if (early.length > 0) socket.unshift(early);
  const [sent, received] = await Promise.all([pour(socket, size), sip(socket)]);
  expect(await atEndpoint.promise).toEqual([sent, received]);
});
