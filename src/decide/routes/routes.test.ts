import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { EndpointSlice, Ingress, IngressClass, Service } from "../../api/types.ts";
import { explain } from "./explain.ts";
import { hostPattern, requestHost } from "./host.ts";
import { ingressController } from "./ingress-class.ts";
import { match } from "./match.ts";
import { hasPrefix, normalizePath } from "./path.ts";
import { httpListener, ingress, path, processed, request, testPolicy } from "./testing.ts";

describe("paths in one form", () => {
  test.for([
    ["/a/b", "/a/b"],
    ["/a//b/", "/a//b/"],
    ["/%61dmin", "/admin"],
    ["/a%2fb", "/a%2Fb"],
    ["/a/./b/../c", "/a/c"],
    ["/a/%2e%2e/b", "/b"],
    ["/a/b/..", "/a/"],
    ["/a/.", "/a/"],
    ["/.well-known/x", "/.well-known/x"],
    ["/a/..b/...", "/a/..b/..."],
    ["/%7euser", "/~user"],
    ["/caf%c3%a9", "/caf%C3%A9"],
  ])("%s is %s", ([given, wanted]) => expect(normalizePath(given as string)).toEqual({ kind: "ok", path: wanted }));

  test.for(["/..", "/a/../..", "/%2e%2e/", "/a%00", "/a%0", "/a%zz", "/a\\b", "/a%5cb", "/%"])("%s is refused", (given) =>
    expect(normalizePath(given).kind).toBe("bad"),
  );

  test("doing it again changes nothing, and no dot element or lower-case encoding is left", () => {
    const piece = fc.constantFrom("a", ".", "..", "%2e", "%2E%2e", "", "%2f", "%41", "%c3", "b.c", "~");
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 8 }), (pieces) => {
        const once = normalizePath(`/${pieces.join("/")}`);
        if (once.kind === "bad") return;
        expect(normalizePath(once.path)).toEqual(once);
        expect(once.path.split("/").some((element) => element === "." || element === "..")).toBe(false);
        expect(once.path).not.toMatch(/%[0-9A-F]?[a-f]/);
      }),
    );
  });
});

describe("hosts", () => {
  test.for([
    ["Shop.Example.COM.", "shop.example.com"],
    ["*.example.com", "*.example.com"],
    ["", "*"],
    [undefined, "*"],
    ["*", undefined],
    ["*example.com", undefined],
    ["a.*.com", undefined],
    ["-a.com", undefined],
    ["a..b", undefined],
    ["a b", undefined],
  ] as const)("pattern %s is %s", ([given, wanted]) => expect(hostPattern(given)).toBe(wanted));

  test.for([
    ["Shop.test:8080", "shop.test"],
    ["shop.test.", "shop.test"],
    ["[::1]:80", "[::1]"],
    ["10.0.0.1", "10.0.0.1"],
  ] as const)("request %s is for %s", ([given, wanted]) => expect(requestHost(given)).toBe(wanted));
});

const rules = (host: string, ...paths: ReturnType<typeof path>[]) => ({ rules: [{ host, http: { paths } }] });

function backendOf(objects: readonly Ingress[], url: string): string | undefined {
  const result = match(httpListener(processed({ ingresses: objects })), request(url));
  return result.kind === "route" ? result.route.backends[0]?.name : undefined;
}

