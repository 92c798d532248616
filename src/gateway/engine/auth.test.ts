/** Who may come, and what is said in the place of errors: requests through the engine, by ingress-nginx's annotations. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import type { Ingress } from "../../api/types.ts";
import type { RefContext } from "../../decide/routes/gateway-api/backend-refs.ts";
import { translateFilters } from "../../decide/routes/gateway-api/filters.ts";
import { ingressController, ingressTable, processors, usersKey, type Backend } from "../../decide/routes/index.ts";
import { everything, httpEndpoint, Opened, rawClient, startEngine, type TestEngine } from "../testing.ts";

const patient = 60_000;
const opened = new Opened();
afterEach(() => opened.closeAll());

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

interface World {
  readonly annotations: Readonly<Record<string, string>>;
  readonly services: Readonly<Record<string, Handler>>;
}

/** One Ingress for host `a` with the annotations, whose `/` leads to Service `web`, and one without for host `auth`. */
async function world({ annotations, services }: World): Promise<TestEngine> {
  const engine = await startEngine(opened, []);
  const prefixed = Object.fromEntries(Object.entries(annotations).map(([name, value]) => [`nginx.ingress.kubernetes.io/${name}`, value]));
  const ingress = (name: string, host: string, service: string, more: Readonly<Record<string, string>>): Ingress => ({
    metadata: { namespace: "shop", name, annotations: more },
    spec: {
      rules: [
        { host, http: { paths: [{ path: "/", pathType: "Prefix", backend: { service: { name: service, port: { number: 80 } } } }] } },
      ],
    },
  });
  const ingresses = [ingress("web", "a", "web", prefixed), ingress("auth", "auth", "auth", {})];
  const policy = { controller: ingressController, standInFor: [], serveClassless: true };
  const { routeTable } = processors({ ingresses, ingressClasses: [], services: [], endpointSlices: [] }, policy);
  const backends = new Map<string, Backend>();
  for (const [name, handler] of Object.entries(services)) {
    const { port } = await httpEndpoint(opened, handler);
    for (const suffix of ["80", "(first)"])
      backends.set(`shop/${name}:${suffix}`, { kind: "endpoints", endpoints: [{ ip: "127.0.0.1", port }] });
  }
  engine.engine.publish({ routeTable, backends });
  return engine;
}

async function ask({ port }: TestEngine, lines = "", body = "", target = "GET /path?x=1"): Promise<string> {
  const client = rawClient(opened, port);
  const length = body === "" ? "" : `Content-Length: ${body.length}\r\n`;
  client.send(`${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${lines}${length}\r\n${body}`);
  return client.closed();
}

/** Says what it got. */
const web: Handler = (request, response) => {
  let body = "";
  request.on("data", (bytes: Buffer) => (body += String(bytes)));
  request.on("end", () => response.end(`WEB user=${String(request.headers["x-auth-user"])} body=${body.length}`));
};

describe("HTTP Basic", () => {
  const annotations = { "auth-type": "basic", "auth-secret": "admins", "auth-realm": "the shop" };
  const key = usersKey({ namespace: "shop", name: "admins", form: "auth-file" });
  const authorization = (text: string) => `Authorization: Basic ${Buffer.from(text).toString("base64")}\r\n`;

  test("a name and its password, nothing else; the log has the name", { timeout: patient }, async () => {
    const engine = await world({ annotations, services: { web } });
    engine.engine.publish({ users: new Map([[key, new Map([["ann", "$apr1$lZL6V/ci$eIMz/iKDkbtys/uU7LEK00"]])]]) });
    const without = await ask(engine);
    expect(without).toContain("HTTP/1.1 401 Unauthorized\r\n");
    expect(without).toContain('WWW-Authenticate: Basic realm="the shop", charset="UTF-8"\r\n');
    expect(await ask(engine, authorization("ann:wrong"))).toContain("HTTP/1.1 401");
    expect(await ask(engine, authorization("bob:password"))).toContain("HTTP/1.1 401");
    expect(await ask(engine, authorization("ann:password"))).toContain("WEB");
    expect(engine.records.map(({ status, user }) => `${status} ${user}`)).toEqual([
      ...["401", "401", "401"].map((status) => `${status} undefined`),
      "200 ann",
    ]);
  });

  test("a Secret that cannot be read keeps everybody out", { timeout: patient }, async () => {
    expect(await ask(await world({ annotations, services: { web } }), authorization("ann:password"))).toContain("AuthUnavailable");
  });

  test("passwords are not asked for over plain HTTP where there is HTTPS", { timeout: patient }, async () => {
    const engine = await world({ annotations: { ...annotations, "force-ssl-redirect": "true" }, services: { web } });
    expect(await ask(engine)).toContain("HTTP/1.1 308");
  });
});

