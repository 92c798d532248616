/** Transports of the server, with sockets and certificates: TLS, HTTPS, gRPC, PROXY headers, batches, and clients that misbehave. */
import { createSocket } from "node:dgram";
import { connect as connectHttp2 } from "node:http2";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { createAuthority, issueCertificate } from "./certificates.cases.ts";
import { loadLibc } from "../../host/syscalls/libc.ts";
import { realClock } from "../../lib/clock.ts";
import { silentLogger } from "../../lib/log.ts";
import { MetricsRegistry } from "../../lib/metrics.ts";
import { recordTypes as T } from "../../decide/dns/records.ts";
import { exchangeUdp } from "../client/exchange.ts";
import { GrpcClient } from "../plugins/grpc/client.ts";
import { decode } from "../wire/decode.ts";
import { encode } from "../wire/encode.ts";
import { createQuery, type Message } from "../wire/message.ts";
import { recordText } from "../wire/text.ts";
import { createDnsServer, type DnsServer } from "./server.ts";

const folder = mkdtempSync(join(tmpdir(), "fairlead-dns-"));
const running: DnsServer[] = [];
let authority = "";

beforeAll(() => {
  const ca = createAuthority();
  const issued = issueCertificate(ca, ["dns.example.org", "127.0.0.1"]);
  authority = ca.certificate;
  writeFileSync(join(folder, "cert.pem"), issued.certificate);
  writeFileSync(join(folder, "key.pem"), issued.key);
});

afterEach(async () => void (await Promise.all(running.splice(0).map((server) => server.stop()))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const hosts = "hosts /nowhere/hosts {\n10.0.0.1 a.example.org\n10.0.0.2 a.example.org\n10.0.0.3 a.example.org\nfallthrough\n}";

async function serve(
  corefile: string,
  options: { readonly batch?: boolean } = {},
): Promise<{ readonly server: DnsServer; readonly port: number; readonly metrics: MetricsRegistry }> {
  const metrics = new MetricsRegistry();
  const server = createDnsServer({
    corefile,
    file: join(folder, "Corefile"),
    plugins: { kubernetes: undefined },
    listen: () => [{ host: "127.0.0.1", port: 0 }],
    httpPort: () => undefined,
    clock: realClock,
    log: silentLogger,
    metrics,
    ...options,
  });
  await server.start();
  running.push(server);
  return { server, metrics, port: [...server.addresses().values()][0]?.port ?? 0 };
}

const secured = (transport: string, block: string) => `${transport}://. {\ntls cert.pem key.pem\n${block}\n}`;
const query = createQuery("a.example.org.", T.A, { id: 7 });
const addresses = (message: Message | undefined) => (message?.answers ?? []).map(recordText).sort();
const wanted = ["1", "2", "3"].map((end) => `a.example.org. 3600 IN A 10.0.0.${end}`);

function message(bytes: Uint8Array | undefined): Message {
  const decoded = bytes === undefined ? undefined : decode(bytes);
  if (decoded?.kind !== "ok") throw new Error("no message");
  return decoded.message;
}

function framed(bytes: Uint8Array): Buffer {
  return Buffer.concat([Uint8Array.of(bytes.length >> 8, bytes.length & 255), bytes]);
}

/** The first message that comes on a stream. */
function firstMessage(socket: NodeJS.ReadableStream): Promise<Message> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("closed")));
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) resolve(message(received.subarray(2)));
    });
  });
}

