import { createServer, type Server } from "node:http";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { parse } from "yaml";
import type { NodeAgent } from "../../api/node-agent.ts";
import type { EndpointSlice, Service } from "../../api/types.ts";
import { realClock } from "../../lib/clock.ts";
import { TestServer } from "../testing.ts";
import { proxyName, serviceBackends } from "./location.ts";
import { rewriteHtml, rewriteUrl } from "./rewrite.ts";

const base = { prefix: "/api/v1/namespaces/n/services/web/proxy", host: "api:6443", backend: "10.0.0.1:80" };

test.each([
  ["/login", `${base.prefix}/login`],
  ["/", `${base.prefix}/`],
  ["/a/?q=/b#c", `${base.prefix}/a/?q=/b#c`],
  ["http://10.0.0.1:80/x", `https://api:6443${base.prefix}/x`],
  ["//10.0.0.1:80/x", `https://api:6443${base.prefix}/x`],
  [`${base.prefix}/there`, `${base.prefix}/there`],
  ["relative/path", "relative/path"],
  ["http://example.com/x", "http://example.com/x"],
  ["mailto:a@b", "mailto:a@b"],
  ["/../../../api/v1/secrets", `${base.prefix}/api/v1/secrets`],
  ["", ""],
])("the address %j becomes %j", (url, expected) => expect(rewriteUrl(url, base)).toBe(expected));

test("links in attributes that hold an address, and nothing else, are rewritten", () => {
  const html = `<a href="/x" title="/x">/x</a><img src='/y'/><form action=/z><p data-href="/no">`;
  const p = base.prefix;
  expect(rewriteHtml(html, base)).toBe(`<a href="${p}/x" title="/x">/x</a><img src='${p}/y'/><form action=${p}/z><p data-href="/no">`);
});

test.each([
  ["web", { scheme: "http", name: "web", port: "" }],
  ["web:http", { scheme: "http", name: "web", port: "http" }],
  ["https:web:443", { scheme: "https", name: "web", port: "443" }],
])("%s is read", (text, expected) => expect(proxyName(text, "service")).toEqual(expected));

test.each(["", ":80", "ftp:web:1", "a:b:c:d"])("%j is refused", (text) =>
  expect(() => proxyName(text, "service")).toThrow("invalid service request"),
);

describe("the endpoints of a Service", () => {
  const service: Service = {
    metadata: { name: "web" },
    spec: {
      ports: [
        { name: "http", port: 80 },
        { name: "admin", port: 90 },
      ],
    },
  };
  const slice: EndpointSlice = {
    metadata: {},
    addressType: "IPv4",
    endpoints: [
      { addresses: ["10.0.0.1"], conditions: { ready: true } },
      { addresses: ["10.0.0.2"], conditions: { ready: false } },
    ],
    ports: [{ name: "http", port: 8080 }],
  };
  test.each(["80", "http"])("by port %s: the ready ones", (port) =>
    expect(serviceBackends(service, [slice], port)).toEqual([{ address: "10.0.0.1", port: 8080 }]),
  );
  test.each([
    ["81", 'no service port 81 found for service "web"'],
    ["admin", 'no endpoints available for service "web"'],
    ["", 'no endpoints available for service "web"'],
  ])("by port %j: none", (port, message) => expect(() => serviceBackends(service, [slice], port)).toThrow(message));
});