describe("which rule takes a request", () => {
  const objects = [
    ingress("hosts", rules("shop.test", path("/cart", "Prefix", "cart"), path("/cart/pay", "Exact", "pay"))),
    ingress("wild", rules("*.test", path("/", "Prefix", "wild"))),
    ingress("any", { rules: [{ http: { paths: [path("/any", "Prefix", "any")] } }] }),
    ingress("last", { defaultBackend: { service: { name: "fallback", port: { number: 80 } } } }),
  ];
  test.for([
    ["http://shop.test/cart/1", "cart"],
    ["http://shop.test/cart/pay", "pay"],
    ["http://shop.test/cart/pay/", "cart"],
    ["http://shop.test/other", "wild"],
    ["http://a.b.test/any", "any"],
    ["http://a.b.test/", "fallback"],
    ["http://[::1]/any/x", "any"],
  ] as const)("%s goes to %s", ([url, wanted]) => expect(backendOf(objects, url)).toBe(wanted));

  test("a default backend serves its own hosts first, and others where no Ingress is for that", () => {
    const own = ingress("own", {
      ...rules("own.test", path("/x", "Prefix", "x")),
      defaultBackend: { service: { name: "own", port: { number: 80 } } },
    });
    expect(backendOf([own], "http://own.test/y")).toBe("own");
    expect(backendOf([own], "http://other.test/")).toBe("own");
    expect(backendOf([own, ...objects], "http://own.test/y")).toBe("wild");
    expect(backendOf([own, objects[3] as Ingress], "http://own.test/y")).toBe("own");
    expect(backendOf([own, objects[3] as Ingress], "http://other.test/")).toBe("fallback");
  });

  test("of two that want the same, the older has it and the younger is told", () => {
    const old = ingress("b", rules("a.test", path("/x", "Prefix", "old")));
    const young = ingress("a", rules("a.test", path("/x/", "Prefix", "young"), path("/y", "Prefix", "young")), {
      creationTimestamp: "2026-02-01T00:00:00Z",
    });
    const result = processed({ ingresses: [young, old] });
    expect(match(httpListener(result), request("http://a.test/x"))).toMatchObject({ route: { backends: [{ name: "old" }] } });
    expect(match(httpListener(result), request("http://a.test/y"))).toMatchObject({ route: { backends: [{ name: "young" }] } });
    expect(result.statuses[0]?.problems.find(({ reason }) => reason === "PathConflict")).toMatchObject({
      source: { name: "a", field: "spec.rules[0].http.paths[0]" },
      message: "prefix path /x of host a.test belongs to Ingress default/b spec.rules[0].http.paths[0] already",
    });
  });
});

describe("classes", () => {
  const of = (name: string, controller: string, isDefault = false): IngressClass => ({
    metadata: { name, ...(isDefault ? { annotations: { "ingressclass.kubernetes.io/is-default-class": "true" } } : {}) },
    spec: { controller },
  });
  const ours = of("fairlead", ingressController);
  const cases: readonly (readonly [string, Partial<Ingress["spec"]>, Record<string, string>, readonly IngressClass[], boolean, string])[] =
    [
      ["its own class", { ingressClassName: "fairlead" }, {}, [ours], true, "served"],
      ["another's class", { ingressClassName: "x" }, {}, [of("x", "example.com/x")], true, "OtherClass"],
      ["no such class", { ingressClassName: "y" }, {}, [ours], true, "IngressClassNotFound"],
      ["a stand-in", { ingressClassName: "nginx" }, {}, [], true, "served"],
      [
        "a stand-in whose own controller runs",
        { ingressClassName: "nginx" },
        {},
        [of("nginx", "k8s.io/ingress-nginx")],
        true,
        "OtherClass",
      ],
      ["the old annotation", {}, { "kubernetes.io/ingress.class": "fairlead" }, [ours], true, "served"],
      ["the field before the annotation", { ingressClassName: "fairlead" }, { "kubernetes.io/ingress.class": "x" }, [ours], true, "served"],
      ["our default class", {}, {}, [of("fairlead", ingressController, true)], false, "served"],
      ["another's default class", {}, {}, [of("x", "example.com/x", true), ours], true, "OtherClass"],
      ["no class", {}, {}, [ours], true, "served"],
      ["no class, strictly", {}, {}, [ours], false, "NoClass"],
    ];
  test.for(cases)("%s", ([, spec, annotations, ingressClasses, serveClassless, wanted]) => {
    const object = ingress("a", { ...rules("a.test", path("/", "Prefix")), ...spec }, { annotations });
    const { statuses, routeTable } = processed({ ingresses: [object], ingressClasses }, { ...testPolicy, serveClassless });
    const verdict = statuses[0]?.verdict;
    expect(verdict?.kind === "not-ours" ? verdict.reason : "served").toBe(wanted);
    expect(routeTable.listeners[0]?.virtualHosts.length).toBe(wanted === "served" ? 1 : 0);
  });
});