describe("asking another service", () => {
  const url = { "auth-url": "http://auth.shop.svc/check?from=$host", "auth-response-headers": "X-Auth-User" };
  /** Lets in whoever has a cookie. */
  const auth: Handler = ({ headers, method, url: target }, response) => {
    const cookie = headers.cookie ?? "";
    response.statusCode = cookie === "" ? 401 : cookie === "ok" ? 200 : Number(cookie);
    if (cookie === "ok") response.setHeader("X-Auth-User", "ann");
    response.setHeader("Set-Cookie", "session=1");
    response.setHeader("WWW-Authenticate", 'Bearer realm="x"');
    response.end(`${method} ${target} ${String(headers["x-original-url"])} ${String(headers["content-length"])}`);
  };

  test("2xx: it goes on, body and all, with what the answer says of the user", { timeout: patient }, async () => {
    const engine = await world({ annotations: url, services: { web, auth } });
    const body = "x".repeat(200_000);
    const answer = await ask(engine, "Cookie: ok\r\nX-Auth-User: root\r\n", body, "POST /path");
    expect(answer).toContain("WEB user=ann body=200000");
    expect(answer).toContain("Set-Cookie: session=1\r\n");
  });

  test("who the client says it is counts for nothing", { timeout: patient }, async () => {
    const silent: Handler = (_, response) => response.end();
    const engine = await world({ annotations: url, services: { web, auth: silent } });
    expect(await ask(engine, "X-Auth-User: root\r\n")).toContain("WEB user=undefined");
  });

  test.for([
    ["401", "HTTP/1.1 401"],
    ["403", "HTTP/1.1 403"],
    ["404", "AuthUnavailable"],
    ["302", "AuthUnavailable"],
    ["500", "AuthUnavailable"],
  ] as const)("%s: %s, and the endpoint hears nothing", { timeout: patient }, async ([status, expected]) => {
    let asked = 0;
    const counting: Handler = (request, response) => {
      asked += 1;
      web(request, response);
    };
    const engine = await world({ annotations: url, services: { web: counting, auth } });
    const answer = await ask(engine, `Cookie: ${status}\r\n`);
    expect(answer).toContain(expected);
    if (status === "401") expect(answer).toContain('WWW-Authenticate: Bearer realm="x"\r\n');
    expect(asked).toBe(0);
    // A request with a body, whose rest nobody takes.
    expect(await ask(engine, `Cookie: ${status}\r\n`, "x".repeat(100_000), "POST /")).toContain(expected);
    expect(asked).toBe(0);
  });

  test("nobody is there to be asked: nobody comes in", { timeout: patient }, async () => {
    expect(await ask(await world({ annotations: url, services: { web } }), "Cookie: ok\r\n")).toContain("AuthUnavailable");
  });

  test("a browser is led to where it can sign in, and told where to come back to", { timeout: patient }, async () => {
    const engine = await world({ annotations: { ...url, "auth-signin": "https://login.test/start" }, services: { web, auth } });
    expect(await ask(engine)).toContain("Location: https://login.test/start?rd=http://a%2Fpath%3Fx%3D1\r\n");
    const own = { ...url, "auth-signin": "https://$host/start?rd=$escaped_request_uri" };
    expect(await ask(await world({ annotations: own, services: { web, auth } }))).toContain(
      "Location: https://a/start?rd=%2Fpath%3Fx%3D1\r\n",
    );
  });

  test("by the rules of the gateway itself", { timeout: patient }, async () => {
    const seen: string[] = [];
    const noting: Handler = (request, response) => {
      seen.push(`${request.method} ${request.url} ${String(request.headers["x-original-url"])} ${String(request.headers.host)}`);
      auth(request, response);
    };
    const engine = await world({
      annotations: { "auth-url": "http://auth/check", "auth-method": "HEAD" },
      services: { web, auth: noting },
    });
    expect(await ask(engine, "Cookie: ok\r\n")).toContain("WEB");
    expect(seen).toEqual(["HEAD /check http://a/path?x=1 auth"]);
  });

  test("a rule that asks itself is no way around", { timeout: patient }, async () => {
    expect(await ask(await world({ annotations: { "auth-url": "http://$host/check" }, services: { web } }))).toContain(
      "asks others itself",
    );
  });
});

