import { createServer as createHttpServer, request as httpRequest, type IncomingMessage } from "node:http";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeClock } from "../../lib/clock.ts";
import { silentLogger } from "../../lib/log.ts";
import { connectTcp } from "../connect.ts";
import { createForwardProxy, type ClientPod, type ConnectFailure, type ForwardProxy } from "./index.ts";

const pod: ClientPod = { namespace: "shop", name: "web-1", ip: "127.97.202.1" };
let proxy: ForwardProxy;
let asked: string[] = [];
const clock = new FakeClock();
const open: (() => unknown)[] = [];

function dial(ip: string, port: number, client: ClientPod): Promise<Socket | ConnectFailure> {
  asked.push(`${ip}:${port} for ${client.name}`);
  return new Promise((resolve) => {
    connectTcp({ host: ip, port, timeoutMs: 1000, localAddress: client.ip }, (result) => {
      resolve(
        "failed" in result
          ? { kind: "failed", why: result.failed === "ETIMEDOUT" ? "timeout" : "refused", message: `${ip}:${port}: ${result.failed}` }
          : result,
      );
    });
  });
}

beforeEach(async () => {
  asked = [];
  proxy = createForwardProxy({
    listen: { host: "127.0.0.1", port: 0 },
    identify: (user, password) => (user === "shop.web-1" && password === "secret" ? pod : undefined),
    resolve: async (host) => (host === "slow" ? ["127.0.0.99"] : host.startsWith("target") ? ["127.0.0.1"] : []),
    dial: (ip, port, client) =>
      ip === "127.0.0.99" ? Promise.resolve({ kind: "failed", why: "timeout", message: "no answer" }) : dial(ip, port, client),
    log: silentLogger,
    clock,
  });
  await proxy.start();
});

afterEach(async () => {
  await proxy.stop();
  for (const close of open.splice(0)) await close();
});

const auth = `Basic ${Buffer.from("shop.web-1:secret").toString("base64")}`;
const portOf = (server: Server | ReturnType<typeof createHttpServer>) => (server.address() as AddressInfo).port;
const proxyPort = () => Number(proxy.address.split(":")[1]);

async function listening<T extends Server | ReturnType<typeof createHttpServer>>(server: T): Promise<number> {
  server.listen(0, "127.0.0.1");
  await new Promise((ready) => server.once("listening", ready));
  open.push(() => server.close());
  return portOf(server);
}

/** What a raw client gets for what it sends, until the other side ends. */
function exchange(text: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(proxyPort(), "127.0.0.1");
    let got = "";
    socket.on("data", (data) => (got += data.toString("latin1")));
    socket.on("error", reject);
    socket.on("end", () => resolve(got));
    socket.write(text);
  });
}