const service = (name: string, ports: NonNullable<Service["spec"]>["ports"], type = "ClusterIP"): Service => ({
  metadata: { namespace: "default", name },
  spec: { type, ports },
});
const slice = (name: string, endpoints: EndpointSlice["endpoints"], port = 8080, portName = ""): EndpointSlice => ({
  metadata: { namespace: "default", name: `${name}-1`, labels: { "kubernetes.io/service-name": name } },
  addressType: "IPv4",
  endpoints,
  ports: [{ name: portName, port, protocol: "TCP" }],
});

describe("what cannot be used is named, and nothing else suffers", () => {
  const good = ingress("good", rules("good.test", path("/", "Prefix", "good")));
  const services = [
    service("good", [{ port: 80 }]),
    service("named", [{ port: 80, name: "main" }]),
    service("udp", [{ port: 80, protocol: "UDP" }]),
  ];
  const more = [
    service("external", [{ port: 80 }], "ExternalName"),
    service("empty", [{ port: 80 }]),
    service("tls", [{ port: 80, appProtocol: "https" }]),
  ];
  const endpointSlices = [
    slice("good", [{ addresses: ["10.0.0.1"] }]),
    slice("empty", [{ addresses: ["10.0.0.2"], conditions: { ready: false } }]),
  ];
  const cases: readonly (readonly [string, Ingress["spec"], string])[] = [
    ["NoRules", {}, "spec"],
    ["InvalidHost", rules("a_b..c", path("/", "Prefix")), "spec.rules[0].host"],
    ["InvalidPath", rules("a.test", path("x", "Prefix")), "spec.rules[0].http.paths[0].path"],
    ["InvalidPath", rules("a.test", path("/../x", "Prefix")), "spec.rules[0].http.paths[0].path"],
    ["UnknownPathType", rules("a.test", path("/", "Regex")), "spec.rules[0].http.paths[0].pathType"],
    ["PatternPath", rules("a.test", path("/x(/|$)(.*)", "ImplementationSpecific", "good")), "spec.rules[0].http.paths[0].path"],
    ["BackendMissing", rules("a.test", { pathType: "Prefix", path: "/", backend: {} }), "spec.rules[0].http.paths[0].backend"],
    [
      "ResourceBackend",
      { defaultBackend: { resource: { kind: "StorageBucket", name: "b", apiGroup: "k8s.example.com" } } },
      "spec.defaultBackend.resource",
    ],
    ["ServiceNotFound", rules("a.test", path("/", "Prefix", "missing")), "spec.rules[0].http.paths[0]"],
    ["ServicePortNotFound", rules("a.test", path("/", "Prefix", "good", 81)), "spec.rules[0].http.paths[0]"],
    ["ExternalName", rules("a.test", path("/", "Prefix", "external")), "spec.rules[0].http.paths[0]"],
    ["PortProtocol", rules("a.test", path("/", "Prefix", "udp")), "spec.rules[0].http.paths[0]"],
    ["AppProtocol", rules("a.test", path("/", "Prefix", "tls")), "spec.rules[0].http.paths[0]"],
    ["NoEndpoints", rules("a.test", path("/", "Prefix", "empty")), "spec.rules[0].http.paths[0]"],
  ];
  test.for(cases)("%s", ([reason, spec, field]) => {
    const bad = ingress("bad", spec ?? {});
    const result = processed({ ingresses: [bad, good], services: [...services, ...more], endpointSlices });
    expect(result.statuses[0]?.problems.map((problem) => [problem.reason, problem.source.field])).toEqual([[reason, field]]);
    expect(result.statuses[1]?.problems).toEqual([]);
    expect(match(httpListener(result), request("http://good.test/")).kind).toBe("route");
  });
});

