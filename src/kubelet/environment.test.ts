import { assert, property, string } from "fast-check";
import { expect, test } from "vitest";
import type { Container, Pod, Service } from "../api/types.ts";
import { containerEnvironment, expandAll, type EnvironmentInput } from "./environment.ts";
import { expand } from "./expansion.ts";
import { serviceVariables } from "./service-variables.ts";

const pod: Pod = {
  metadata: { name: "web-1", namespace: "shop", uid: "u1", labels: { app: "web", tier: "front" } },
  spec: {
    nodeName: "n1",
    serviceAccountName: "default",
    containers: [{ name: "web", resources: { limits: { cpu: "250m", memory: "64Mi" } } }],
  },
};

function input(container: Partial<Container>, more: Partial<EnvironmentInput> = {}): EnvironmentInput {
  return {
    pod,
    container: { name: "web", resources: pod.spec?.containers[0]?.resources, ...container },
    facts: { podIPs: ["127.97.0.1"], hostIPs: ["127.0.0.1"], allocatable: { cpuCores: 4, memoryBytes: 2 ** 30 } },
    sources: {
      configMap: (name) => (name === "conf" ? { metadata: {}, data: { color: "blue", "bad key": "x" } } : undefined),
      secret: (name) => (name === "key" ? { metadata: {}, data: { password: Buffer.from("s3cret").toString("base64") } } : undefined),
    },
    base: { PATH: "/bin" },
    services: { WEB_SERVICE_HOST: "127.96.0.1" },
    ...more,
  };
}

const values = (container: Partial<Container>, more?: Partial<EnvironmentInput>) => {
  const result = containerEnvironment(input(container, more));
  return result.kind === "ok" ? result.env : result.message;
};

test.each([
  ["$(A)", "1"],
  ["x$(A)y$(B)", "x1y2"],
  ["$$(A)", "$(A)"],
  ["$$$(A)", "$1"],
  ["$(NONE)", "$(NONE)"],
  ["$A $ $(", "$A $ $("],
  ["$$", "$"],
])("%s expands to %s", (text, expected) => {
  expect(expand(text, (name) => ({ A: "1", B: "2" })[name])).toBe(expected);
});

test("text without a dollar is never changed", () => {
  assert(property(string(), (text) => expand(text.replaceAll("$", ""), () => "!") === text.replaceAll("$", "")));
});

test("later variables see earlier ones, Services and the base; the container's own win", () => {
  const env = [
    { name: "A", value: "1" },
    { name: "B", value: "$(A)-$(WEB_SERVICE_HOST)-$(PATH)-$(LATER)" },
    { name: "LATER", value: "x" },
    { name: "WEB_SERVICE_HOST", value: "own" },
  ];
  expect(values({ env })).toEqual({ PATH: "/bin", A: "1", B: "1-127.96.0.1-/bin-$(LATER)", LATER: "x", WEB_SERVICE_HOST: "own" });
  expect(expandAll(["echo", "$(A)"], { A: "1" })).toEqual(["echo", "1"]);
});

test("values come from fields, resources, ConfigMaps and Secrets", () => {
  const from = (name: string, valueFrom: object) => ({ name, valueFrom });
  const env = [
    from("NAME", { fieldRef: { fieldPath: "metadata.name" } }),
    from("LABEL", { fieldRef: { fieldPath: "metadata.labels['app']" } }),
    from("IP", { fieldRef: { fieldPath: "status.podIP" } }),
    from("HOST_IP", { fieldRef: { fieldPath: "status.hostIP" } }),
    from("CPU", { resourceFieldRef: { resource: "limits.cpu", divisor: "1m" } }),
    from("CPUS", { resourceFieldRef: { resource: "limits.cpu" } }),
    from("MEMORY", { resourceFieldRef: { resource: "limits.memory", divisor: "1Mi" } }),
    from("REQUEST", { resourceFieldRef: { resource: "requests.cpu" } }),
    from("COLOR", { configMapKeyRef: { name: "conf", key: "color" } }),
    from("PASSWORD", { secretKeyRef: { name: "key", key: "password" } }),
    from("ABSENT", { configMapKeyRef: { name: "none", key: "x", optional: true } }),
  ];
  expect(values({ env })).toMatchObject({
    NAME: "web-1",
    LABEL: "web",
    IP: "127.97.0.1",
    HOST_IP: "127.0.0.1",
    CPU: "250",
    CPUS: "1",
    MEMORY: "64",
    REQUEST: "0",
    COLOR: "blue",
    PASSWORD: "s3cret",
  });
  expect(values({ env })).not.toHaveProperty("ABSENT");
});