describe("encrypted", () => {
  test("DNS over TLS answers, and pads for who pads", async () => {
    const { port } = await serve(secured("tls", hosts));
    const socket = connectTls({ host: "127.0.0.1", port, ca: authority, servername: "dns.example.org" });
    const edns = { version: 0, udpSize: 1232, dnssecOk: false, options: [{ code: 12, data: new Uint8Array(4) }] };
    socket.write(framed(encode({ ...query, edns })));
    const answer = await firstMessage(socket);
    expect(addresses(answer)).toEqual(wanted);
    expect(encode(answer).length % 468).toBe(0);
    socket.destroy();
  });

  test("a client without a certificate is turned away where one is required", async () => {
    const { port } = await serve(`tls://. {\ntls cert.pem key.pem {\nclient_auth require\n}\n${hosts}\n}`);
    const socket = connectTls({ host: "127.0.0.1", port, ca: authority, servername: "dns.example.org" });
    socket.write(framed(encode(query)));
    await expect(firstMessage(socket)).rejects.toThrow();
  });

  test("DNS over HTTPS answers GET and POST, tells its time, and refuses what is none", async () => {
    const { port } = await serve(secured("https", hosts));
    const session = connectHttp2(`https://127.0.0.1:${port}`, { ca: authority, servername: "dns.example.org" });
    const ask = (headers: Record<string, string>, body?: Uint8Array) =>
      new Promise<{ readonly status: number; readonly control: string; readonly body: Buffer }>((resolve, reject) => {
        const stream = session.request(headers, { endStream: body === undefined });
        const chunks: Buffer[] = [];
        let [status, control] = [0, ""];
        stream.on("response", (found) => {
          status = Number(found[":status"]);
          control = String(found["cache-control"] ?? "");
        });
        stream.on("data", (chunk: Buffer) => chunks.push(chunk));
        stream.on("error", reject);
        stream.on("close", () => resolve({ status, control, body: Buffer.concat(chunks) }));
        if (body !== undefined) stream.end(body);
      });
    const got = await ask({ ":path": `/dns-query?dns=${encode(query).toString("base64url")}` });
    expect([got.status, got.control]).toEqual([200, "max-age=3600"]);
    expect(addresses(message(got.body))).toEqual(wanted);
    const posted = await ask({ ":method": "POST", ":path": "/dns-query", "content-type": "application/dns-message" }, encode(query));
    expect(addresses(message(posted.body))).toEqual(wanted);
    expect((await ask({ ":path": "/elsewhere" })).status).toBe(404);
    expect((await ask({ ":path": "/dns-query?dns=*" })).status).toBe(400);
    expect((await ask({ ":method": "POST", ":path": "/dns-query", "content-type": "text/plain" }, Buffer.from("x"))).status).toBe(415);
    session.destroy();
  });

  test("gRPC answers with and without TLS", async () => {
    const open = await serve(`grpc://. {\n${hosts}\n}`);
    const plain = new GrpcClient({ host: "127.0.0.1", port: open.port }, undefined);
    expect(addresses(message(await plain.ask(encode(query))))).toEqual(wanted);
    plain.stop();
    const closed = await serve(secured("grpc", hosts));
    const secure = new GrpcClient({ host: "127.0.0.1", port: closed.port }, { ca: authority, servername: "dns.example.org" });
    expect(addresses(message(await secure.ask(encode(query))))).toEqual(wanted);
    secure.stop();
  });

  test("forward asks over TLS, HTTPS and gRPC, and only whom the certificate names", async () => {
    const [tls, https, grpc] = [
      await serve(secured("tls", hosts)),
      await serve(secured("https", hosts)),
      await serve(secured("grpc", hosts)),
    ];
    writeFileSync(join(folder, "ca.pem"), authority);
    const ask = async (block: string) => {
      const { server } = await serve(`. {\n${block}\n}`);
      return await server.query("a.example.org.", T.A);
    };
    const trust = "{\ntls ca.pem\ntls_servername dns.example.org\n}";
    expect(addresses(await ask(`forward . tls://127.0.0.1:${tls.port} ${trust}`))).toEqual(wanted);
    expect(addresses(await ask(`forward . https://127.0.0.1:${https.port} ${trust}`))).toEqual(wanted);
    expect(addresses(await ask(`grpc . 127.0.0.1:${grpc.port} ${trust}`))).toEqual(wanted);
    expect((await ask(`forward . tls://127.0.0.1:${tls.port} {\ntls ca.pem\ntls_servername other.example.org\n}`)).rcode).toBe(2);
  });
});

describe("the PROXY protocol", () => {
  const header = "PROXY TCP4 192.0.2.7 10.0.0.1 4711 53\r\n";
  const block = (more = "") => `. {\nproxyproto {\n${more}\n}\nwhoami\n}`;
  const v2 = Buffer.concat([
    Buffer.from("0d0a0d0a000d0a515549540a2112000c", "hex"),
    Buffer.from([192, 0, 2, 8, 10, 0, 0, 1, 0x12, 0x67, 0, 53]),
  ]);

  test("says who asks, in front of a connection and of a datagram", async () => {
    const { port } = await serve(block());
    const socket = connect({ host: "127.0.0.1", port });
    socket.write(Buffer.concat([Buffer.from(header), framed(encode(query))]));
    expect((await firstMessage(socket)).additionals.map(recordText)[0]).toBe("a.example.org. 0 IN A 192.0.2.7");
    socket.destroy();
    const udp = createSocket("udp4");
    const answer = new Promise<Buffer>((resolve) => udp.once("message", resolve));
    udp.send(Buffer.concat([v2, encode(query)]), port, "127.0.0.1");
    expect(message(await answer).additionals.map(recordText)[0]).toBe("a.example.org. 0 IN A 192.0.2.8");
    udp.close();
  });

  test("of others counts for nothing, or ends the connection", async () => {
    const ignored = await serve(block("allow 10.0.0.0/8"));
    const socket = connect({ host: "127.0.0.1", port: ignored.port });
    socket.write(Buffer.concat([Buffer.from(header), framed(encode(query))]));
    expect((await firstMessage(socket)).additionals.map(recordText)[0]).toBe("a.example.org. 0 IN A 127.0.0.1");
    socket.destroy();
    const rejected = await serve(block("allow 10.0.0.0/8\ndefault reject"));
    const other = connect({ host: "127.0.0.1", port: rejected.port });
    other.write(Buffer.concat([Buffer.from(header), framed(encode(query))]));
    await expect(firstMessage(other)).rejects.toThrow("closed");
  });
});

