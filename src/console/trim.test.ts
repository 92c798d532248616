import { expect, test } from "vitest";
import type { ConfigMap, Pod, Service } from "../api/types.ts";
import { isShown } from "./kinds.ts";
import { trimmed } from "./trim.ts";

const secret = "hunter2";

test("of a pod stays what routing reads; environment, commands, arguments and volumes do not", () => {
  const pod: Pod = {
    metadata: {
      name: "web-1",
      namespace: "shop",
      labels: { app: "web" },
      annotations: { "kubectl.kubernetes.io/last-applied-configuration": secret, note: "kept" },
      managedFields: [{ manager: secret }],
    },
    spec: {
      nodeName: "node-1",
      volumes: [{ name: secret, secret: { secretName: secret } }],
      containers: [
        {
          name: "web",
          image: "web:1",
          command: [secret],
          args: [secret],
          env: [{ name: "PASSWORD", value: secret }],
          ports: [{ name: "http", containerPort: 80 }],
          readinessProbe: { httpGet: { path: "/", port: "http" } },
        },
      ],
      initContainers: [{ name: "init", env: [{ name: "TOKEN", value: secret }] }],
    },
    status: { phase: "Running", podIP: "10.0.0.1" },
  };
  const sent = trimmed(pod, "Pod") as Pod;
  expect(JSON.stringify(sent)).not.toContain(secret);
  expect(sent.metadata).toEqual({ name: "web-1", namespace: "shop", labels: { app: "web" }, annotations: { note: "kept" } });
  expect(sent.spec?.containers[0]).toEqual({
    name: "web",
    image: "web:1",
    ports: [{ name: "http", containerPort: 80 }],
    readinessProbe: { httpGet: { path: "/", port: "http" } },
  });
  expect(sent.status).toEqual(pod.status);
});

test("of ConfigMaps only the Corefile is sent", () => {
  const config: ConfigMap = { metadata: { name: "coredns", namespace: "kube-system" }, data: { Corefile: ".:53 {}", other: secret } };
  expect((trimmed(config, "ConfigMap") as ConfigMap).data).toEqual({ Corefile: ".:53 {}" });
  expect(isShown("ConfigMap", config)).toBe(true);
  expect(isShown("ConfigMap", { metadata: { name: "coredns", namespace: "shop" } })).toBe(false);
});

test("other objects come whole but for who wrote what", () => {
  const service: Service = { metadata: { name: "web", managedFields: [] }, spec: { clusterIP: "10.96.0.1" } };
  expect(trimmed(service, "Service")).toEqual({ metadata: { name: "web" }, spec: { clusterIP: "10.96.0.1" } });
});
