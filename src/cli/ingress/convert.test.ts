import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { KubeObject } from "../../api/object.ts";
import type { Ingress } from "../../api/types.ts";
import { match, type Listener } from "../../decide/routes/index.ts";
import { planGateway, planRoute, type GatewayObject, type HttpRoute } from "../../decide/routes/gateway-api/index.ts";
import { gatewayPorts, httpListener, sectionHost } from "../../decide/routes/gateway-api/table.ts";
import { parseRule } from "../../decide/routes/convert/traefik-rule.ts";
import { ingress, httpListener as ofIngress, path, processed, request } from "../../decide/routes/testing.ts";
import { convertObjects } from "./convert.ts";

const flags = { gateway: "edge", gatewayClass: "fairlead" };

/** The plain listener of what a conversion gives, as the Gateway API's own processors make it. */
function converted(objects: readonly KubeObject[]): Listener {
  const result = convertObjects(objects, flags);
  const world = {
    controllerName: "c",
    gatewayClass: () => ({ metadata: { name: "fairlead" }, spec: { controllerName: "c" } }),
    namespaceLabels: () => ({}),
    service: () => ({ spec: { ports: [{ port: 80 }] } }) as never,
    secret: () => undefined,
    configMap: () => undefined,
    grants: () => [],
    backendTlsPolicies: () => [],
    certificateFault: () => undefined,
    bundleFault: () => undefined,
  };
  const gateway = planGateway(result.objects.find(({ kind }) => kind === "Gateway") as unknown as GatewayObject, [], world);
  const parents = { gateway: () => gateway, gatewayOfSet: () => undefined, namespaceLabels: () => ({}) };
  const routes = result.objects
    .filter(({ kind }) => kind === "HTTPRoute")
    .map((each) => planRoute(each as unknown as HttpRoute, parents, world));
  const all = routes.flatMap(({ attachments }) =>
    attachments.flatMap((each) => each.routes.map((route) => ({ id: each.listener.id, ...route }))),
  );
  const port = gatewayPorts(gateway).find((each) => each.port === 80);
  if (port === undefined) throw new Error("no port 80");
  const hosts = (id: string) =>
    [
      ...Map.groupBy(
        all.filter((each) => each.id === id),
        ({ host }) => host,
      ),
    ].map(([host, own]) => sectionHost(host, own));
  return httpListener(port, hosts) as Listener;
}

function outcome(listener: Listener, url: string, headers: Readonly<Record<string, string>> = {}) {
  const found = match(listener, request(url, "GET", headers));
  if (found.kind === "none") return "none";
  const redirect = found.route.filters.find(({ kind }) => kind === "redirect");
  return redirect === undefined ? found.route.backends.map(({ name, weight }) => `${name}:${weight}`).join(",") : "redirect";
}

const annotated = (annotations: Readonly<Record<string, string>>) => ({
  annotations: Object.fromEntries(Object.entries(annotations).map(([name, value]) => [`nginx.ingress.kubernetes.io/${name}`, value])),
});
const asObject = (each: Ingress) => ({ apiVersion: "networking.k8s.io/v1", kind: "Ingress", ...each }) as KubeObject;

