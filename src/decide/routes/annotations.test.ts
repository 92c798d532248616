import { describe, expect, test } from "vitest";
import { nginxPrefix, readAnnotations } from "./annotations.ts";
import { match } from "./match.ts";
import { httpListener, ingress, path, processed, request } from "./testing.ts";

const of = (annotations: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(annotations).map(([name, value]) => [nginxPrefix + name, value]));

test("those with an effect", () => {
  const read = readAnnotations(
    of({
      "ssl-redirect": "true",
      "force-ssl-redirect": "true",
      "rewrite-target": "/x",
      "proxy-read-timeout": "90",
      "backend-protocol": "HTTP",
      "use-regex": "false",
    }),
  );
  expect(read).toMatchObject({
    filters: [
      { kind: "redirect", status: 308, scheme: "https", onlyFrom: "http" },
      { kind: "rewrite", path: { kind: "full", value: "/x" } },
    ],
    redirectHostsWithTls: true,
    timeouts: { responseMs: 90_000 },
    closed: false,
  });
  expect(read.verdicts.map(({ verdict }) => verdict)).toEqual(["exact", "exact", "differs", "differs", "exact", "exact"]);
});

test("others' annotations are others' affair", () => {
  expect(readAnnotations({ "cert-manager.io/issuer": "x", "kubectl.kubernetes.io/last-applied-configuration": "{}" }).problems).toEqual([]);
});

describe("each of ingress-nginx has a verdict", () => {
  test.for([
    ["rewrite-target", "/$1", "exact", false],
    ["rewrite-target", "x", "refused", false],
    ["ssl-redirect", "yes", "refused", false],
    ["use-regex", "true", "exact", false],
    ["backend-protocol", "GRPC", "exact", false],
    ["backend-protocol", "FCGI", "refused", false],
    ["proxy-read-timeout", "soon", "refused", false],
    ["canary", "true", "exact", false],
    ["proxy-body-size", "8m", "differs", false],
    ["proxy-body-size", "much", "refused", false],
    ["proxy-buffering", "off", "exact", false],
    ["proxy-buffering", "on", "differs", false],
    ["affinity", "cookie", "exact", false],
    ["affinity", "ip", "refused", false],
    ["enable-cors", "true", "exact", false],
    ["limit-rps", "5", "exact", false],
    ["limit-rps", "many", "refused", true],
    ["app-root", "/home", "exact", false],
    ["permanent-redirect", "https://elsewhere.test/x", "exact", false],
    ["permanent-redirect", "javascript:alert(1)", "refused", false],
    ["server-alias", "a.test, b.test", "exact", false],
    ["server-alias", "~^x", "refused", false],
    ["upstream-hash-by", "$request_uri", "exact", false],
    ["upstream-hash-by", "${remote_addr}-$http_x_user", "exact", false],
    ["upstream-hash-by", "$upstream_addr", "refused", false],
    ["upstream-hash-by", "always the same", "refused", false],
    ["load-balance", "ewma", "exact", false],
    ["load-balance", "ip_hash", "differs", false],
    ["ssl-passthrough", "true", "refused", false],
    ["made-up", "x", "unknown", false],
    ["constructor", "x", "unknown", false],
    ["auth-url", "http://auth/", "differs", false],
    ["auth-url", "http://auth.shop.svc.cluster.local:8080/check?$args", "exact", false],
    ["auth-url", "https://$host/oauth2/auth", "exact", false],
    ["auth-url", "http://$nowhere/", "refused", true],
    ["auth-url", "/check", "refused", true],
    ["auth-signin", "https://login.test/", "refused", true],
    ["auth-type", "digest", "refused", true],
    ["auth-type", "basic", "refused", true],
    ["auth-tls-secret", "shop/ca", "refused", true],
    ["limit-connections", "5", "differs", false],
    ["limit-connections", "some", "refused", true],
    ["default-backend", "pages", "exact", false],
    ["default-backend", "other/pages", "refused", false],
    ["custom-http-errors", "404", "differs", false],
    ["whitelist-source-range", "10.0.0.0/8", "exact", false],
    ["whitelist-source-range", "everybody", "refused", true],
    ["configuration-snippet", "deny all;", "refused", true],
  ] as const)("%s: %s", ([name, value, verdict, closed]) => {
    const read = readAnnotations(of({ [name]: value }));
    expect(read.verdicts).toMatchObject([{ key: nginxPrefix + name, verdict }]);
    expect(read.problems.map(({ severity }) => severity)).toEqual(verdict === "exact" ? [] : [verdict === "refused" ? "error" : "warning"]);
    expect(read.closed).toBe(closed);
  });
});

test("an Ingress that was to keep requests out serves none, and says why; its hosts do not fall to others' rules", () => {
  const rules = (host: string) => ({ rules: [{ host, http: { paths: [path("/", "Prefix")] } }] });
  const guarded = ingress("guarded", rules("a.test"), { annotations: of({ "auth-secret": "users" }) });
  const result = processed({ ingresses: [guarded, ingress("any", { rules: [{ http: { paths: [path("/", "Prefix")] } }] })] });
  expect(match(httpListener(result), request("http://a.test/"))).toMatchObject({ kind: "route", host: "a.test", route: { backends: [] } });
  expect(result.statuses[0]?.problems).toMatchObject([
    { severity: "error", reason: "UnsupportedAnnotation", source: { field: `metadata.annotations[${nginxPrefix}auth-secret]` } },
  ]);
});

