/** Whom a request is from, when something stands between: PROXY headers in and out, trusted proxies, one port for HTTP and TLS. */
import { connect as connectTls } from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import { encodeProxyHeader, parseProxyHeader, type ProxyHeader } from "../../net/proxy-protocol.ts";
import { openLocalAuthority } from "../local-authority.ts";
import { collecting, httpEndpoint, Opened, rawClient, rawEndpoint, startEngine, type TestEngine } from "../testing.ts";
import type { EngineListen } from "./engine.ts";
import { trustedClient } from "./trusted-hops.ts";

const patient = 60_000;
const opened = new Opened();
afterEach(() => opened.closeAll());

const addresses = { source: { address: "192.0.2.7", port: 4711 }, destination: { address: "198.51.100.1", port: 443 } };
const get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/** An endpoint that says from whom it thinks the request is. */
async function named(limits = {}): Promise<TestEngine> {
  const { port } = await httpEndpoint(opened, ({ headers }, response) => {
    response.end(`${String(headers["x-forwarded-proto"])} from ${String(headers["x-forwarded-for"])}`);
  });
  return startEngine(opened, [port], limits);
}

async function listen({ engine }: TestEngine, more: Partial<EngineListen>): Promise<number> {
  const listener = await engine.listen({ name: "http", protocol: "HTTP", host: "127.0.0.1", port: 0, ...more });
  if (listener.kind === "failed") throw new Error(listener.message);
  return listener.port;
}

async function withCertificate(engine: TestEngine): Promise<void> {
  const authority = await openLocalAuthority({ now: () => Date.now() });
  engine.engine.publish({ certificates: [{ host: "*", ...authority.certificateFor("a.localhost") }] });
}

function secureClient(port: number, before?: Buffer) {
  const { socket } = rawClient(opened, port);
  if (before !== undefined) socket.write(before);
  const secured = connectTls({ socket, rejectUnauthorized: false, servername: "a.localhost", ALPNProtocols: ["http/1.1"] });
  return collecting(opened.add(secured, () => secured.destroy()));
}

describe("a PROXY header in front", () => {
  test.for([1, 2] as const)("version %s from a trusted load balancer names the client", { timeout: patient }, async (version) => {
    const port = await listen(await named(), { proxyProtocol: ["127.0.0.0/8"] });
    const client = rawClient(opened, port);
    client.send(encodeProxyHeader(version, addresses));
    client.send(get);
    expect(await client.closed()).toContain("http from 192.0.2.7");
  });

  test("byte by byte, with the request right behind it", { timeout: patient }, async () => {
    const port = await listen(await named(), { proxyProtocol: ["127.0.0.1/32"] });
    const client = rawClient(opened, port);
    for (const byte of Buffer.concat([encodeProxyHeader(1, addresses), Buffer.from(get)])) client.send(Buffer.from([byte]));
    expect(await client.closed()).toContain("http from 192.0.2.7");
  });

  test("before TLS", { timeout: patient }, async () => {
    const engine = await named();
    await withCertificate(engine);
    const port = await listen(engine, { protocol: "HTTPS", proxyProtocol: ["127.0.0.1/32"] });
    const client = secureClient(port, encodeProxyHeader(2, addresses));
    client.send(get);
    expect(await client.closed()).toContain("https from 192.0.2.7");
  });

  test("is asked for: a trusted one without it gets nothing", { timeout: patient }, async () => {
    const port = await listen(await named(), { proxyProtocol: ["127.0.0.1/32"] });
    const client = rawClient(opened, port);
    client.send(get);
    expect(await client.closed()).toBe("");
  });

  test("of a stranger is no header but a request that cannot be read", { timeout: patient }, async () => {
    const port = await listen(await named(), { proxyProtocol: ["10.0.0.0/8"] });
    const honest = rawClient(opened, port);
    honest.send(get);
    expect(await honest.closed()).toContain("http from 127.0.0.1");
    const liar = rawClient(opened, port);
    liar.send(encodeProxyHeader(1, addresses));
    liar.send(get);
    expect(await liar.closed()).toContain("HTTP/1.1 400");
  });

  test("that never ends ends the connection", { timeout: patient }, async () => {
    const port = await listen(await named({ headMs: 200 }), { proxyProtocol: ["127.0.0.1/32"] });
    const client = rawClient(opened, port);
    client.send("PROXY TCP4 ");
    expect(await client.closed()).toBe("");
  });
});