describe("Ingress: the Gateway API's own processors decide the same for the result", () => {
  const rules = (host: string | undefined, ...paths: ReturnType<typeof path>[]) => ({
    rules: [{ ...(host === undefined ? {} : { host }), http: { paths } }],
  });
  const sets: readonly (readonly [string, readonly Ingress[], readonly string[]])[] = [
    [
      "hosts, paths, default backends",
      [
        ingress("a", rules("shop.test", path("/cart", "Prefix", "cart"), path("/cart/pay", "Exact", "pay"), path("/", "Prefix", "shop"))),
        ingress("b", rules("*.test", path("/x", "Prefix", "wild"))),
        ingress("c", { defaultBackend: { service: { name: "fallback", port: { number: 80 } } } }),
      ],
      ["http://shop.test/cart", "http://shop.test/cart/pay", "http://shop.test/cartoon", "http://a.test/x/y", "http://elsewhere.com/"],
    ],
    [
      "canary, app-root, redirects",
      [
        ingress("main", rules("a.test", path("/", "Prefix", "stable")), annotated({ "app-root": "/home" })),
        ingress(
          "canary",
          rules("a.test", path("/", "Prefix", "next")),
          annotated({ canary: "true", "canary-weight": "30", "canary-by-header": "x-canary" }),
        ),
        ingress("moved", rules("old.test", path("/", "Prefix", "x")), annotated({ "permanent-redirect": "https://new.test/there" })),
      ],
      ["http://a.test/", "http://a.test/x", "http://old.test/y"],
    ],
    [
      "patterns",
      [ingress("p", rules("p.test", path("/api/v[0-9]+/", "ImplementationSpecific", "api")), annotated({ "use-regex": "true" }))],
      ["http://p.test/api/v1/x", "http://p.test/API/v22/", "http://p.test/api/vx"],
    ],
  ];
  test.for(sets)("%s", ([, ingresses, urls]) => {
    const before = ofIngress(processed({ ingresses }));
    const after = converted(ingresses.map(asObject));
    for (const url of urls)
      for (const headers of [{}, { "x-canary": "always" }, { "x-canary": "never" }] as const)
        expect(`${url} ${outcome(after, url, headers)}`).toBe(`${url} ${outcome(before, url, headers)}`);
  });

  test("plain requests are led to HTTPS on the plain listener, TLS becomes a listener of its own", () => {
    const secure = ingress(
      "s",
      { ...rules("s.test", path("/", "Prefix", "web")), tls: [{ hosts: ["s.test"], secretName: "tls" }] },
      annotated({ "force-ssl-redirect": "true" }),
    );
    const { objects } = convertObjects([asObject(secure)], flags);
    expect(objects[0]).toMatchObject({
      kind: "Gateway",
      spec: {
        listeners: [{ name: "http" }, { name: "https-s.test", port: 443, hostname: "s.test", tls: { certificateRefs: [{ name: "tls" }] } }],
      },
    });
    expect(objects.slice(1)).toMatchObject([
      {
        kind: "HTTPRoute",
        spec: {
          parentRefs: [{ sectionName: "http" }],
          rules: [{ filters: [{ type: "RequestRedirect", requestRedirect: { scheme: "https", statusCode: 308 } }] }],
        },
      },
      { kind: "HTTPRoute", spec: { parentRefs: [{ sectionName: "https-s.test" }], rules: [{ backendRefs: [{ name: "web", port: 80 }] }] } },
    ]);
  });

  test("what would be open to everybody is left out, and all that has no word is named", () => {
    const guarded = ingress(
      "g",
      rules("g.test", path("/", "Prefix", "web")),
      annotated({ "whitelist-source-range": "10.0.0.0/8", "limit-rps": "5", "made-up": "x" }),
    );
    const { objects, notes } = convertObjects([asObject(guarded)], flags);
    expect(objects.map(({ kind }) => kind)).toEqual(["Gateway"]);
    expect(notes.map(({ verdict, message }) => `${verdict} ${message.split(":")[0]}`)).toEqual([
      "refused no annotation that is known here",
      "refused ranges of addresses, passwords and asking others have no word in the Gateway API",
      "refused limits of rates have no word in the Gateway API",
    ]);
  });
});

test("a port's name becomes its number where the Service is among the files", () => {
  const backend = { service: { name: "web", port: { name: "http" } } };
  const named = asObject(ingress("n", { rules: [{ host: "n.test", http: { paths: [{ path: "/", pathType: "Prefix", backend }] } }] }));
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web" },
    spec: { ports: [{ name: "http", port: 8080 }] },
  } as unknown as KubeObject;
  expect(convertObjects([named], flags).notes).toMatchObject([{ verdict: "refused", field: "spec.rules[0].http.paths[0]" }]);
  expect(convertObjects([named, service], flags).objects[1]).toMatchObject({
    spec: { rules: [{ backendRefs: [{ name: "web", port: 8080 }] }] },
  });
});

describe("Traefik's rules", () => {
  test.for([
    ["Host(`a.test`) && PathPrefix(`/x`)", [["Host a.test", "PathPrefix /x"]]],
    [
      "Host(`a.test`, `b.test`) && (Path(`/x`) || Path(`/y`))",
      [
        ["Host a.test b.test", "Path /x"],
        ["Host a.test b.test", "Path /y"],
      ],
    ],
    ['Header("X-A", "b")', [["Header X-A b"]]],
  ] as const)("%s", ([text, wanted]) => {
    const result = parseRule(text);
    expect(result.kind === "ok" && result.alternatives.map((all) => all.map(({ name, args }) => [name, ...args].join(" ")))).toEqual(
      wanted,
    );
  });
  test.for(["!Host(`a`)", "Host(`a`", "Host(a)", "Host(`a`) PathPrefix(`/`)", "", "&&", "Host(`a`))"])("%s is refused", (text) =>
    expect(parseRule(text).kind).toBe("bad"),
  );
});