describe("a filter of type ExternalAuth", () => {
  const seen: string[] = [];
  const auth: Handler = ({ headers, method, url }, response) => {
    const said = [headers.host, headers.authorization, headers["x-more"], headers["x-other"], headers["content-length"]];
    seen.push(`${method} ${url} ${said.map(String).join(" ")}`);
    response.statusCode = Number(headers["x-more"] ?? 200);
    response.setHeader("X-Auth-User", "ann");
    response.setHeader("Location", "/login");
    response.end("who?");
  };

  async function filtered(more: object = {}): Promise<TestEngine> {
    seen.length = 0;
    const engine = await world({ annotations: {}, services: { web, auth } });
    const context = {
      kind: "HTTPRoute",
      namespace: "shop",
      problems: [],
      services: new Set<string>(),
      world: servicesOf("auth"),
    } as unknown as RefContext;
    const spec = { protocol: "HTTP", backendRef: { name: "auth", port: 80 }, http: { path: "/ask/", allowedHeaders: ["X-More"] }, ...more };
    const { filters } = translateFilters([{ type: "ExternalAuth", externalAuth: spec }], context);
    engine.engine.publish({
      routeTable: ingressTable([{ host: "*", routes: [{ ...everything.route, filters, backends: [{ ...ref, name: "web" }] }] }], []),
    });
    return engine;
  }
  const ref = { kind: "Service", namespace: "shop", port: { kind: "number", number: 80 }, weight: 1 } as const;
  const servicesOf = (name: string) => ({
    grants: () => [],
    backendTlsPolicies: () => [],
    service: (_: string, asked: string) =>
      asked === name ? { metadata: { namespace: "shop", name }, spec: { ports: [{ port: 80 }] } } : undefined,
  });

  test(
    "200: goes on with the answer's fields; asked under its own address, with the fields that are named",
    { timeout: patient },
    async () => {
      const engine = await filtered();
      expect(await ask(engine, "Authorization: x\r\nX-Other: 1\r\nX-Auth-User: root\r\n", "a body", "POST /path?x=1")).toContain(
        "WEB user=ann body=6",
      );
      expect(seen).toEqual(["POST /ask/path?x=1 a x undefined undefined undefined"]);
    },
  );

  test("any other is the client's", { timeout: patient }, async () => {
    const engine = await filtered();
    expect(await ask(engine, "X-More: 302\r\n")).toMatch(/^HTTP\/1\.1 302 [^]*Location: \/login\r\n/);
    expect(await ask(engine, "X-More: 204\r\n")).toMatch(/^HTTP\/1\.1 204 /);
    expect(await ask(engine, "X-More: 500\r\n")).toMatch(/^HTTP\/1\.1 500 /);
  });

  test.for([
    [{ protocol: "GRPC" }, "by GRPC"],
    [{ forwardBody: { maxSize: 10 } }, "forwardBody"],
    [{ backendRef: { name: "auth", namespace: "other", port: 80 } }, "ReferenceGrant"],
  ] as const)("%j: nobody comes in", { timeout: patient }, async ([more, why]) => {
    const answer = await ask(await filtered(more));
    expect(answer).toContain("HTTP/1.1 500");
    expect(answer).toContain(why);
    expect(seen).toEqual([]);
  });
});

describe("errors", () => {
  const annotations = { "custom-http-errors": "404,503", "default-backend": "pages" };
  const pages: Handler = ({ headers, method, url }, response) => {
    response.statusCode = Number(headers["x-code"]);
    response.end(
      `PAGE ${method} ${url} ${headers["x-code"]} ${String(headers["x-namespace"])}/${String(headers["x-ingress-name"])} ${String(headers["x-original-uri"])}`,
    );
  };
  const failing: Handler = (request, response) => {
    request.resume();
    response.statusCode = Number(request.headers["x-want"]);
    response.end("WEB ".repeat(100_000));
  };

  test("of the codes that are named another Service answers, of others the endpoint", { timeout: patient }, async () => {
    const engine = await world({ annotations, services: { web: failing, pages } });
    const answer = await ask(engine, "X-Want: 404\r\n", "a body", "POST /path?x=1");
    expect(answer).toContain("HTTP/1.1 404");
    expect(answer).toContain("PAGE GET /path?x=1 404 shop/web /path?x=1");
    expect(answer).not.toContain("WEB");
    expect(await ask(engine, "X-Want: 500\r\n")).toContain("WEB");
    expect(engine.records.map(({ status }) => status)).toEqual([404, 500]);
  });

  test("a backend without endpoints: the default backend", { timeout: patient }, async () => {
    const engine = await world({ annotations: { "default-backend": "pages" }, services: { pages } });
    engine.engine.publish({ backends: new Map([["shop/web:80", { kind: "unusable", reason: "NoEndpoints", message: "none" }]]) });
    expect(await ask(engine)).toContain("PAGE GET /path?x=1 503");
  });

  test("no page either: the refusal says why", { timeout: patient }, async () => {
    const engine = await world({ annotations, services: { web: failing } });
    expect(await ask(engine, "X-Want: 404\r\n")).toContain("ServiceNotFound");
  });
});

test("limit-connections: so many at once from one address, and again when one has ended", { timeout: patient }, async () => {
  const waiting: ServerResponse[] = [];
  const slow: Handler = ({ url }, response) => void (url === "/slow" ? waiting.push(response) : response.end("WEB"));
  const engine = await world({ annotations: { "limit-connections": "2" }, services: { web: slow } });
  const clients = [1, 2].map(() => ask(engine, "", "", "GET /slow"));
  await expect.poll(() => waiting.length, { timeout: patient }).toBe(2);
  expect(await ask(engine)).toContain("ConnectionsLimited");
  waiting.shift()?.end("done");
  await Promise.race(clients);
  expect(await ask(engine)).toContain("WEB");
  waiting.shift()?.end("done");
  await Promise.all(clients);
});
