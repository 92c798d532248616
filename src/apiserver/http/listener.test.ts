import type { IncomingHttpHeaders } from "node:http";
import { gunzipSync } from "node:zlib";
import { Agent, request as httpsRequest } from "node:https";
import { connect as h2connect } from "node:http2";
import { connect as tlsConnect } from "node:tls";
import { createServer } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureCertificates } from "../auth/certificates.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { ExecOptions, ExecSession, ExitStatus, NodeAgent } from "../../api/node-agent.ts";
import { realClock } from "../../lib/clock.ts";
import { issueCertificate, newKeyPair, privateKeyPem } from "../../lib/x509/x509.ts";
import { TestServer } from "../testing.ts";
import { parse } from "yaml";

let api: TestServer;
let port: number;
let credentials: { ca: Buffer; cert: Buffer; key: Buffer };

/** A command that repeats its input, says `err` on the other stream, and ends with code 3 when its input ends. */
class Echo implements ExecSession {
  readonly calls: unknown[] = [];
  #listener: (stream: "stdout" | "stderr", chunk: Uint8Array) => void = () => undefined;
  #end: (status: ExitStatus) => void = () => undefined;
  readonly done = new Promise<ExitStatus>((resolve) => (this.#end = resolve));
  async write(chunk: Uint8Array) {
    this.#listener("stdout", chunk);
    this.#listener("stderr", Buffer.from("err"));
  }
  closeStdin() {
    this.#end({ kind: "exited", code: 3 });
  }
  onOutput(listener: (stream: "stdout" | "stderr", chunk: Uint8Array) => void) {
    this.#listener = listener;
  }
  resize(columns: number, rows: number) {
    this.calls.push(["resize", columns, rows]);
  }
  kill() {
    this.calls.push("kill");
    this.#end({ kind: "exited", code: 137 });
  }
}

let session: Echo;
let asked: ExecOptions | undefined;
const agent: NodeAgent = {
  logs: async (_pod, _options, signal) => endless(signal),
  exec: async (_pod, options) => {
    asked = options;
    return (session = new Echo());
  },
  attach: async () => (session = new Echo()),
  dial: () => Promise.reject(new Error("not asked for")),
};

async function* endless(signal: AbortSignal) {
  yield Buffer.from("first\n");
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}

beforeEach(async () => {
  api = new TestServer({
    clock: realClock,
    nodeAgent: () => agent,
    allowLoopbackEndpoints: true,
    requestLimits: { bodyBytes: 10_000 },
  });
  await api.server.start();
  ({ port } = await api.server.listen());
  const config = parse(await api.server.adminKubeconfig("test"));
  const bytes = (text: string) => Buffer.from(text, "base64");
  const { "client-certificate-data": cert, "client-key-data": key } = config.users[0].user;
  expect(config.clusters[0].cluster.server).toBe(`https://127.0.0.1:${port}`);
  credentials = { ca: bytes(config.clusters[0].cluster["certificate-authority-data"]), cert: bytes(cert), key: bytes(key) };
});

afterEach(() => api.server.stop());

interface Reply {
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

/** One request over HTTP/1.1. */
function send(
  path: string,
  options: { method?: string; body?: string | Buffer; headers?: Record<string, string>; identity?: object } = {},
): Promise<Reply> {
  const { method = "GET", body, headers = {}, identity = credentials } = options;
  return new Promise((resolve, reject) => {
    const outgoing = httpsRequest(
      { host: "127.0.0.1", port, path, method, headers, ca: credentials.ca, agent: false, ...identity },
      (response) => {
        let text = "";
        response.on("data", (chunk) => (text += chunk));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, text, headers: response.headers }));
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

describe("who asks", () => {
  test("is known by certificate, by token, or not at all", async () => {
    expect((await send("/api/v1/services")).status).toBe(200);
    const anonymous = await send("/api/v1/services", { identity: {} });
    expect(JSON.parse(anonymous.text)).toMatchObject({
      code: 403,
      message: expect.stringContaining('User "system:anonymous" cannot list'),
    });
    expect((await send("/readyz", { identity: {} })).text).toBe("ok");
    expect(JSON.parse((await send("/version", { identity: {}, headers: { authorization: "Bearer nonsense" } })).text)).toMatchObject({
      code: 401,
    });
  });

  test("is nobody else by a certificate that another authority signed", async () => {
    const keys = newKeyPair();
    const subject = { commonName: "kubernetes-admin", organizations: ["system:masters"] };
    const now = Date.now();
    const cert = issueCertificate({ subject, keys, usage: "client", notBefore: now - 1000, notAfter: now + 100_000 });
    const reply = await send("/api/v1/services", { identity: { cert, key: privateKeyPem(keys) } });
    expect(JSON.parse(reply.text)).toMatchObject({ code: 401, reason: "Unauthorized" });
  });
});

describe("HTTP/1.1", () => {
  test("carries objects, lists and refusals", async () => {
    const made = await send("/api/v1/namespaces/default/configmaps", {
      method: "POST",
      body: JSON.stringify({ metadata: { name: "a" }, data: { x: "ä" } }),
      headers: { "content-type": "application/json" },
    });
    expect([made.status, JSON.parse(made.text).data]).toEqual([201, { x: "ä" }]);
    expect(JSON.parse((await send("/api/v1/configmaps")).text).items).toHaveLength(1);
    expect((await send("/api/v1/configmaps", { method: "HEAD" })).text).toBe("");
    for (const [path, code] of [
      ["/api/v1/%zz", 400],
      ["/nope", 404],
    ] as const)
      expect(JSON.parse((await send(path)).text)).toMatchObject({ kind: "Status", code });
    expect(JSON.parse((await send("/", { method: "PROPFIND" })).text)).toMatchObject({ code: 405 });
  });

  test("refuses what is too large", async () => {
    const body = JSON.stringify({ metadata: { name: "a" }, data: { x: "y".repeat(20_000) } });
    const reply = await send("/api/v1/namespaces/default/configmaps", { method: "POST", body });
    expect(JSON.parse(reply.text)).toMatchObject({ code: 413, message: "Request entity too large: limit is 10000" });
    expect((await send("/version", { headers: { "x-large": "y".repeat(100_000) } })).status).toBe(431);
  });

  test("answers what is no HTTP, and lives on", async () => {
    const text = await new Promise<string>((resolve, reject) => {
      const socket = tlsConnect({ host: "127.0.0.1", port, ...credentials }, () => socket.write("NONSENSE\r\n\r\n"));
      let seen = "";
      socket.on("data", (chunk) => (seen += chunk));
      socket.on("close", () => resolve(seen));
      socket.on("error", reject);
    });
    expect(text).toMatch(/^HTTP\/1.1 400 Bad Request/);
    expect((await send("/version")).status).toBe(200);
  });
});

describe("HTTP/2", () => {
  test("carries many watches on one connection, and ends them when the server stops", async () => {
    const client = h2connect(`https://127.0.0.1:${port}`, credentials);
    const seen: string[] = [];
    const ended: Promise<unknown>[] = [];
    const opened: Promise<unknown>[] = [];
    for (let i = 0; i < 20; i++) {
      const stream = client.request({ ":path": "/api/v1/namespaces/default/configmaps?watch=1" });
      stream.on("data", (chunk: Buffer) =>
        seen.push(
          ...chunk
            .toString()
            .split("\n")
            .filter((line) => line !== ""),
        ),
      );
      opened.push(new Promise((resolve) => stream.once("response", resolve)));
      ended.push(new Promise((resolve) => stream.once("close", resolve)));
    }
    await Promise.all(opened);
    await api.post("/api/v1/namespaces/default/configmaps", { metadata: { name: "a" } });
    while (seen.length < 20) await new Promise((resolve) => setImmediate(resolve));
    expect(new Set(seen.map((line) => JSON.parse(line).type))).toEqual(new Set(["ADDED"]));
    await api.server.stop();
    await Promise.all(ended);
    client.destroy();
  });

  test("goes on after a client that leaves in the middle of a log", async () => {
    await api.post("/api/v1/namespaces/default/pods", {
      metadata: { name: "p" },
      spec: { nodeName: "n", containers: [{ name: "c", image: "x" }] },
    });
    const client = h2connect(`https://127.0.0.1:${port}`, credentials);
    const stream = client.request({ ":path": "/api/v1/namespaces/default/pods/p/log?follow=true" });
    expect(await new Promise((resolve) => stream.once("data", (chunk: Buffer) => resolve(chunk.toString())))).toBe("first\n");
    client.destroy();
    expect((await send("/version")).status).toBe(200);
  });
});

test("stops at once though clients keep their connections, and answers what is under way", async () => {
  const agent = new Agent({ keepAlive: true });
  expect((await send("/version", { identity: { ...credentials, agent } })).status).toBe(200);
  const watching = send("/api/v1/services?watch=1", { identity: { ...credentials, agent } });
  await expect.poll(async () => (await api.get("/metrics")).body).toContain('apiserver_request_total{verb="WATCH"');
  await api.server.stop();
  expect((await watching).text).toContain('"type":"ADDED"');
  agent.destroy();
});

describe("exec", () => {
  const path = "/api/v1/namespaces/default/pods/p/exec?command=cat&command=-&stdin=true&stdout=true&stderr=true";

  beforeEach(async () => {
    await api.post("/api/v1/namespaces/default/pods", {
      metadata: { name: "p" },
      spec: { nodeName: "n", containers: [{ name: "c", image: "x" }] },
    });
  });

  const open = (protocols: string[]) => new WebSocket(`wss://127.0.0.1:${port}${path}`, protocols, credentials);

  test("carries streams, sizes and the exit code over one WebSocket", async () => {
    const socket = open(["v5.channel.k8s.io", "v4.channel.k8s.io"]);
    const frames: [number, string][] = [];
    socket.on("message", (data: Buffer) => frames.push([data[0] as number, data.subarray(1).toString()]));
    await new Promise((resolve) => socket.once("open", resolve));
    expect([socket.protocol, asked?.command, asked?.container]).toEqual(["v5.channel.k8s.io", ["cat", "-"], "c"]);
    socket.send(Buffer.from('\x04{"Width":80,"Height":24}'));
    socket.send(Buffer.from("\x00hello"));
    socket.send(Buffer.from([255, 0]));
    await new Promise((resolve) => socket.once("close", resolve));
    expect(frames.slice(0, 2)).toEqual([
      [1, "hello"],
      [2, "err"],
    ]);
    expect(frames[2]?.[0]).toBe(3);
    expect(JSON.parse(frames[2]?.[1] ?? "")).toMatchObject({
      status: "Failure",
      reason: "NonZeroExitCode",
      details: { causes: [{ reason: "ExitCode", message: "3" }] },
    });
    expect(session.calls).toEqual([["resize", 80, 24]]);
  });

  test("ends the command when the client goes away", async () => {
    const socket = open(["v5.channel.k8s.io"]);
    await new Promise((resolve) => socket.once("open", resolve));
    socket.terminate();
    await session.done;
    expect(session.calls).toEqual(["kill"]);
  });

  test("refuses with a reason what it cannot do", async () => {
    const upgrade = (headers: Record<string, string>) => send(path, { headers: { connection: "Upgrade", ...headers } });
    const other = JSON.parse((await upgrade({ upgrade: "h2c" })).text);
    expect(other).toMatchObject({ code: 400, message: expect.stringContaining("this server speaks websocket and SPDY/3.1") });
    const spdy = JSON.parse((await upgrade({ upgrade: "SPDY/3.1" })).text);
    expect(spdy).toMatchObject({ code: 400, message: expect.stringContaining("none of the offered protocols") });
    expect((await send(path)).status).toBe(400);
    const refused = await new Promise<number>((resolve) => {
      const socket = open(["v9.channel.k8s.io"]);
      socket.on("unexpected-response", (_request, response) => resolve(response.statusCode ?? 0));
      socket.on("error", () => undefined);
    });
    expect(refused).toBe(400);
  });
});

test("a port that is taken is named", async () => {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve));
  const { port } = holder.address() as { port: number };
  const second = new TestServer({ port });
  await second.server.start();
  await expect(second.server.listen()).rejects.toMatchObject({
    code: "FL_LISTEN",
    message: `127.0.0.1:${port} is in use by another program`,
  });
  await second.server.stop();
  await new Promise((resolve) => holder.close(resolve));
});

test("a listening socket made elsewhere serves the same, under its own address, and is where pods are sent", async (ctx) => {
  const koffi = await import("koffi").then(
    (module) => module.default,
    () => undefined,
  );
  if (koffi === undefined) return ctx.skip("needs koffi, to have a descriptor that no handle of Node owns");
  const maker = createServer();
  await new Promise<void>((resolve) => maker.listen(0, "127.0.0.2", resolve));
  const dup = koffi.load(null).func("int dup(int)");
  const { fd } = (maker as unknown as { readonly _handle: { readonly fd: number } })._handle;
  const door = { fd: dup(fd) as number, port: (maker.address() as { port: number }).port };
  await new Promise((resolve) => maker.close(resolve));
  const second = new TestServer({ clock: realClock, allowLoopbackEndpoints: true, serverAddresses: ["127.0.0.2"] });
  await second.server.start();
  await second.server.listenAlso({ fd: door.fd, address: { host: "127.0.0.2", port: door.port } });
  await second.server.listen();
  const ca = second.server.certificateAuthority;
  const status = await new Promise((resolve, reject) =>
    httpsRequest({ host: "127.0.0.2", port: door.port, path: "/readyz", ca, agent: false }, (reply) => resolve(reply.statusCode))
      .on("error", reject)
      .end(),
  );
  expect(status).toBe(200);
  const { body } = await second.get("/api/v1/namespaces/default/endpoints/kubernetes");
  expect(body.subsets[0]).toMatchObject({ addresses: [{ ip: "127.0.0.2" }], ports: [{ port: door.port }] });
  expect(await second.server.adminKubeconfig("a")).toMatch(/server: "?https:\/\/127\.0\.0\.1:/);
  await second.server.stop();
});

test("the Service of the API leads to the listener", async () => {
  const { body } = await api.get("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes");
  expect(body).toMatchObject({ endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready: true } }], ports: [{ name: "https", port }] });
  expect((await api.get("/api/v1/namespaces/default/endpoints/kubernetes")).body.subsets).toEqual([
    { addresses: [{ ip: "127.0.0.1" }], ports: [{ name: "https", port, protocol: "TCP" }] },
  ]);
});

test("a long answer is compressed for who can read it, a short one is not", async () => {
  const data = "x".repeat(9_000);
  for (let index = 0; index < 40; index++)
    await api.post("/api/v1/namespaces/default/configmaps", { metadata: { name: `long-${index}` }, data: { data } });
  const fetchBytes = (path: string, encoding: string) =>
    new Promise<{ headers: IncomingHttpHeaders; bytes: Buffer }>((resolve, reject) => {
      const options = { host: "127.0.0.1", port, path, headers: { "accept-encoding": encoding }, agent: false, ...credentials };
      httpsRequest(options, (response) => {
        const pieces: Buffer[] = [];
        response.on("data", (piece: Buffer) => pieces.push(piece));
        response.on("end", () => resolve({ headers: response.headers, bytes: Buffer.concat(pieces) }));
      })
        .on("error", reject)
        .end();
    });
  const list = "/api/v1/namespaces/default/configmaps";
  const [plain, short] = [await fetchBytes(list, "identity"), await fetchBytes(list, "br, gzip")];
  expect([plain.headers["content-encoding"], short.headers["content-encoding"]]).toEqual([undefined, "gzip"]);
  expect(short.bytes.length).toBeLessThan(plain.bytes.length / 4);
  expect(gunzipSync(short.bytes).equals(plain.bytes)).toBe(true);
  expect((await fetchBytes(`${list}/long-0`, "gzip")).headers["content-encoding"]).toBeUndefined();
  expect((await fetchBytes("/openapi/v2", "gzip")).headers["content-encoding"]).toBe("gzip");
  expect((await fetchBytes("/openapi/v2", "gzip;q=0")).headers["content-encoding"]).toBeUndefined();
});

test("a certificate that is about to end is replaced while the server runs", async () => {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-renewal-"));
  const day = 86_400_000;
  const second = new TestServer({ pkiDirectory: directory, allowLoopbackEndpoints: true });
  const now = second.clock.now();
  const held = await ensureCertificates({ directory, addresses: ["10.96.0.1", "127.0.0.1"], now: now - 334 * day });
  await second.server.start();
  const { port } = await second.server.listen();
  const served = () =>
    new Promise<string>((resolve, reject) => {
      const socket = tlsConnect({ host: "127.0.0.1", port, rejectUnauthorized: false }, () => {
        resolve(socket.getPeerX509Certificate()?.toString() ?? "");
        socket.destroy();
      });
      socket.on("error", reject);
    });
  expect(await served()).toBe(held.server.cert);
  await second.clock.advance(2 * day);
  await expect.poll(async () => (await served()) !== held.server.cert, { timeout: 15_000 }).toBe(true);
  expect(second.server.certificateAuthority).toBe(held.ca);
  await second.server.stop();
  rmSync(directory, { recursive: true });
});