test("TLS: hosts of the entry, else of the rules, else everyone; the older Secret wins and the younger is told", () => {
  const older = ingress("older", { ...rules("a.test", path("/", "Prefix")), tls: [{ secretName: "one" }, { hosts: ["b.test"] }] });
  const younger = ingress(
    "younger",
    { tls: [{ hosts: ["a.test", "*.c.test"], secretName: "two" }], ...rules("d.test", path("/", "Prefix")) },
    { creationTimestamp: "2026-03-01T00:00:00Z" },
  );
  const result = processed({ ingresses: [younger, older] });
  const refs = result.routeTable.listeners[1]?.certificates.map(({ host, certificate }) => [
    host,
    certificate.kind === "secret" ? certificate.name : "-",
  ]);
  expect(refs?.toSorted()).toEqual([
    ["*.c.test", "two"],
    ["a.test", "one"],
    ["b.test", "-"],
  ]);
  expect(result.statuses[0]?.problems.map(({ reason }) => reason)).toContain("CertificateConflict");
});

describe("match and explain agree", () => {
  const text = fc.constantFrom("/", "/a", "/a/b", "/a/b/c", "/ab", "/b", "/a/", "/b/a");
  const host = fc.constantFrom("x.test", "y.test", "*.test", "");
  const arbitrary = fc.array(
    fc.record({
      host,
      text,
      type: fc.constantFrom("Exact", "Prefix", "ImplementationSpecific"),
      fallback: fc.boolean(),
      age: fc.integer({ min: 1, max: 9 }),
    }),
    { maxLength: 12 },
  );
  const objectsOf = (made: readonly { host: string; text: string; type: string; fallback: boolean; age: number }[]) =>
    made.map((each, index) =>
      ingress(
        `i${index}`,
        {
          rules: [{ ...(each.host === "" ? {} : { host: each.host }), http: { paths: [path(each.text, each.type, `s${index}`)] } }],
          ...(each.fallback ? { defaultBackend: { service: { name: `d${index}`, port: { number: 80 } } } } : {}),
        },
        { creationTimestamp: `2026-01-0${each.age}T00:00:00Z` },
      ),
    );

  test("on any table and request, and the order of the objects does not matter", () => {
    fc.assert(
      fc.property(arbitrary, fc.constantFrom("x.test", "z.test", "a.x.test", "test"), text, (made, name, at) => {
        const objects = objectsOf(made);
        const listener = httpListener(processed({ ingresses: objects }));
        const asked = request(`http://${name}${at}`);
        const found = match(listener, asked);
        const explained = explain(listener, asked);
        expect(explained.chosen?.route.id).toBe(found.kind === "route" ? found.route.id : undefined);
        expect(explained.candidates.length).toBe(listener.virtualHosts.flatMap(({ routes }) => routes).length);
        const reversed = match(httpListener(processed({ ingresses: objects.toReversed() })), asked);
        expect(reversed.kind === "route" ? reversed.route.id : undefined).toBe(found.kind === "route" ? found.route.id : undefined);
      }),
    );
  });

  test("prefixes are elements", () => {
    fc.assert(
      fc.property(text, text, (prefix, at) => {
        const wanted = prefix === "/" || at === prefix || `${at}/`.startsWith(prefix.endsWith("/") ? prefix : `${prefix}/`);
        expect(hasPrefix(at, prefix)).toBe(wanted);
      }),
    );
  });

  test("every rejection says what differs", () => {
    const objects = [
      ingress("a", rules("a.test", path("/x", "Exact", "x"), path("/", "Prefix", "root"))),
      ingress("b", rules("b.test", path("/", "Prefix"))),
    ];
    const { candidates } = explain(httpListener(processed({ ingresses: objects })), request("http://a.test/y"));
    expect(candidates.map(({ rejected }) => rejected?.detail ?? "taken")).toEqual([
      "/y is not exactly /x",
      "taken",
      "a.test is not b.test",
    ]);
  });
});