describe("a PROXY header to an endpoint", () => {
  test.for([1, 2] as const)("version %s names the client, on a connection for each request", { timeout: patient }, async (version) => {
    const seen: ProxyHeader[] = [];
    const endpoint = await rawEndpoint(opened, (socket) => {
      socket.on("data", (bytes: Buffer) => {
        const header = parseProxyHeader(bytes);
        if (header.kind !== "none") seen.push(header);
        const rest = header.kind === "header" ? bytes.subarray(header.length) : bytes;
        if (rest.includes("\r\n\r\n")) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      });
    });
    const engine = await startEngine(opened, [endpoint]);
    const one = { kind: "endpoints" as const, endpoints: [{ ip: "127.0.0.1", port: endpoint }], tuning: { proxyProtocol: version } };
    engine.engine.publish({ backends: new Map([["default/web:80", one]]) });
    const client = rawClient(opened, engine.port);
    client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    await client.until((text) => text.endsWith("ok"));
    const from = client.socket.localPort;
    client.send(get);
    await client.closed();
    const own = { source: { address: "127.0.0.1", port: from }, destination: { address: "127.0.0.1", port: engine.port } };
    expect(seen).toMatchObject([own, own]);
  });
});

describe("one port", () => {
  test("takes HTTP and TLS, told apart by the first byte", { timeout: patient }, async () => {
    const engine = await named();
    await withCertificate(engine);
    const port = await listen(engine, { secure: "http" });
    const plain = rawClient(opened, port);
    plain.send(get);
    expect(await plain.closed()).toContain("http from 127.0.0.1");
    const secure = secureClient(port);
    secure.send(get);
    expect(await secure.closed()).toContain("https from 127.0.0.1");
  });
});

describe("trusted proxies", () => {
  const client = { address: "10.0.0.1", scheme: "http", httpVersion: "1.1", listener: "http", port: 80 } as const;
  const headers = (all: Readonly<Record<string, string>>) => (name: string) => all[name];

  test.for([
    [{}, ["10.0.0.0/8"], "10.0.0.1"],
    [{ "x-forwarded-for": "192.0.2.1" }, ["10.0.0.0/8"], "192.0.2.1"],
    [{ "x-forwarded-for": "192.0.2.1" }, [], "10.0.0.1"],
    [{ "x-forwarded-for": "192.0.2.1" }, ["172.16.0.0/12"], "10.0.0.1"],
    [{ "x-forwarded-for": "203.0.113.9, 192.0.2.1, 10.0.0.2" }, ["10.0.0.0/8"], "192.0.2.1"],
    [{ "x-forwarded-for": "192.0.2.1, unknown, 10.0.0.2" }, ["10.0.0.0/8"], "10.0.0.2"],
    [{ "x-forwarded-for": "192.0.2.1:4711" }, ["10.0.0.0/8"], "192.0.2.1"],
    [{ forwarded: 'for="[2001:db8::1]:4711";proto=https' }, ["10.0.0.0/8"], "2001:db8::1"],
    [{ forwarded: "for=192.0.2.1, for=10.0.0.9" }, ["10.0.0.0/8"], "192.0.2.1"],
    [{ forwarded: "for=_hidden" }, ["10.0.0.0/8"], "10.0.0.1"],
  ] as const)("%j, trusted %j: %s", ([said, trusted, address]) => {
    expect(trustedClient(client, headers(said), trusted).address).toBe(address);
  });

  test("say how the client came, too", () => {
    expect(trustedClient(client, headers({ "x-forwarded-proto": "https" }), ["10.0.0.0/8"]).scheme).toBe("https");
    expect(trustedClient(client, headers({ "x-forwarded-proto": "javascript" }), ["10.0.0.0/8"]).scheme).toBe("http");
    expect(trustedClient(client, headers({ "x-forwarded-proto": "https" }), []).scheme).toBe("http");
    // What the client claims itself comes first, and counts for nothing.
    expect(trustedClient(client, headers({ "x-forwarded-proto": "https, http" }), ["10.0.0.0/8"]).scheme).toBe("http");
    const forwarded = "for=203.0.113.9;proto=https, for=192.0.2.1;proto=http, for=10.0.0.2;proto=https";
    expect(trustedClient(client, headers({ forwarded }), ["10.0.0.0/8"])).toMatchObject({ address: "192.0.2.1", scheme: "http" });
    expect(trustedClient(client, headers({ forwarded: "for=_hidden;proto=https" }), ["10.0.0.0/8"]).scheme).toBe("http");
  });

  test("endpoints get the chain as far as it is trusted", { timeout: patient }, async () => {
    const engine = await named({ trustedProxies: ["127.0.0.0/8"] });
    const from = rawClient(opened, engine.port);
    from.send(`GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.9, 192.0.2.1\r\nConnection: close\r\n\r\n`);
    expect(await from.closed()).toContain("http from 192.0.2.1, 127.0.0.1");
  });
});