test("ssl-redirect is for hosts with TLS", () => {
  const both = {
    rules: ["a.test", "b.c.test", "d.test"].map((host) => ({ host, http: { paths: [path("/", "Prefix")] } })),
    tls: [{ hosts: ["a.test", "*.c.test"] }],
  };
  const listener = httpListener(processed({ ingresses: [ingress("a", both, { annotations: of({ "ssl-redirect": "true" }) })] }));
  const redirected = (host: string) => {
    const found = match(listener, request(`http://${host}/`));
    return found.kind === "route" && found.route.filters.length > 0;
  };
  expect([redirected("a.test"), redirected("b.c.test"), redirected("d.test")]).toEqual([true, true, false]);
});

const to = (service: string, text = "/", type = "Prefix") => ({ host: "a.test", http: { paths: [path(text, type, service)] } });
const backendsFor = (objects: Parameters<typeof processed>[0], url: string, headers: Readonly<Record<string, string>> = {}) => {
  const found = match(httpListener(processed(objects)), request(url, "GET", headers));
  return found.kind === "route" ? found.route.backends.map(({ name, weight }) => `${name}:${weight}`) : undefined;
};

describe("patterns", () => {
  const old = ingress(
    "old",
    { rules: [to("new", "/something(/|$)(.*)", "ImplementationSpecific")] },
    { annotations: of({ "rewrite-target": "/$2", "use-regex": "true" }) },
  );
  const other = ingress("other", { rules: [to("other", "/Foo", "Exact")] });

  test("a host with one has patterns only, letters of either case, as a beginning", () => {
    const objects = { ingresses: [old, other] };
    expect(backendsFor(objects, "http://a.test/SOMETHING/new")).toEqual(["new:1"]);
    expect(backendsFor(objects, "http://a.test/foobar")).toEqual(["other:1"]);
    expect(backendsFor({ ingresses: [other] }, "http://a.test/foobar")).toBeUndefined();
  });

  test("what would take exponential time elsewhere is refused for that path only", () => {
    const bad = ingress(
      "bad",
      { rules: [to("x", "/(a)\\1", "ImplementationSpecific"), to("good", "/b", "Prefix")] },
      { annotations: of({ "use-regex": "true" }) },
    );
    const result = processed({ ingresses: [bad] });
    expect(result.statuses[0]?.problems).toMatchObject([
      { reason: "InvalidPath", source: { field: "spec.rules[0].http.paths[0].path" } },
      {},
    ]);
    expect(backendsFor({ ingresses: [bad] }, "http://a.test/b/c")).toEqual(["good:1"]);
  });
});

describe("canary", () => {
  const main = ingress("main", { rules: [to("stable")] });
  const canary = (annotations: Readonly<Record<string, string>>) =>
    ingress("canary", { rules: [to("next")] }, { annotations: of({ canary: "true", ...annotations }) });

  test("by weight", () => {
    expect(backendsFor({ ingresses: [main, canary({ "canary-weight": "30" })] }, "http://a.test/")).toEqual(["stable:70", "next:30"]);
    expect(backendsFor({ ingresses: [main, canary({ "canary-weight": "30", "canary-weight-total": "30" })] }, "http://a.test/")).toEqual([
      "next:30",
    ]);
  });

  test.for([
    [{ "canary-by-header": "X-Canary" }, { "x-canary": "always" }, "next"],
    [{ "canary-by-header": "X-Canary" }, { "x-canary": "never" }, "stable"],
    [{ "canary-by-header": "X-Canary" }, {}, "stable"],
    [{ "canary-by-header": "X-Canary", "canary-by-header-value": "beta" }, { "x-canary": "beta" }, "next"],
    [{ "canary-by-header": "X-Canary", "canary-by-header-value": "beta" }, { "x-canary": "always" }, "stable"],
    [{ "canary-by-header": "X-Canary", "canary-by-header-pattern": "b.*" }, { "x-canary": "beta" }, "next"],
    [{ "canary-by-cookie": "pilot" }, { cookie: "a=b; pilot=always" }, "next"],
    [{ "canary-by-cookie": "pilot" }, { cookie: "xpilot=always" }, "stable"],
    [{ "canary-by-header": "X-Canary", "canary-by-cookie": "pilot" }, { "x-canary": "never", cookie: "pilot=always" }, "stable"],
  ] as const)("%j with %j goes to %s", ([annotations, headers, wanted]) =>
    expect(backendsFor({ ingresses: [main, canary(annotations)] }, "http://a.test/x", headers)?.[0]?.split(":")[0]).toBe(wanted),
  );

  test("alone it is nothing, and says so", () => {
    const result = processed({ ingresses: [canary({ "canary-weight": "30" })] });
    expect(result.statuses[0]?.problems.map(({ reason }) => reason)).toContain("CanaryAlone");
    expect(match(httpListener(result), request("http://a.test/")).kind).toBe("none");
  });
});

test("app-root, from-to-www-redirect, server-alias", () => {
  const objects = {
    ingresses: [
      ingress(
        "a",
        { rules: [to("web")] },
        { annotations: of({ "app-root": "/home", "from-to-www-redirect": "true", "server-alias": "b.test" }) },
      ),
    ],
  };
  const filters = (url: string) => {
    const found = match(httpListener(processed(objects)), request(url));
    return found.kind === "route" ? found.route.filters : undefined;
  };
  expect(filters("http://a.test/")).toEqual([{ kind: "redirect", status: 302, path: { kind: "full", value: "/home" } }]);
  expect(filters("http://a.test/x")).toEqual([]);
  expect(filters("http://www.a.test/x")).toEqual([{ kind: "redirect", status: 308, host: "a.test" }]);
  expect(backendsFor(objects, "http://b.test/x")).toEqual(["web:1"]);
});