describe("HTTP", () => {
  interface Answer {
    readonly status: number;
    readonly headers: readonly string[];
    readonly body: string;
    readonly trailers: readonly string[];
  }

  function ask(url: string, options: { method?: string; headers?: string[]; body?: string[] } = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const outgoing = httpRequest({
        host: "127.0.0.1",
        port: proxyPort(),
        path: url,
        method: options.method ?? "GET",
        headers: ["Host", "wrong.example", "Proxy-Authorization", auth, ...(options.headers ?? [])],
      });
      outgoing.on("error", reject);
      outgoing.on("response", (response: IncomingMessage) => {
        let body = "";
        response.on("data", (data) => (body += String(data)));
        response.on("error", reject);
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, headers: response.rawHeaders, body, trailers: response.rawTrailers }),
        );
      });
      for (const part of options.body ?? []) outgoing.write(part);
      outgoing.end();
    });
  }

  test("a request in absolute form goes on without what concerns the proxy", async () => {
    const port = await listening(
      createHttpServer((request, response) => {
        response.writeHead(201, ["X-Multi", "1", "X-Multi", "2", "Connection", "X-Secret", "X-Secret", "s", "Trailer", "X-Sum"]);
        response.write(JSON.stringify({ url: request.url, headers: request.rawHeaders, from: request.socket.remoteAddress }));
        response.addTrailers({ "X-Sum": "7" });
        response.end();
      }),
    );
    const got = await ask(`http://target:${port}/a?b=c`, {
      headers: ["X-Twice", "a", "X-Twice", "b", "X-Hop", "h", "Connection", "X-Hop, close", "Proxy-Connection", "close"],
    });
    expect(got.status).toBe(201);
    const seen = JSON.parse(got.body) as { url: string; headers: string[]; from: string };
    expect(seen).toEqual({
      url: "/a?b=c",
      headers: ["X-Twice", "a", "X-Twice", "b", "Host", `target:${port}`, "Via", "1.1 fairlead", "Connection", "close"],
      from: pod.ip,
    });
    expect(got.headers.join()).toContain("X-Multi,1,X-Multi,2");
    expect(got.headers).not.toContain("X-Secret");
    expect(got.trailers).toEqual(["X-Sum", "7"]);
    expect(asked).toEqual([`127.0.0.1:${port} for web-1`]);
  });

  test("bodies with and without a length, and Expect: 100-continue, arrive as sent", async () => {
    const port = await listening(
      createHttpServer((request, response) => {
        let body = "";
        request.on("data", (data) => (body += String(data)));
        request.on("end", () => response.end(`${request.headers["content-length"]} ${request.headers["transfer-encoding"]} ${body}`));
      }),
    );
    const url = `http://target:${port}`;
    expect((await ask(url, { method: "POST", headers: ["Content-Length", "4"], body: ["ab", "cd"] })).body).toBe("4 undefined abcd");
    expect((await ask(url, { method: "DELETE", headers: ["Transfer-Encoding", "chunked"], body: ["ab", "cd"] })).body).toBe(
      "undefined chunked abcd",
    );
    expect((await ask(url, { method: "PUT", headers: ["Content-Length", "2", "Expect", "100-continue"], body: ["ab"] })).body).toBe(
      "2 undefined ab",
    );
    expect((await ask(url, { method: "HEAD" })).body).toBe("");
  });

  test("strangers, unknown names, closed ports and silent targets are refused with a reason", async () => {
    const closed = createServer();
    const port = await listening(closed);
    await new Promise((done) => closed.close(done));
    const head = (text: string) => text.split("\r\n")[0];
    expect(await exchange("GET http://target/ HTTP/1.1\r\nHost: x\r\n\r\n")).toMatch(
      /^HTTP\/1\.1 407 [^]*Proxy-Authenticate: Basic realm="fairlead"/,
    );
    expect(
      head(
        await exchange(
          `GET http://target/ HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic ${Buffer.from("a:b").toString("base64")}\r\n\r\n`,
        ),
      ),
    ).toContain("407");
    expect(head(await exchange(`GET / HTTP/1.1\r\nHost: x\r\nProxy-Authorization: ${auth}\r\n\r\n`))).toContain("400");
    expect(await ask("http://nowhere/")).toMatchObject({ status: 502, body: "nowhere: no such name (asked as pod shop/web-1)\n" });
    expect(await ask(`http://target:${port}/`)).toMatchObject({ status: 502, body: `127.0.0.1:${port}: ECONNREFUSED\n` });
    expect(await ask("http://slow/")).toMatchObject({ status: 504 });
    expect(head(await exchange("\u0001\u0002\r\n\r\n"))).toContain("400");
  });

  test("a target that breaks off before it answers is a 502; amid the answer the client's connection breaks too", async () => {
    const port = await listening(createServer((socket) => socket.once("data", () => socket.resetAndDestroy())));
    expect((await ask(`http://target:${port}/`)).status).toBe(502);
    const half = await listening(
      createServer((socket) =>
        socket.once(
          "data",
          () => (socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), setImmediate(() => socket.destroy())),
        ),
      ),
    );
    await expect(ask(`http://target:${half}/`)).rejects.toMatchObject({ code: "ECONNRESET" });
  });

  test("CONNECT joins the sockets, first bytes included; refusals say why", async () => {
    const port = await listening(createServer((socket) => socket.on("data", (data) => socket.end(`echo ${String(data)}`))));
    const got = await exchange(`CONNECT target:${port} HTTP/1.1\r\nHost: x\r\nProxy-Authorization: ${auth}\r\n\r\nhello`);
    expect(got).toBe("HTTP/1.1 200 Connection established\r\n\r\necho hello");
    expect(await exchange(`CONNECT target:${port} HTTP/1.1\r\nHost: x\r\n\r\n`)).toContain("HTTP/1.1 407 ");
    expect(await exchange(`CONNECT nowhere:443 HTTP/1.1\r\nHost: x\r\nProxy-Authorization: ${auth}\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 502 [^]*nowhere: no such name/,
    );
    expect(await exchange(`CONNECT nowhere HTTP/1.1\r\nHost: x\r\nProxy-Authorization: ${auth}\r\n\r\n`)).toContain("HTTP/1.1 400 ");
  });

  test("an upgrade in absolute form is passed on and joined", async () => {
    const server = createHttpServer();
    server.on("upgrade", (request, socket, head) => {
      socket.unshift(head);
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
      socket.on("data", (data: Buffer) =>
        socket.end(`${request.url} ${request.headers.upgrade} ${request.headers["proxy-authorization"]} ${String(data)}`),
      );
    });
    const port = await listening(server);
    const got = await exchange(
      `GET ws://target:${port}/chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\nProxy-Authorization: ${auth}\r\n\r\nhi`,
    );
    expect(got).toContain("101 Switching Protocols");
    expect(got).toContain("/chat echo undefined hi");
  });
});