describe("through a server", () => {
  let api: TestServer;
  let backend: Server;
  let port: number;
  const seen: { url: string; headers: Record<string, unknown>; body: string }[] = [];

  beforeEach(async () => {
    seen.length = 0;
    backend = createServer((request, response) => {
      let body = "";
      request.on("data", (piece) => (body += piece));
      request.on("end", () => {
        seen.push({ url: request.url ?? "", headers: request.headers, body });
        if (request.url === "/moved") response.writeHead(302, { location: "/elsewhere" }).end();
        else if (request.url === "/page") response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end('<a href="/x">');
        else response.writeHead(request.method === "DELETE" ? 410 : 200, { "x-own": "yes" }).end(`${request.method} ${request.url}`);
      });
    });
    new WebSocketServer({ server: backend }).on("connection", (socket) =>
      socket.on("message", (message) => socket.send(`echo ${String(message)}`)),
    );
    await new Promise<void>((resolve) => backend.listen(0, "127.0.0.1", resolve));
    ({ port } = backend.address() as { port: number });
    const never = () => Promise.reject(new Error("not asked for"));
    const agent: NodeAgent = {
      logs: never,
      exec: never,
      attach: never,
      dial: async (_pod, wanted) => {
        const socket = connect(wanted === 8080 ? port : 1, "127.0.0.1");
        await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
        return socket;
      },
    };
    api = new TestServer({ clock: realClock, nodeAgent: () => agent });
    await api.server.start();
    const pods = "/api/v1/namespaces/default/pods";
    await api.post(pods, {
      metadata: { name: "p" },
      spec: { nodeName: "n1", containers: [{ name: "c", image: "i", ports: [{ containerPort: 8080 }] }] },
    });
    await api.put(`${pods}/p/status`, { metadata: { name: "p" }, status: { podIP: "10.0.0.1", podIPs: [{ ip: "10.0.0.1" }] } });
  });
  afterEach(async () => {
    await api.server.stop();
    backend.closeAllConnections();
    await new Promise((resolve) => backend.close(resolve));
  });

  const at = "/api/v1/namespaces/default/pods/p/proxy";

  test("a pod answers, with its path, its query and its body", async () => {
    expect(await api.get(`${at}/some/path?a=b`)).toMatchObject({ status: 200, body: "GET /some/path?a=b", headers: { "x-own": "yes" } });
    expect((await api.post(`${at}/`, "text", { headers: { authorization: "Bearer secret" } })).body).toBe("POST /");
    expect(seen.at(-1)).toMatchObject({ body: "text", headers: { "x-forwarded-uri": `${at}/` } });
    expect(seen.at(-1)?.headers["authorization"]).toBeUndefined();
    expect((await api.remove(`${at}/x`)).status).toBe(410);
  });

  test("a path without its slash, redirects and pages lead through the proxy", async () => {
    expect(await api.get(at)).toMatchObject({ status: 301, headers: { location: `${at}/` } });
    expect(await api.get(`${at}/moved`)).toMatchObject({ status: 302, headers: { location: `${at}/elsewhere` } });
    // Led elsewhere, a client would ask by GET.
    expect((await api.post(`${at}?a=b`, "text")).body).toBe("POST /?a=b");
    expect((await api.get(`${at}/page`)).body).toBe(`<a href="${at}/x">`);
  });

  test("what does not answer is 503, what is not there 404", async () => {
    const refused = await api.get("/api/v1/namespaces/default/pods/p:1/proxy/");
    expect([refused.status, refused.body.message]).toEqual([503, expect.stringContaining("ECONNREFUSED")]);
    expect((await api.get("/api/v1/namespaces/default/pods/q/proxy/")).status).toBe(404);
    expect((await api.get("/api/v1/namespaces/default/services/q/proxy/")).status).toBe(404);
  });

  test("a Service leads to the pods behind it, and to nothing on this host", async () => {
    await api.post("/api/v1/namespaces/default/services", { metadata: { name: "web" }, spec: { ports: [{ name: "http", port: 80 }] } });
    const slice = (name: string, address: string, more: object) =>
      api.post("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", {
        metadata: { name, labels: { "kubernetes.io/service-name": "web" } },
        addressType: "IPv4",
        endpoints: [{ addresses: [address], conditions: { ready: true }, ...more }],
        ports: [{ name: "http", port: 8080, protocol: "TCP" }],
      });
    await slice("web-1", "10.0.0.1", { targetRef: { kind: "Pod", name: "p", namespace: "default" } });
    for (const name of ["web", "web:80", "web:http", "http:web:80"])
      expect((await api.get(`/api/v1/namespaces/default/services/${name}/proxy/hello`)).body).toBe("GET /hello");
    expect((await api.get("/api/v1/namespaces/default/services/web:99/proxy/")).body.message).toContain("no service port 99 found");
    await api.remove("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/web-1");
    expect((await slice("web-2", "169.254.169.254", {})).status).toBe(422);
    expect((await slice("web-3", "127.0.0.1", {})).status).toBe(422);
  });

  test("a WebSocket goes through", async () => {
    const { port: apiPort } = await api.server.listen();
    const { users } = parse(await api.server.adminKubeconfig("a"));
    const { "client-certificate-data": cert, "client-key-data": key } = users[0].user;
    const socket = new WebSocket(`wss://127.0.0.1:${apiPort}${at}/socket`, {
      ca: api.server.certificateAuthority ?? "",
      cert: Buffer.from(cert, "base64"),
      key: Buffer.from(key, "base64"),
    });
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    const answer = new Promise((resolve) => socket.once("message", (message) => resolve(String(message))));
    socket.send("hello");
    expect(await answer).toBe("echo hello");
    socket.terminate();
  });
});