test("envFrom takes all keys that are names, with a prefix", () => {
  const result = containerEnvironment(
    input({ envFrom: [{ prefix: "C_", configMapRef: { name: "conf" } }, { secretRef: { name: "key" } }] }),
  );
  expect(result).toMatchObject({ kind: "ok", env: { C_color: "blue", password: "s3cret" }, skipped: ["C_bad key"] });
});

test.each([
  [{ configMapKeyRef: { name: "none", key: "x" } }, 'configmap "none" not found'],
  [{ configMapKeyRef: { name: "conf", key: "x" } }, "couldn't find key x in ConfigMap shop/conf"],
  [{ secretKeyRef: { name: "none", key: "x" } }, 'secret "none" not found'],
  [{ secretKeyRef: { name: "key", key: "x" } }, "couldn't find key x in Secret shop/key"],
  [{ fieldRef: { fieldPath: "spec.wrong" } }, "unsupported fieldPath: spec.wrong"],
])("%j: %s", (valueFrom, message) => {
  expect(values({ env: [{ name: "V", valueFrom }] })).toBe(message);
});

function service(name: string, namespace: string, spec: Service["spec"]): Service {
  return { metadata: { name, namespace }, spec };
}

test("Services' variables: own namespace and default/kubernetes, none without an address", () => {
  const services = [
    service("web-app", "shop", {
      clusterIP: "10.0.0.5",
      ports: [
        { name: "http", port: 80 },
        { name: "dns-udp", port: 53, protocol: "UDP" },
      ],
    }),
    service("other", "elsewhere", { clusterIP: "10.0.0.6", ports: [{ port: 1 }] }),
    service("headless", "shop", { clusterIP: "None", ports: [{ port: 1 }] }),
    service("external", "shop", { type: "ExternalName", externalName: "x" }),
    service("kubernetes", "default", { clusterIP: "10.0.0.1", ports: [{ name: "https", port: 443 }] }),
  ];
  const expected = {
    KUBERNETES_SERVICE_HOST: "10.0.0.1",
    KUBERNETES_SERVICE_PORT: "443",
    KUBERNETES_SERVICE_PORT_HTTPS: "443",
    KUBERNETES_PORT: "tcp://10.0.0.1:443",
    KUBERNETES_PORT_443_TCP: "tcp://10.0.0.1:443",
    KUBERNETES_PORT_443_TCP_PROTO: "tcp",
    KUBERNETES_PORT_443_TCP_PORT: "443",
    KUBERNETES_PORT_443_TCP_ADDR: "10.0.0.1",
  };
  expect(serviceVariables({ ...pod, spec: { containers: [], enableServiceLinks: false } }, services)).toEqual(expected);
  expect(serviceVariables(pod, services)).toEqual({
    ...expected,
    WEB_APP_SERVICE_HOST: "10.0.0.5",
    WEB_APP_SERVICE_PORT: "80",
    WEB_APP_SERVICE_PORT_HTTP: "80",
    WEB_APP_PORT: "tcp://10.0.0.5:80",
    WEB_APP_PORT_80_TCP: "tcp://10.0.0.5:80",
    WEB_APP_PORT_80_TCP_PROTO: "tcp",
    WEB_APP_PORT_80_TCP_PORT: "80",
    WEB_APP_PORT_80_TCP_ADDR: "10.0.0.5",
    WEB_APP_SERVICE_PORT_DNS_UDP: "53",
    WEB_APP_PORT_53_UDP: "udp://10.0.0.5:53",
    WEB_APP_PORT_53_UDP_PROTO: "udp",
    WEB_APP_PORT_53_UDP_PORT: "53",
    WEB_APP_PORT_53_UDP_ADDR: "10.0.0.5",
  });
});
