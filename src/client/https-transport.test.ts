import { createServer as createPlainServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Server, Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import type { ApiHandler, ApiRequest } from "../api/request.ts";
import { configMaps } from "../api/resources.ts";
import { isNotFound } from "../api/status.ts";
import { issueCertificate, newKeyPair, privateKeyPem, type Subject } from "../lib/x509/x509.ts";
import { realClock } from "../lib/clock.ts";
import { readBytes } from "./body.ts";
import { createFakeApi, type FakeApi } from "./fake-api.ts";
import { httpsTransport, type HttpsTransportOptions } from "./https-transport.ts";
import { createInformerFactory } from "./informer-factory.ts";
import type { ServerConfig } from "./kubeconfig.ts";
import { createClient } from "./rest.ts";

interface Pair {
  readonly cert: string;
  readonly key: string;
}

let authority: string;
let serverPair: Pair;
let clientPair: Pair;

beforeAll(() => {
  const dates = { notBefore: Date.now() - 60_000, notAfter: Date.now() + 3_600_000 };
  const issuer = { subject: { commonName: "test authority" }, keys: newKeyPair() };
  const signed = (usage: "server" | "client", subject: Subject): Pair => {
    const keys = newKeyPair();
    const names = usage === "server" ? ["127.0.0.1"] : [];
    return { cert: issueCertificate({ ...dates, subject, issuer, keys, names, usage }), key: privateKeyPem(keys) };
  };
  authority = issueCertificate({ ...dates, ...issuer, usage: "ca" });
  serverPair = signed("server", { commonName: "server" });
  clientPair = signed("client", { commonName: "admin", organizations: ["system:masters"] });
});

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

type Mode = "h2" | "http/1.1" | "plain";

interface Running {
  readonly config: ServerConfig;
  readonly sockets: Set<Socket>;
  /** Who asked last: the certificate's name, and the authorization header. */
  readonly seen: { subject: string | undefined; authorization: string | undefined; version: string };
  stop(): Promise<void>;
}

async function serve(api: ApiHandler, mode: Mode, port = 0): Promise<Running> {
  const seen: Running["seen"] = { subject: undefined, authorization: undefined, version: "" };
  const listener = async (request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse) => {
    const socket = request.socket as TLSSocket;
    Object.assign(seen, { authorization: request.headers.authorization, version: request.httpVersion });
    if (mode !== "plain") seen.subject = socket.getPeerCertificate().subject?.CN?.toString();
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url ?? "/", "https://x");
    const gone = new AbortController();
    response.on("close", () => gone.abort());
    const answer = await api.handle({
      method: request.method as ApiRequest["method"],
      path: decodeURIComponent(url.pathname),
      query: url.searchParams,
      headers: {},
      user: { name: "", groups: [] },
      signal: gone.signal,
      ...(chunks.length > 0 ? { body: Buffer.concat(chunks) } : {}),
    });
    (response as ServerResponse).writeHead(answer.status, { "content-type": "application/json" });
    if (answer.body.kind === "watch") (response as ServerResponse).flushHeaders();
    for await (const chunk of readBytes(answer.body)) (response as ServerResponse).write(chunk);
    response.end();
  };
  const run = (request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse) =>
    void listener(request, response).catch(() => response.destroy());
  const tls = { ...serverPair, ca: authority, requestCert: true, rejectUnauthorized: false };
  const server: Server =
    mode === "h2" ? createSecureServer(tls, run) : mode === "http/1.1" ? createHttpsServer(tls, run) : createPlainServer(run);
  const sockets = new Set<Socket>();
  server.on(mode === "plain" ? "connection" : "secureConnection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const stop = async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  cleanups.push(stop);
  const address = server.address() as AddressInfo;
  const config = {
    server: `${mode === "plain" ? "http" : "https"}://127.0.0.1:${address.port}`,
    ca: authority,
    namespace: "default",
    context: "test",
  };
  return { config, sockets, seen, stop };
}

function connect(config: ServerConfig, options: HttpsTransportOptions = {}) {
  const transport = httpsTransport(config, { random: () => 0.99, ...options });
  cleanups.push(() => transport.close());
  return { transport, client: createClient(transport, { fieldManager: "tester" }) };
}

const map = (name: string, size = 0) => ({ metadata: { name, namespace: "a" }, data: { x: "y".repeat(size) } });

async function start(mode: Mode, more: Partial<ServerConfig> = {}) {
  const api: FakeApi = createFakeApi([configMaps]);
  const server = await serve(api, mode);
  return { api, server, ...connect({ ...server.config, ...more }) };
}

describe.each(["h2", "http/1.1", "plain"] as const)("over %s", (mode) => {
  test("objects, lists and refusals", async () => {
    const { client, server } = await start(mode);
    const made = await client.create(configMaps, map("x", 200_000));
    expect(await client.get(configMaps, { namespace: "a", name: "x" })).toEqual(made);
    expect((await client.list(configMaps)).items).toEqual([made]);
    await expect(client.get(configMaps, { namespace: "a", name: "y" })).rejects.toSatisfy(isNotFound);
    expect(server.seen.version).toBe(mode === "h2" ? "2.0" : "1.1");
    if (mode === "h2") expect(server.sockets.size).toBe(1);
  });

  test("a watch flows, and leaving it ends it on the server", async () => {
    const { client, api } = await start(mode);
    await client.create(configMaps, map("x"));
    const abort = new AbortController();
    const seen: string[] = [];
    for await (const event of client.watch(configMaps, { resourceVersion: "1", signal: abort.signal })) {
      seen.push(`${event.type} ${event.object.metadata.name}`);
      if (seen.length === 1) await client.create(configMaps, map("ÿ", 100_000));
      else abort.abort();
    }
    expect(seen).toEqual(["ADDED x", "ADDED ÿ"]);
    for await (const event of client.watch(configMaps, { resourceVersion: "1" })) {
      expect(event.type).toBe("ADDED");
      break;
    }
    api.endWatches();
  });

  test("an informer survives a lost connection and a server that is away", async () => {
    const { client, server, api } = await start(mode);
    const factory = createInformerFactory(client, { clock: realClock, random: () => 0.99 });
    cleanups.push(() => factory.stop());
    const informer = factory.informer(configMaps);
    factory.start();
    await factory.waitForSync();
    await client.create(configMaps, map("x"));
    for (const socket of server.sockets) socket.destroy();
    expect((await client.list(configMaps)).items).toHaveLength(1);
    await server.stop();
    const again = await serve(api, mode, Number(new URL(server.config.server).port));
    const added = new Promise<void>((resolve) => {
      informer.addHandlers({ added: ({ metadata }) => (metadata.name === "y" ? resolve() : undefined) });
    });
    await client.get(configMaps, { namespace: "a", name: "x" });
    await client.create(configMaps, map("y"));
    await added;
    expect(informer.lister.list().map((object) => object.metadata.name)).toEqual(["x", "y"]);
    await factory.stop();
    await again.stop();
  });
});

describe("who we are", () => {
  test("a client certificate", async () => {
    const { client, server } = await start("h2", { clientCertificate: clientPair.cert, clientKey: clientPair.key });
    await client.list(configMaps);
    expect(server.seen.subject).toBe("admin");
  });

  test.each([
    ["a token", { token: "secret" }, "Bearer secret"],
    ["a name and a password", { username: "me", password: "pw" }, `Basic ${Buffer.from("me:pw").toString("base64")}`],
  ])("%s", async (_, more, header) => {
    const { client, server } = await start("h2", more);
    await client.list(configMaps);
    expect(server.seen.authorization).toBe(header);
  });

  test("an exec plugin is run by whoever may run programs, or refused by name", async () => {
    const exec = { apiVersion: "client.authentication.k8s.io/v1", command: "get-token" };
    const { client, server } = await start("h2", { exec });
    await expect(client.list(configMaps)).rejects.toMatchObject({
      code: "FL_UNSUPPORTED",
      message: expect.stringContaining("get-token") as string,
    });
    await connect({ ...server.config, exec }, { execCredential: async ({ command }) => `from ${command}` }).client.list(configMaps);
    expect(server.seen.authorization).toBe("Bearer from get-token");
  });
});

describe("who the server is", () => {
  test("another authority's server is refused, unless that is asked for", async () => {
    const { server } = await start("h2");
    const { ca: _, ...unknown } = server.config;
    await expect(connect(unknown).client.list(configMaps)).rejects.toMatchObject({
      code: "FL_CONNECT",
      message: expect.stringContaining("certificate") as string,
    });
    expect((await connect({ ...unknown, insecureSkipTlsVerify: true }).client.list(configMaps)).items).toEqual([]);
  });

  test("a certificate for another name is refused", async () => {
    const { server } = await start("h2");
    await expect(connect({ ...server.config, tlsServerName: "elsewhere.test" }).client.list(configMaps)).rejects.toMatchObject({
      code: "FL_CONNECT",
      message: expect.stringContaining("elsewhere.test") as string,
    });
  });
});

test("nobody there is said with the address, each time, and a later server is found", async () => {
  const { api, server, client } = await start("h2");
  await server.stop();
  for (let i = 0; i < 2; i++) {
    await expect(client.list(configMaps)).rejects.toMatchObject({
      code: "FL_CONNECT",
      message: expect.stringContaining(server.config.server) as string,
    });
  }
  await serve(api, "h2", Number(new URL(server.config.server).port));
  expect((await client.list(configMaps)).items).toEqual([]);
});

test("a closed transport ends what runs and refuses more", async () => {
  const { client, transport } = await start("h2");
  const watching = (async () => {
    for await (const event of client.watch(configMaps)) expect(event).toBeUndefined();
  })();
  await client.list(configMaps);
  const ended = watching.catch(() => "ended");
  await transport.close();
  await transport.close();
  expect(await ended).toBe("ended");
  await expect(client.list(configMaps)).rejects.toMatchObject({ code: "FL_CONNECT" });
});
