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
  expect(read).toEqual({
    filters: [
      { kind: "redirect", status: 308, scheme: "https", onlyFrom: "http" },
      { kind: "rewrite", path: { kind: "full", value: "/x" } },
    ],
    redirectHostsWithTls: true,
    timeouts: { responseMs: 90_000 },
    closed: false,
    problems: [],
  });
});

test("others' annotations are others' affair", () => {
  expect(readAnnotations({ "cert-manager.io/issuer": "x", "kubectl.kubernetes.io/last-applied-configuration": "{}" }).problems).toEqual([]);
});

describe("each of ingress-nginx has a verdict", () => {
  test.for([
    ["rewrite-target", "/$1", "error", false],
    ["rewrite-target", "x", "error", false],
    ["ssl-redirect", "yes", "error", false],
    ["use-regex", "true", "error", false],
    ["backend-protocol", "GRPC", "error", false],
    ["proxy-read-timeout", "soon", "error", false],
    ["canary", "true", "warning", false],
    ["proxy-body-size", "8m", "warning", false],
    ["made-up", "x", "warning", false],
    ["constructor", "x", "warning", false],
    ["auth-url", "http://auth/", "error", true],
    ["whitelist-source-range", "10.0.0.0/8", "error", true],
    ["configuration-snippet", "deny all;", "error", true],
  ] as const)("%s: %s", ([name, value, severity, closed]) => {
    const read = readAnnotations(of({ [name]: value }));
    expect(read.problems).toMatchObject([{ key: nginxPrefix + name, severity }]);
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