describe.skipIf(loadLibc() === undefined)("in batches", () => {
  const ask = (port: number, id: number) => exchangeUdp({ ...query, id }, { host: "127.0.0.1", port, clock: realClock, timeoutMs: 10_000 });

  test("answers are the same, every address takes its turn at the front, and each counts", async () => {
    const { port, metrics } = await serve(`. {\nprometheus\n${hosts}\nloadbalance\n}`, { batch: true });
    const fronts = new Set<string>();
    for (let id = 1; id <= 30; id++) {
      const answer = await ask(port, id);
      expect(answer.id).toBe(id);
      expect(addresses(answer)).toEqual(wanted);
      fronts.add(recordText(answer.answers[0] as Message["answers"][number]));
    }
    expect(fronts.size).toBe(3);
    const counted = /coredns_dns_requests_total\{.*type="A"\} 30/;
    await vi.waitFor(() => expect(metrics.text()).toMatch(counted), 20_000);
  });

  test("who asks is counted, one answer in 64 of those that are repeated, while somebody watches", async () => {
    const { server, port } = await serve(`. {\n${hosts}\n}`, { batch: true });
    const end = server.watch().begin();
    for (let id = 1; id <= 2 + 3 * 64; id++) await ask(port, id);
    await vi.waitFor(() => {
      const [client] = server.watch().report()?.clients ?? [];
      expect([client?.address, client?.names[0]?.name]).toEqual(["127.0.0.1", "a.example.org"]);
      // The first two are worked out in this thread, each counted by itself.
      expect(client?.queries).toBe(2 + 3 * 64);
      expect(client?.names[0]?.absolute).toBe(2 + 3 * 64);
    }, 30_000);
    end();
    expect(server.watch().report()).toBeUndefined();
  });

  test("a new Corefile is in the next answer", async () => {
    const { server, port } = await serve(`. {\n${hosts}\n}`, { batch: true });
    for (let id = 1; id < 5; id++) expect(addresses(await ask(port, id))).toEqual(wanted);
    expect((await server.reload(". {\nhosts /nowhere/hosts {\n10.9.9.9 a.example.org\n}\n}")).ok).toBe(true);
    await vi.waitFor(async () => expect(addresses(await ask(port, 9))).toEqual(["a.example.org. 3600 IN A 10.9.9.9"]), 20_000);
  });

  test("several sockets share a port", async () => {
    const { port } = await serve(`. {\nmultisocket 2\n${hosts}\n}`, { batch: true });
    for (let id = 1; id < 20; id++) expect(addresses(await ask(port, id))).toEqual(wanted);
  });
});

describe("clients that misbehave", () => {
  test("a connection that dribbles is ended, and others are answered", async () => {
    const { port } = await serve(`. {\ntimeouts {\nread 1s\nidle 30s\n}\n${hosts}\n}`);
    const slow = connect({ host: "127.0.0.1", port });
    const ended = new Promise<void>((resolve) => slow.once("close", () => resolve()));
    slow.on("error", () => undefined);
    slow.write(Uint8Array.of(0, 40));
    const dribble = setInterval(() => slow.write(Uint8Array.of(0)), 200);
    const good = connect({ host: "127.0.0.1", port });
    good.write(framed(encode(query)));
    expect(addresses(await firstMessage(good))).toEqual(wanted);
    await ended;
    clearInterval(dribble);
    good.destroy();
  });

  test.each([
    ["TCP", () => `. {\n${hosts}\n}`],
    ["TLS", () => secured("tls", hosts)],
  ])("who opens thousands of connections by %s and asks nothing keeps nobody out", { timeout: 120_000 }, async (kind, corefile) => {
    const { port } = await serve(corefile());
    const target = { host: "127.0.0.1", port };
    const idle: Socket[] = [];
    let open = 0;
    for (let i = 0; i < 2000; i++) {
      const socket = connect(target);
      socket.on("error", () => undefined);
      socket.on("close", () => open--);
      idle.push(socket);
      await once(socket, "connect");
      open++;
    }
    const good = kind === "TLS" ? connectTls({ ...target, ca: authority, servername: "dns.example.org" }) : connect(target);
    if (kind === "TLS") await once(good, "secureConnect");
    good.write(framed(encode(query)));
    expect(addresses(await firstMessage(good))).toEqual(wanted);
    await vi.waitFor(() => expect(open).toBeLessThanOrEqual(512), 60_000);
    good.destroy();
    for (const socket of idle) socket.destroy();
  });

  test("no more questions than allowed are taken on one connection", async () => {
    const { port } = await serve(`. {\ntimeouts {\nmaxtcpqueries 2\n}\n${hosts}\n}`);
    const socket = connect({ host: "127.0.0.1", port });
    let received = 0;
    socket.on("data", (chunk: Buffer) => (received += chunk.length));
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    socket.on("error", () => undefined);
    for (let i = 0; i < 3; i++) socket.write(framed(encode(query)));
    await closed;
    expect(received).toBeLessThan(3 * framed(encode(query)).length + 400);
  });
});
