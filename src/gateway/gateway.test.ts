import { once } from "node:events";
import { connect as http2Connect, type IncomingHttpHeaders } from "node:http2";
import { Agent, request as httpRequest, type RequestListener } from "node:http";
import { connect as tlsConnect, type TLSSocket } from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import { endpointSlices, events, ingressClasses, ingresses, secrets, services } from "../api/resources.ts";
import type { EndpointSlice, HTTPIngressPath, Ingress, Secret, Service } from "../api/types.ts";
import type { Client } from "../client/client.ts";
import { createFakeApi, type FakeApi } from "../client/fake-api.ts";
import { inProcessTransport } from "../client/in-process.ts";
import { createInformerFactory } from "../client/informer-factory.ts";
import { createClient } from "../client/rest.ts";
import { path } from "../decide/routes/testing.ts";
import { realClock } from "../lib/clock.ts";
import { silentLogger } from "../lib/log.ts";
import { MetricsRegistry } from "../lib/metrics.ts";
import { issueCertificate, newKeyPair, privateKeyPem } from "../lib/x509/x509.ts";
import { createGateway, type Gateway } from "./gateway.ts";
import { collecting, httpEndpoint, Opened, rawClient, rawEndpoint } from "./testing.ts";

const opened = new Opened();
afterEach(() => opened.closeAll());
const patient = 60_000;

interface World {
  readonly api: FakeApi;
  readonly client: Client;
  readonly gateway: Gateway;
  readonly metrics: MetricsRegistry;
  readonly told: string[];
  readonly http: number;
  readonly https: number;
}

async function start(objects: (client: Client) => Promise<void> = async () => {}): Promise<World> {
  const api = createFakeApi([ingresses, ingressClasses, services, endpointSlices, secrets, events]);
  const client = createClient(inProcessTransport(api, { name: "gateway", groups: [] }), { fieldManager: "gateway" });
  const informers = createInformerFactory(client, { clock: realClock });
  opened.add(informers, () => informers.stop());
  const told: string[] = [];
  const metrics = new MetricsRegistry();
  const gateway = createGateway({
    client,
    informers,
    clock: realClock,
    log: silentLogger,
    metrics,
    recorder: { event: (object, type, reason, message) => void told.push(`${object.metadata.name} ${type} ${reason} ${message}`) },
    listen: [
      { name: "http", protocol: "HTTP", host: "127.0.0.1", ports: [0] },
      { name: "https", protocol: "HTTPS", host: "127.0.0.1", ports: [0] },
    ],
  });
  opened.add(gateway, () => gateway.stop());
  await objects(client);
  await gateway.start();
  informers.start();
  await informers.waitForSync();
  await until(() => gateway.ready().ready);
  const port = (name: string) => gateway.addresses.find((each) => each.name === name)?.port ?? 0;
  return { api, client, gateway, metrics, told, http: port("http"), https: port("https") };
}

