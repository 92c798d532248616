/** test/e2e/network/proxy.go: the proxy subresources of pods and Services. */
import { expect } from "vitest";
import type { Json } from "./api.ts";
import type { Case, Framework } from "./framework.ts";
import { createService } from "./jig.ts";
import { container, createDeployment, podOf } from "./pods.ts";
import { untilEndpointCount } from "./slices.ts";

const link = (path: string) => `<a href="${path}">test</a>`;
const served: Readonly<Record<string, string>> = {
  SERVE_PORT_80: link("/rewriteme"),
  SERVE_PORT_1080: link("/rewriteme"),
  SERVE_PORT_160: "foo",
  SERVE_PORT_162: "bar",
  SERVE_TLS_PORT_443: link("/tlsrewriteme"),
  SERVE_TLS_PORT_460: "tls baz",
  SERVE_TLS_PORT_462: "tls qux",
};
const env = (variables: Readonly<Record<string, string>>) => Object.entries(variables).map(([name, value]) => ({ name, value }));

/** Upstream asks each twenty times. */
const attempts = 20;

const throughServiceAndPod: Case = async (f) => {
  const labels = { "proxy-service-target": "true" };
  const service = await f.api.create(f.core("services"), {
    metadata: { generateName: "proxy-service-" },
    spec: {
      selector: labels,
      ports: [
        { name: "portname1", port: 80, targetPort: "dest1" },
        { name: "portname2", port: 81, targetPort: 162 },
        { name: "tlsportname1", port: 443, targetPort: "tlsdest1" },
        { name: "tlsportname2", port: 444, targetPort: 462 },
      ],
    },
  });
  const { name } = service.metadata;
  const [pod] = await createDeployment(f, name, 1, labels, {
    ...container("main", [], { command: ["/agnhost", "porter"], env: env(served) }),
    ports: [
      { containerPort: 80 },
      { name: "dest1", containerPort: 160 },
      { name: "dest2", containerPort: 162 },
      { name: "tlsdest1", containerPort: 460 },
      { name: "tlsdest2", containerPort: 462 },
    ],
    readinessProbe: { httpGet: { port: 80 }, initialDelaySeconds: 1, timeoutSeconds: 5, periodSeconds: 10 },
  });
  await untilEndpointCount(f, name, 1);
  const serviceProxy = (target: string) => f.core(`services/${target.replace("NAME", name)}/proxy`);
  const podProxy = (target: string) => f.core(`pods/${target.replace("NAME", pod.metadata.name)}/proxy`);
  const rewritten = (target: string, path = "/rewriteme") => [podProxy(target), link(podProxy(target) + path)] as const;
  const expectations: readonly (readonly [string, string])[] = [
    [serviceProxy("NAME:portname1"), "foo"],
    [serviceProxy("http:NAME:portname1"), "foo"],
    [serviceProxy("NAME:portname2"), "bar"],
    [serviceProxy("http:NAME:portname2"), "bar"],
    [serviceProxy("https:NAME:tlsportname1"), "tls baz"],
    [serviceProxy("https:NAME:tlsportname2"), "tls qux"],
    rewritten("NAME"),
    rewritten("NAME:1080"),
    rewritten("http:NAME:1080"),
    [podProxy("NAME:160"), "foo"],
    [podProxy("http:NAME:160"), "foo"],
    [podProxy("NAME:162"), "bar"],
    [podProxy("http:NAME:162"), "bar"],
    rewritten("https:NAME:443", "/tlsrewriteme"),
    [podProxy("https:NAME:460"), "tls baz"],
    [podProxy("https:NAME:462"), "tls qux"],
  ];
  for (let attempt = 0; attempt < attempts; attempt++)
    await Promise.all(
      expectations.map(async ([path, wanted]) => {
        const { status, body } = await f.api.ask("GET", `${path}/`);
        expect([path, status, body]).toEqual([path, 200, wanted]);
      }),
    );
};

async function porterBehindService(f: Framework, service: string, labels: Json): Promise<void> {
  const porter = container("agnhost", [], {
    command: ["/agnhost", "porter", "--json-response"],
    env: env({ SERVE_PORT_80: "foo" }),
    // Upstream asks until it serves; here its readiness says when.
    readinessProbe: { httpGet: { port: 80 }, periodSeconds: 1 },
  });
  await createService(f, service, { selector: labels, ports: [{ port: 80, targetPort: 80, protocol: "TCP" }] }, { labels });
  await f.createReadyPod(podOf("agnhost", [porter], { restartPolicy: "Never" }, labels));
  await untilEndpointCount(f, service, 1);
}

async function expectVerb(f: Framework, method: string, path: string): Promise<void> {
  const { status, body } = await f.api.ask(method, path);
  expect([method, path, status]).toEqual([method, path, 200]);
  if (method !== "HEAD") expect(JSON.parse(body)).toEqual({ method, body: "foo" });
}

const withPath: Case = async (f) => {
  await porterBehindService(f, "test-service", { test: "response" });
  for (const target of ["pods/agnhost", "services/test-service"])
    for (const method of ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"])
      await expectVerb(f, method, f.core(`${target}/proxy/some/path/with/${method}`));
};

const withoutPath: Case = async (f) => {
  await porterBehindService(f, "e2e-proxy-test-service", { "e2e-test": "proxy-endpoints" });
  for (const target of ["pods/agnhost", "services/e2e-proxy-test-service"]) {
    for (const method of ["DELETE", "OPTIONS", "PATCH", "POST", "PUT"])
      await expectVerb(f, method, f.core(`${target}/proxy?method=${method}`));
    for (const method of ["GET", "HEAD"]) {
      const { status } = await f.api.ask(method, f.core(`${target}/proxy?method=${method}`));
      expect([method, target, status]).toEqual([method, target, 301]);
    }
  }
};

export const proxyCases: Readonly<Record<string, Case>> = {
  "Proxy version v1 A set of valid responses are returned for both pod and service Proxy": withoutPath,
  "Proxy version v1 A set of valid responses are returned for both pod and service ProxyWithPath": withPath,
  "Proxy version v1 should proxy through a service and a pod": throughServiceAndPod,
};