describe("SOCKS5", () => {
  const word = (text: string) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
  const hello = Buffer.from([5, 2, 0, 2]);
  const login = (password = "secret") => Buffer.concat([Buffer.from([1]), word("shop.web-1"), word(password)]);
  const to = (address: Buffer, port: number, command = 1) =>
    Buffer.concat([Buffer.from([5, command, 0]), address, Buffer.from([port >> 8, port & 255])]);
  const byName = (name: string) => Buffer.concat([Buffer.from([3]), word(name)]);
  const bytes = (text: string) => [...Buffer.from(text, "latin1")];
  const granted = [5, 2, 1, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0];

  test("by name, by IPv4 address, all at once or byte by byte", async () => {
    const port = await listening(
      createServer((socket) => socket.on("data", (data) => socket.end(`${socket.remoteAddress} ${String(data)}`))),
    );
    for (const address of [byName("target.shop"), Buffer.from([1, 127, 0, 0, 1])]) {
      const got = bytes(await exchange(Buffer.concat([hello, login(), to(address, port), Buffer.from("hello")])));
      expect(got.slice(0, granted.length)).toEqual(granted);
      expect(String.fromCharCode(...got.slice(granted.length))).toBe(`${pod.ip} hello`);
    }
    const slowly = connect(proxyPort(), "127.0.0.1").setNoDelay();
    const got = new Promise<string>((resolve) => {
      let text = "";
      slowly.on("data", (data) => (text += data.toString("latin1")));
      slowly.on("end", () => resolve(text));
    });
    for (const byte of Buffer.concat([hello, login(), to(byName("target"), port)])) {
      slowly.write(Buffer.from([byte]));
      await new Promise((next) => setImmediate(next));
    }
    slowly.write("hello");
    expect(await got).toContain(`${pod.ip} hello`);
  });

  test("refusals carry reply codes", async () => {
    const closed = createServer();
    const port = await listening(closed);
    await new Promise((done) => closed.close(done));
    const answer = async (...parts: Buffer[]) => bytes(await exchange(Buffer.concat(parts)));
    expect(await answer(Buffer.from([5, 1, 0]))).toEqual([5, 0xff]);
    expect(await answer(hello, login("wrong"))).toEqual([5, 2, 1, 1]);
    const code = async (request: Buffer) => (await answer(hello, login(), request))[5];
    expect(await code(to(byName("nowhere"), 80))).toBe(4);
    expect(await code(to(byName("target"), port))).toBe(5);
    expect(await code(to(byName("slow"), 80))).toBe(6);
    expect(await code(to(byName("target"), port, 2))).toBe(7);
    expect(await code(Buffer.from([5, 1, 0, 9]))).toBe(8);
  });

  test("a client that says nothing is let go; stop leaves nothing", async () => {
    for (const text of ["", "\u0005", "GET http://target/ HT"]) {
      const socket = connect(proxyPort(), "127.0.0.1");
      socket.write(text);
      // Cut off with bytes unread it is a reset, else an end: `close` follows both.
      const closed = new Promise((done) => socket.on("error", () => {}).once("close", done));
      while (clock.pending === 0) await new Promise((next) => setImmediate(next));
      clock.advance(10_000);
      await closed;
    }
    expect(clock.pending).toBe(0);
    await proxy.stop();
    expect(proxy.ready()).toEqual({ ready: false, reason: "the forward proxy does not listen" });
  });
});