/** Looks again whenever the event loop has turned; the test's own time limit ends it. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 2));
}

const service = (name: string): Service => ({
  metadata: { namespace: "shop", name },
  spec: { type: "ClusterIP", ports: [{ name: "web", port: 80 }] },
});
const slice = (name: string, port: number, ready = true): EndpointSlice => ({
  metadata: { namespace: "shop", name: `${name}-1`, labels: { "kubernetes.io/service-name": name } },
  addressType: "IPv4",
  endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready } }],
  ports: [{ name: "web", port, protocol: "TCP" }],
});
const ingress = (name: string, host: string, paths: readonly HTTPIngressPath[], more: Partial<Ingress["spec"]> = {}): Ingress => ({
  metadata: { namespace: "shop", name },
  spec: { rules: [{ host, http: { paths } }], ...more },
});

async function backend(
  client: Client,
  name: string,
  handler: RequestListener = (_request, response) => void response.end(name),
): Promise<void> {
  const { port } = await httpEndpoint(opened, handler);
  await client.create(services, service(name));
  await client.create(endpointSlices, slice(name, port));
}

/** Status and body. */
async function get(port: number, host: string, target = "/"): Promise<string> {
  const client = rawClient(opened, port);
  client.send(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  const text = await client.closed();
  return `${text.slice(9, 12)} ${text.slice(text.indexOf("\r\n\r\n") + 4)}`;
}

describe("HTTP", () => {
  test("an Ingress, live: made, changed, deleted; its status says where; nothing is written twice", { timeout: patient }, async () => {
    const { client, http, https, api, gateway } = await start(async (client) => {
      await backend(client, "one");
      await backend(client, "two");
    });
    expect(await get(http, "shop.test")).toBe("404 404 Not Found\nNoRoute: no rule is for host shop.test\n");
    await client.create(ingresses, ingress("web", "shop.test", [path("/", "Prefix", "one"), path("/two", "Exact", "two")]));
    await until(async () => (await get(http, "shop.test")) === "200 one");
    expect(await get(http, "shop.test:8080", "/two")).toBe("200 two");
    const status = async () => (await client.get(ingresses, { namespace: "shop", name: "web" })).status?.loadBalancer?.ingress;
    await until(async () => (await status()) !== undefined);
    expect(await status()).toEqual([{ ip: "127.0.0.1", ports: [http, https].map((port) => ({ port, protocol: "TCP" })) }]);
    const written = await client.get(ingresses, { namespace: "shop", name: "web" });
    await client.update(ingresses, { ...written, spec: { rules: [{ host: "new.test", http: { paths: [path("/", "Prefix", "two")] } }] } });
    await until(async () => (await get(http, "new.test")) === "200 two");
    expect(await get(http, "shop.test")).toMatch(/^404/);
    expect(
      gateway.explain("http", { host: "new.test", path: "/", method: "GET", header: () => undefined, query: () => undefined }).chosen?.route
        .id,
    ).toBe("Ingress shop/web spec.rules[0].http.paths[0]");
    await client.delete(ingresses, { namespace: "shop", name: "web" });
    await until(async () => (await get(http, "new.test")).startsWith("404"));
    expect(api.requests.filter((request) => request.startsWith("PATCH")).length).toBe(1);
  });

  test("endpoints come and go; without one the answer is 503 with the reason", { timeout: patient }, async () => {
    const { client, http, metrics } = await start(async (client) => {
      await backend(client, "one");
      await client.create(
        ingresses,
        ingress("web", "shop.test", [path("/", "Prefix", "one"), path("/gone", "Prefix", "missing"), path("/port", "Prefix", "one", 81)]),
      );
    });
    expect(await get(http, "shop.test")).toBe("200 one");
    const old = await client.get(endpointSlices, { namespace: "shop", name: "one-1" });
    await client.update(endpointSlices, { ...old, endpoints: [] });
    await until(async () => (await get(http, "shop.test")) !== "200 one");
    expect(await get(http, "shop.test")).toBe(
      "503 503 Service Unavailable\nNoEndpoints: Service shop/one has no ready endpoint for port 80\n",
    );
    expect(await get(http, "shop.test", "/gone")).toMatch(/^503 [^]*ServiceNotFound/);
    expect(await get(http, "shop.test", "/port")).toMatch(
      /^503 [^]*ServicePortNotFound: Service shop\/one has no port 81; it has 80 \(web\)/,
    );
    await client.update(endpointSlices, {
      ...(await client.get(endpointSlices, { namespace: "shop", name: "one-1" })),
      endpoints: old.endpoints,
    });
    await until(async () => (await get(http, "shop.test")) === "200 one");
    expect(metrics.text()).toMatch(/fairlead_gateway_requests_total\{ingress="shop\/web",code="503"\} [3-9]/);
  });

  test("what cannot be used gets one Event with its reason; the rest is served", { timeout: patient }, async () => {
    const { client, http, told, gateway } = await start(async (client) => {
      await backend(client, "one");
      await client.create(ingresses, ingress("good", "good.test", [path("/", "Prefix", "one")]));
      await client.create(
        ingresses,
        ingress("bad", "bad.test", [path("/", "Prefix", "one"), path("x", "Exact", "one"), path("/gone", "Exact", "missing")]),
      );
      await client.create(ingresses, ingress("class", "class.test", [path("/", "Prefix", "one")], { ingressClassName: "typo" }));
      await client.create(ingressClasses, { metadata: { name: "other" }, spec: { controller: "example.com/other" } });
      await client.create(ingresses, ingress("other", "other.test", [path("/", "Prefix", "one")], { ingressClassName: "other" }));
    });
    expect(await Promise.all(["good.test", "bad.test", "class.test", "other.test"].map((host) => get(http, host)))).toEqual([
      "200 one",
      "200 one",
      expect.stringMatching(/^404/),
      expect.stringMatching(/^404/),
    ]);
    await client.update(ingresses, {
      ...(await client.get(ingresses, { namespace: "shop", name: "bad" })),
      metadata: { namespace: "shop", name: "bad", labels: { a: "b" } },
    });
    await gateway.settled();
    expect(told.toSorted()).toEqual([
      'bad Warning InvalidPath spec.rules[0].http.paths[1].path: "x": a path must begin with /',
      "bad Warning ServiceNotFound spec.rules[0].http.paths[2]: Service shop/missing does not exist",
      'class Warning IngressClassNotFound spec.ingressClassName: there is no IngressClass "typo"',
    ]);
    const statuses = gateway.status().ingresses.map(({ name, verdict }) => [name, verdict.kind === "served" ? "served" : verdict.reason]);
    expect(statuses.toSorted()).toEqual([
      ["bad", "served"],
      ["class", "IngressClassNotFound"],
      ["good", "served"],
      ["other", "OtherClass"],
    ]);
    const addresses = async (name: string) => (await client.get(ingresses, { namespace: "shop", name })).status?.loadBalancer?.ingress;
    await until(async () => (await addresses("good")) !== undefined && (await addresses("bad")) !== undefined);
    expect([await addresses("class"), await addresses("other")]).toEqual([undefined, undefined]);
  });
});

test("a status that another controller overwrites is left to it until the Ingress changes", { timeout: patient }, async () => {
  const { client, api, http, gateway } = await start(async (client) => {
    await backend(client, "one");
    await client.create(ingresses, ingress("web", "shop.test", [path("/", "Prefix", "one")]));
  });
  const read = () => client.get(ingresses, { namespace: "shop", name: "web" });
  const address = async () => (await read()).status?.loadBalancer?.ingress?.[0]?.ip;
  const writes = () => api.requests.filter((request) => request.startsWith("PATCH")).length;
  const overwrite = { status: { loadBalancer: { ingress: [{ ip: "192.0.2.1" }] } } };
  await until(async () => (await address()) === "127.0.0.1");
  await client.patch(ingresses, { namespace: "shop", name: "web" }, "application/merge-patch+json", overwrite, { subresource: "status" });
  const written = writes();
  // A change that comes after it is live: what came before was seen too.
  await client.create(ingresses, ingress("later", "later.test", [path("/", "Prefix", "one")]));
  await until(async () => (await get(http, "later.test")) === "200 one");
  await gateway.settled();
  await until(async () => (await client.get(ingresses, { namespace: "shop", name: "later" })).status !== undefined);
  expect([await address(), writes()]).toEqual(["192.0.2.1", written + 1]);
});

test("annotations: to HTTPS where it listens, another path, and no open door where one was to be shut", { timeout: patient }, async () => {
  const annotated = (name: string, host: string, annotations: Record<string, string>): Ingress => {
    const made = ingress(name, host, [path("/", "Prefix", "one")]);
    const prefixed = Object.entries(annotations).map(([key, value]) => [`nginx.ingress.kubernetes.io/${key}`, value]);
    return { ...made, metadata: { ...made.metadata, annotations: Object.fromEntries(prefixed) as Record<string, string> } };
  };
  const { http, https, told } = await start(async (client) => {
    await backend(client, "one", (request, response) => void response.end(request.url));
    await client.create(ingresses, annotated("secure", "secure.localhost", { "force-ssl-redirect": "true" }));
    await client.create(ingresses, annotated("moved", "moved.localhost", { "rewrite-target": "/new" }));
    await client.create(ingresses, annotated("shut", "shut.localhost", { "enable-modsecurity": "true" }));
  });
  const client = rawClient(opened, http);
  client.send("GET /a?b=c HTTP/1.1\r\nHost: secure.localhost:99\r\nConnection: close\r\n\r\n");
  expect(await client.closed()).toMatch(
    new RegExp(`^HTTP/1\\.1 308 Permanent Redirect\\r\\nLocation: https://secure\\.localhost:${https}/a\\?b=c\\r\\n`),
  );
  expect(await get(http, "moved.localhost", "/old/path?x=y")).toBe("200 /new?x=y");
  expect(await get(http, "shut.localhost")).toMatch(/^500 /);
  expect(told).toEqual([
    expect.stringContaining(
      "moved Warning UnsupportedAnnotation metadata.annotations[nginx.ingress.kubernetes.io/rewrite-target]: paths stay",
    ),
    expect.stringContaining(
      "shut Warning UnsupportedAnnotation metadata.annotations[nginx.ingress.kubernetes.io/enable-modsecurity]: it would keep requests out",
    ),
  ]);
});

test("who may come is read from the Secret, live", { timeout: patient }, async () => {
  const { http, told, client } = await start(async (api) => {
    await backend(api, "one", (_, response) => void response.end("in"));
    const annotations = { "auth-type": "basic", "auth-secret": "users" };
    const prefixed = Object.entries(annotations).map(([key, value]) => [`nginx.ingress.kubernetes.io/${key}`, value]);
    const made = ingress("closed", "closed.localhost", [path("/", "Prefix", "one")]);
    await api.create(ingresses, {
      ...made,
      metadata: { ...made.metadata, annotations: Object.fromEntries(prefixed) as Record<string, string> },
    });
  });
  const ask = async () => {
    const asked = rawClient(opened, http);
    const authorization = Buffer.from("ann:secret").toString("base64");
    asked.send(`GET / HTTP/1.1\r\nHost: closed.localhost\r\nAuthorization: Basic ${authorization}\r\nConnection: close\r\n\r\n`);
    return (await asked.closed()).slice(9, 12);
  };
  expect(await ask()).toBe("503");
  await client.create(secrets, {
    metadata: { namespace: "shop", name: "users" },
    data: { auth: Buffer.from("ann:{PLAIN}secret\nbob:$2y$05$x\n").toString("base64") },
  });
  await expect.poll(ask, { timeout: patient }).toBe("200");
  await client.delete(secrets, { namespace: "shop", name: "users" });
  await expect.poll(ask, { timeout: patient }).toBe("503");
  await until(() => told.some((line) => line.includes("SecretNotFound")));
  expect(told.join("\n")).toContain("passwords of bob are of a kind that is not checked here");
});

const authority = { subject: { commonName: "test-ca" }, keys: newKeyPair() };
const day = 86_400_000;
const ca = issueCertificate({ ...authority, usage: "ca", notBefore: Date.now() - day, notAfter: Date.now() + day });

function tlsSecret(name: string, hosts: readonly string[], over: Partial<Record<"tls.crt" | "tls.key", string>> = {}): Secret {
  const keys = newKeyPair();
  const cert = issueCertificate({
    subject: { commonName: name },
    issuer: authority,
    keys,
    names: hosts,
    usage: "server",
    notBefore: Date.now() - day,
    notAfter: Date.now() + day,
  });
  const data = { "tls.crt": Buffer.from(cert).toString("base64"), "tls.key": Buffer.from(privateKeyPem(keys)).toString("base64"), ...over };
  return { metadata: { namespace: "shop", name }, type: "kubernetes.io/tls", data };
}

async function secureConnection(
  port: number,
  servername: string | undefined,
  trusted: string,
  protocols = ["http/1.1"],
): Promise<TLSSocket> {
  const socket = tlsConnect({
    host: "127.0.0.1",
    port,
    ca: trusted,
    ALPNProtocols: protocols,
    ...(servername === undefined ? { checkServerIdentity: () => undefined } : { servername }),
  });
  opened.add(socket, () => socket.destroy());
  await once(socket, "secureConnect");
  return socket;
}

const subjectOf = (socket: TLSSocket) => String(socket.getPeerCertificate().subject.CN);

async function secureGet(port: number, host: string, trusted: string): Promise<string> {
  const socket = await secureConnection(port, host, trusted);
  const client = collecting(socket);
  client.send(`GET /x HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  const text = await client.closed();
  return `${text.slice(9, 12)} ${text.slice(text.indexOf("\r\n\r\n") + 4)}`;
}

describe("HTTPS", () => {
  test("the certificate by server name, from Secrets, live; exact before wildcard before everyone's", { timeout: patient }, async () => {
    const { client, https } = await start(async (client) => {
      await backend(
        client,
        "one",
        (request, response) => void response.end(`${request.headers["x-forwarded-proto"]} ${request.headers["x-forwarded-port"]}`),
      );
      await client.create(secrets, tlsSecret("exact", ["a.shop.test"]));
      await client.create(secrets, tlsSecret("wild", ["*.shop.test"]));
      const tls = [
        { hosts: ["a.shop.test"], secretName: "exact" },
        { hosts: ["*.shop.test"], secretName: "wild" },
      ];
      await client.create(ingresses, ingress("web", "a.shop.test", [path("/", "Prefix", "one")], { tls }));
    });
    expect(subjectOf(await secureConnection(https, "a.shop.test", ca))).toBe("exact");
    expect(subjectOf(await secureConnection(https, "b.shop.test", ca))).toBe("wild");
    expect(await secureGet(https, "a.shop.test", ca)).toBe(`200 https ${https}`);
    const next = tlsSecret("exact", ["a.shop.test"]);
    const before = (await secureConnection(https, "a.shop.test", ca)).getPeerCertificate().serialNumber;
    await client.update(secrets, next);
    await until(async () => (await secureConnection(https, "a.shop.test", ca)).getPeerCertificate().serialNumber !== before);
  });

  test(
    "local hosts have the local CA's certificate without asking, its CA vouching for such names only",
    { timeout: patient },
    async () => {
      const { https, gateway, told } = await start(async (client) => {
        await backend(client, "one");
        await client.create(ingresses, ingress("web", "shop.localhost", [path("/", "Prefix", "one")]));
        await client.create(
          ingresses,
          ingress("asks", "shop.example", [path("/", "Prefix", "one")], { tls: [{ hosts: ["shop.example"] }] }),
        );
        await client.create(
          ingresses,
          ingress("real", "shop.fairlead.dev", [path("/", "Prefix", "one")], { tls: [{ hosts: ["shop.fairlead.dev"] }] }),
        );
      });
      const trusted = gateway.status().authority.cert;
      expect(await secureGet(https, "shop.localhost", trusted)).toBe("200 one");
      expect(await secureGet(https, "shop.example", trusted)).toBe("200 one");
      await expect(secureConnection(https, "shop.fairlead.dev", trusted)).rejects.toThrow(/altnames|not in the cert/i);
      expect(subjectOf(await secureConnection(https, undefined, trusted))).toBe("localhost");
      expect(told).toEqual([
        "real Warning NoCertificate spec.tls[0]: TLS for shop.fairlead.dev names no Secret, and the local CA vouches for local names only",
      ]);
    },
  );

  test("Secrets that are of no use are named, and nothing of them is shown", { timeout: patient }, async () => {
    const { told } = await start(async (client) => {
      await backend(client, "one");
      await client.create(
        secrets,
        tlsSecret("mixed", ["b.example"], { "tls.key": Buffer.from(privateKeyPem(newKeyPair())).toString("base64") }),
      );
      await client.create(secrets, tlsSecret("garbage", ["c.example"], { "tls.crt": Buffer.from("SECRETTEXT").toString("base64") }));
      await client.create(secrets, tlsSecret("other", ["other.example"]));
      const tls = ["missing a", "mixed b", "garbage c", "other d"].map((text) => ({
        secretName: text.split(" ")[0] as string,
        hosts: [`${text.split(" ")[1]}.example`],
      }));
      await client.create(ingresses, ingress("web", "a.example", [path("/", "Prefix", "one")], { tls }));
    });
    expect(told.map((text) => text.split(" ").slice(2).join(" "))).toEqual([
      "SecretNotFound spec.tls[0]: Secret shop/missing does not exist; the local CA's certificate is served instead",
      "SecretInvalid spec.tls[1]: Secret shop/mixed has a tls.key that is not the certificate's; the local CA's certificate is served instead",
      "SecretInvalid spec.tls[2]: Secret shop/garbage has a tls.crt or tls.key that is no PEM; the local CA's certificate is served instead",
      "CertificateMismatch spec.tls[3]: the certificate of Secret shop/other names DNS:other.example, not d.example",
    ]);
  });
});

describe("HTTP/2", () => {
  interface Answer {
    readonly status: number | undefined;
    readonly headers: IncomingHttpHeaders;
    readonly trailers: IncomingHttpHeaders;
    readonly body: string;
  }

  async function session(port: number, trusted: string, host: string) {
    const client = http2Connect(`https://${host}:${port}`, {
      ca: trusted,
      lookup: (_name, _options, done) => done(null, [{ address: "127.0.0.1", family: 4 }] as never),
    });
    opened.add(client, () => client.destroy());
    await once(client, "connect");
    const ask = (headers: Record<string, string | string[]>, body?: string | Buffer) =>
      new Promise<Answer>((resolve, reject) => {
        const stream = client.request(headers, { endStream: body === undefined });
        let answer: IncomingHttpHeaders = {};
        let trailers: IncomingHttpHeaders = {};
        let text = "";
        stream.on("response", (each) => (answer = each));
        stream.on("trailers", (each) => (trailers = each));
        stream.on("data", (bytes: Buffer) => (text += bytes.toString("latin1")));
        stream.on("error", reject);
        stream.on("end", () => resolve({ status: Number(answer[":status"]), headers: answer, trailers, body: text }));
        if (body !== undefined) stream.end(body);
      });
    return { client, ask };
  }

  const start2 = async (handler: RequestListener) => {
    const world = await start(async (client) => {
      await backend(client, "one", handler);
      await client.create(ingresses, ingress("web", "shop.localhost", [path("/", "Prefix", "one")]));
    });
    return { ...world, ...(await session(world.https, world.gateway.status().authority.cert, "shop.localhost")) };
  };

  test("requests, bodies with and without length, cookies, trailers, many at once", { timeout: patient }, async () => {
    const { ask, https } = await start2((request, response) => {
      let bytes = 0;
      request.on("data", (chunk: Buffer) => (bytes += chunk.length));
      request.on("end", () => {
        if (request.method === "HEAD") return void response.end();
        response.writeHead(200, { trailer: "x-sum", "set-cookie": ["a=1", "b=2"] });
        response.write(JSON.stringify({ url: request.url, headers: request.headers, bytes }));
        response.addTrailers({ "x-sum": "7" });
        response.end();
      });
    });
    const { headers, trailers, body, status } = await ask(
      { ":path": "/a?b", ":method": "POST", cookie: ["x=1", "y=2"], "x-forwarded-for": "6.6.6.6" },
      "hello",
    );
    const seen = JSON.parse(body) as { headers: Record<string, string>; bytes: number; url: string };
    expect([status, seen.bytes, seen.url, trailers["x-sum"], headers["set-cookie"]]).toEqual([200, 5, "/a?b", "7", ["a=1", "b=2"]]);
    expect(seen.headers).toMatchObject({
      host: `shop.localhost:${https}`,
      cookie: "x=1; y=2",
      "x-forwarded-for": "127.0.0.1",
      "x-forwarded-proto": "https",
      "transfer-encoding": "chunked",
    });
    const sized = await ask({ ":path": "/", ":method": "PUT", "content-length": "3" }, "abc");
    expect(JSON.parse(sized.body)).toMatchObject({ bytes: 3, headers: { "content-length": "3" } });
    const many = await Promise.all(Array.from({ length: 100 }, (_, index) => ask({ ":path": `/${index}` })));
    expect(many.map((each) => (JSON.parse(each.body) as { url: string }).url)).toEqual(many.map((_, index) => `/${index}`));
    expect((await ask({ ":path": "/", ":method": "HEAD" })).status).toBe(200);
  });

  test("what HTTP/1.1 could misread is refused before it gets there", { timeout: patient }, async () => {
    const urls: string[] = [];
    const { ask } = await start2((request, response) => {
      urls.push(String(request.url));
      response.end("ok");
    });
    const attacks: Record<string, string>[] = [
      { ":path": "/a b" },
      { ":path": "/a#b" },
      { ":path": "x" },
      { ":path": "/%00" },
      { ":path": "/../x" },
      { ":path": "/", ":method": "GE T" },
      { ":path": "/", ":authority": "a/b" },
      { ":path": "/", ":authority": "u@shop.localhost" },
      { ":path": "/", ":authority": "shop.localhost", host: "other.localhost" },
      { ":path": "http://other.localhost/" },
    ];
    for (const attack of attacks) {
      const answer = await ask(attack).catch((error: Error) => error.message);
      expect(typeof answer === "string" || answer.status === 400, JSON.stringify(attack)).toBe(true);
    }
    expect(urls).toEqual([]);
    expect((await ask({ ":path": "/fine" })).body).toBe("ok");
  });

  test("an answer that breaks off is an error, and other streams do not notice", { timeout: patient }, async () => {
    const held = Promise.withResolvers<void>();
    const { ask } = await start2((request, response) => {
      if (request.url === "/broken") {
        response.writeHead(200, { "content-length": "100" });
        response.write("half", () => response.destroy());
      } else void held.promise.then(() => response.end("whole"));
    });
    const other = ask({ ":path": "/fine" });
    await expect(ask({ ":path": "/broken" })).rejects.toThrow();
    held.resolve();
    expect((await other).body).toBe("whole");
  });
});

