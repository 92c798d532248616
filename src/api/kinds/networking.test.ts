import { describe, expect, test } from "vitest";
import { faults, stored, tableCells } from "./testing.ts";

const meta = { name: "web", namespace: "default" };
const service = { name: "web", port: { number: 80 } };
const path = (more: object = {}) => ({ path: "/", pathType: "Prefix", backend: { service }, ...more });
const ingress = (paths: readonly object[], rule: object = {}, spec: object = {}) => ({
  metadata: meta,
  spec: { rules: [{ host: "web.localhost", http: { paths }, ...rule }], ...spec },
});

describe("Ingress", () => {
  test("as the documents write it", () => {
    const object = stored(
      "Ingress",
      ingress([path()], {}, { ingressClassName: "fairlead", tls: [{ hosts: ["web.localhost"], secretName: "s" }] }),
    );
    expect(object).toMatchObject({ metadata: { generation: 1 }, status: { loadBalancer: {} } });
    expect(tableCells("Ingress", object)).toMatchObject({ Class: "fairlead", Hosts: "web.localhost", Address: "", Ports: "80, 443" });
  });

  test.each([
    ["no rule", { metadata: meta, spec: {} }, "spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"],
    [
      "an address as host",
      ingress([path()], { host: "10.0.0.1" }),
      'spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP address',
    ],
    ["no path", ingress([]), "spec.rules[0].http.paths: Required value"],
    [
      "a relative path",
      ingress([path({ path: "web" })]),
      'spec.rules[0].http.paths[0].path: Invalid value: "web": must be an absolute path',
    ],
    ["dots", ingress([path({ path: "/a/../b" })]), "spec.rules[0].http.paths[0].path: Invalid value: \"/a/../b\": must not contain '/../'"],
    [
      "a slash in disguise",
      ingress([path({ path: "/a%2Fb" })]),
      "spec.rules[0].http.paths[0].path: Invalid value: \"/a%2Fb\": must not contain '%2F'",
    ],
    [
      "dots at the end",
      ingress([path({ path: "/a/.." })]),
      "spec.rules[0].http.paths[0].path: Invalid value: \"/a/..\": cannot end with '/..'",
    ],
    [
      "an unknown type",
      ingress([path({ pathType: "Regex" })]),
      'spec.rules[0].http.paths[0].pathType: Unsupported value: "Regex": supported values: "Exact", "ImplementationSpecific", "Prefix"',
    ],
    [
      "no backend",
      ingress([path({ backend: {} })]),
      'spec.rules[0].http.paths[0].backend: Invalid value: "": resource or service backend is required',
    ],
    [
      "two backends",
      ingress([path({ backend: { service, resource: { kind: "K", name: "n" } } })]),
      'spec.rules[0].http.paths[0].backend: Invalid value: "": cannot set both resource and service backends',
    ],
    [
      "no port",
      ingress([path({ backend: { service: { name: "web", port: {} } } })]),
      "spec.rules[0].http.paths[0].backend: Required value: port name or number is required",
    ],
    [
      "a port twice",
      ingress([path({ backend: { service: { name: "web", port: { name: "http", number: 80 } } } })]),
      'spec.rules[0].http.paths[0].backend: Invalid value: "": cannot set both port name & port number',
    ],
    [
      "a port beyond",
      ingress([path({ backend: { service: { name: "web", port: { number: 70000 } } } })]),
      "spec.rules[0].http.paths[0].backend.service.port.number: Invalid value: 70000: must be between 1 and 65535, inclusive",
    ],
    [
      "two classes",
      { ...ingress([path()], {}, { ingressClassName: "a" }), metadata: { ...meta, annotations: { "kubernetes.io/ingress.class": "b" } } },
      'annotations.kubernetes.io/ingress.class: Invalid value: "b": must match `ingressClassName` when both are specified',
    ],
  ])("refuses %s", (_, object, fault) => {
    expect(faults("Ingress", object)).toEqual([fault]);
  });
});

describe("IngressClass", () => {
  const ingressClass = (spec: object) => ({ metadata: { name: "fairlead" }, spec });

  test("with parameters", () => {
    const object = stored(
      "IngressClass",
      ingressClass({ controller: "fairlead.dev/gateway", parameters: { apiGroup: "k8s.example", kind: "P", name: "x" } }),
    );
    expect(object).toMatchObject({ spec: { parameters: { scope: "Cluster" } } });
    expect(tableCells("IngressClass", object)).toMatchObject({ Controller: "fairlead.dev/gateway", Parameters: "P.k8s.example/x" });
  });

  test.each([
    ["no controller", {}, "spec.controller: Required value"],
    [
      "a controller without domain",
      { controller: "fairlead" },
      'spec.controller: Invalid value: "fairlead": must be a domain-prefixed path (such as "acme.io/foo")',
    ],
    [
      "a namespace of cluster parameters",
      { controller: "a.b/c", parameters: { kind: "K", name: "n", namespace: "x" } },
      "spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'",
    ],
    [
      "namespaced parameters without one",
      { controller: "a.b/c", parameters: { kind: "K", name: "n", scope: "Namespace" } },
      "spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'",
    ],
  ])("refuses %s", (_, spec, fault) => {
    expect(faults("IngressClass", ingressClass(spec))).toEqual([fault]);
  });

  test("keeps its controller", () => {
    const old = stored("IngressClass", ingressClass({ controller: "a.b/c" }));
    expect(faults("IngressClass", ingressClass({ controller: "a.b/d" }), old)).toEqual([
      'spec.controller: Invalid value: "a.b/d": field is immutable',
    ]);
  });
});