test("IngressRoutes and VirtualServices: what can be said is, the rest is refused by name", () => {
  const traefik = {
    apiVersion: "traefik.io/v1alpha1",
    kind: "IngressRoute",
    metadata: { name: "t" },
    spec: {
      routes: [
        {
          match: "Host(`t.test`) && PathPrefix(`/api`) && Method(`GET`)",
          services: [{ name: "api", port: 80 }],
          middlewares: [{ name: "strip" }],
        },
        { match: "Host(`t.test`) && ClientIP(`10.0.0.0/8`)", services: [{ name: "x", port: 80 }] },
        { match: "Host(`t.test`)", services: [{ name: "x", port: 80 }], middlewares: [{ name: "limit" }] },
      ],
    },
  };
  const middlewares = [
    { apiVersion: "traefik.io/v1alpha1", kind: "Middleware", metadata: { name: "strip" }, spec: { stripPrefix: { prefixes: ["/api"] } } },
    { apiVersion: "traefik.io/v1alpha1", kind: "Middleware", metadata: { name: "limit" }, spec: { rateLimit: { average: 5 } } },
  ];
  const istio = {
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: { name: "i" },
    spec: {
      hosts: ["i.test"],
      http: [
        {
          match: [{ uri: { prefix: "/v1" }, headers: { end: { exact: "x" } } }],
          route: [
            { destination: { host: "a.default.svc.cluster.local", port: { number: 80 } }, weight: 90 },
            { destination: { host: "b", port: { number: 80 } }, weight: 10 },
          ],
          timeout: "2s",
        },
        { fault: { delay: {} }, route: [{ destination: { host: "a", port: { number: 80 } } }] },
        { route: [{ destination: { host: "a", subset: "v1", port: { number: 80 } } }] },
      ],
    },
  };
  const { objects, notes } = convertObjects([traefik, ...middlewares, istio] as unknown as KubeObject[], flags);
  expect(objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual(["Gateway edge", "HTTPRoute t", "HTTPRoute i"]);
  expect(objects[1]?.spec).toMatchObject({
    hostnames: ["t.test"],
    rules: [
      {
        matches: [{ path: { type: "PathPrefix", value: "/api" }, method: "GET" }],
        filters: [{ type: "URLRewrite" }],
        backendRefs: [{ name: "api", port: 80 }],
      },
    ],
  });
  expect(objects[2]?.spec).toMatchObject({
    rules: [
      {
        timeouts: { request: "2s" },
        backendRefs: [
          { name: "a", weight: 90 },
          { name: "b", weight: 10 },
        ],
      },
    ],
  });
  expect(notes.map(({ object, field }) => `${object} ${field}`)).toEqual([
    "IngressRoute default/t spec.routes[1].match",
    "IngressRoute default/t spec.routes[2]",
    "VirtualService default/i spec.http[1].fault",
    "VirtualService default/i spec.http[2].route",
  ]);
});

const file = join(import.meta.dirname, "../../../../shared/cases/ingress-cases.json");

test("the shared path and host tables decide the same after conversion", (ctx) => {
  if (!existsSync(file)) ctx.skip(`needs the shared case file ${file}`);
  const { ingressPathTable } = JSON.parse(readFileSync(file, "utf8")) as {
    ingressPathTable: readonly { pathType: string; paths: readonly string[]; request: string; matches: boolean }[];
  };
  let compared = 0;
  for (const { pathType, paths, request: url, matches } of ingressPathTable) {
    if (!url.startsWith("/")) continue;
    const rule = paths.map((text, index) => {
      const [, value = text, type = pathType] = /^(\S+) \((\w+)\)$/.exec(text) ?? [];
      return path(value, type, `s${index}`);
    });
    const one = ingress("a", { rules: [{ http: { paths: rule } }] });
    expect(`${url} ${outcome(converted([asObject(one)]), `http://any.test${url}`)}`).toBe(
      `${url} ${outcome(ofIngress(processed({ ingresses: [one] })), `http://any.test${url}`)}`,
    );
    expect(outcome(converted([asObject(one)]), `http://any.test${url}`) !== "none").toBe(matches);
    compared += 1;
  }
  expect(compared).toBeGreaterThan(15);
});