/** The status, or what went wrong. */
function askOnce(agent: Agent, port: number): Promise<string> {
  return new Promise((resolve) => {
    const request = httpRequest({ agent, host: "127.0.0.1", port, path: "/load", headers: { host: "shop.localhost" } }, (response) => {
      response.resume();
      response.on("end", () => resolve(String(response.statusCode)));
      response.on("error", (error) => resolve(error.message));
    });
    request.on("error", (error) => resolve(error.message));
    request.end();
  });
}

test(
  "1,000 edits of routes under load, with WebSockets open over HTTP and HTTPS: no error, none dropped",
  { timeout: 240_000 },
  async () => {
    const sockets = 20;
    const { client, http, https, gateway } = await start(async (client) => {
      const port = await rawEndpoint(opened, (socket) => {
        let text = "";
        socket.on("data", (bytes: Buffer) => {
          text += bytes.toString("latin1");
          if (text.startsWith("UPGRADED")) return void socket.write(bytes);
          if (!text.endsWith("\r\n\r\n")) return;
          const upgrade = /upgrade: websocket/i.test(text);
          socket.write(
            upgrade
              ? "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
              : "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
          );
          text = upgrade ? "UPGRADED" : "";
        });
      });
      await client.create(services, service("one"));
      await client.create(endpointSlices, slice("one", port));
      await client.create(ingresses, ingress("web", "shop.localhost", [path("/", "Prefix", "one")]));
    });
    const trusted = gateway.status().authority.cert;
    const tunnels = await Promise.all(
      Array.from({ length: sockets }, async (_, index) => {
        const tunnel = index % 2 === 0 ? rawClient(opened, http) : collecting(await secureConnection(https, "shop.localhost", trusted));
        tunnel.send("GET /ws HTTP/1.1\r\nHost: shop.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        await tunnel.until((all) => all.includes("\r\n\r\n"));
        return tunnel;
      }),
    );
    const state = { running: true, answered: 0 };
    const outcomes = new Map<string, number>();
    const agent = new Agent({ keepAlive: true, maxSockets: 4 });
    opened.add(agent, () => agent.destroy());
    const load = Array.from({ length: 4 }, async () => {
      while (state.running) {
        const outcome = await askOnce(agent, http);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        state.answered += 1;
      }
    });
    for (let edit = 0; edit < 1000; edit++) {
      const name = { namespace: "shop", name: `edit-${edit % 10}` };
      const spec = ingress(name.name, edit % 2 === 0 ? "shop.localhost" : `h${edit}.test`, [path(`/p${edit}`, "Prefix", "one")]);
      if (edit < 10) await client.create(ingresses, spec);
      else await client.patch(ingresses, name, "application/merge-patch+json", { spec: spec.spec });
      if (edit % 100 === 0) for (const tunnel of tunnels) tunnel.send(`m${edit};`);
      // Each edit meets at least one request.
      await until(() => state.answered > edit);
    }
    await gateway.settled();
    state.running = false;
    await Promise.all(load);
    for (const tunnel of tunnels) await tunnel.until((all) => all.endsWith("m900;") && all.includes("m0;m100;m200;"));
    expect(gateway.status().tunnels).toBe(sockets);
    expect([...outcomes.keys()]).toEqual(["200"]);
    expect(outcomes.get("200")).toBeGreaterThan(999);
    await until(
      () =>
        gateway
          .routeTable()
          .listeners[0]?.virtualHosts.some(({ routes }) => routes.some(({ match }) => JSON.stringify(match).includes("/p999"))) === true,
    );
  },
);
