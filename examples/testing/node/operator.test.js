import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { resources } from "fairlead/testing";
import { useCluster } from "fairlead/testing/node";
import { runOperator } from "./operator.js";

const pod = (name) => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, labels: { app: web } }
spec:
  containers:
    - name: web
      image: shop/web
      ports: [{ containerPort: 8080 }]
      readinessProbe: { httpGet: { port: 8080 }, periodSeconds: 10 }
---`;
const manifests = `${pod("web-0")}${pod("web-1")}
apiVersion: v1
kind: Service
metadata: { name: web, labels: { publish: "true" } }
spec: { selector: { app: web }, ports: [{ port: 80, targetPort: 8080 }] }
`;
const functions = { "shop/web": () => createServer((_, response) => response.end("ok")) };

const cluster = useCluster({ manifests, functions }, async (started) => {
  const operator = new AbortController();
  const running = runOperator({ kubeconfig: await started.kubeconfig(), namespace: "default", signal: operator.signal });
  return async () => {
    operator.abort();
    await running;
  };
});

const published = async () => {
  const { items } = await cluster().client.list(resources.configMaps, { namespace: "default", labelSelector: "made-by=publisher" });
  return Object.fromEntries(items.map(({ metadata, data }) => [metadata.name, data.endpoints.split(",").filter(Boolean).length]));
};
const until = async (wanted, meanwhile = async () => {}) => {
  const end = performance.now() + 30_000;
  for (let found; ; await new Promise((later) => setTimeout(later, 10))) {
    await meanwhile();
    found = await published();
    if (JSON.stringify(found) === JSON.stringify(wanted)) return;
    if (performance.now() > end) assert.deepEqual(found, wanted);
  }
};

test("a Service is published with its ready endpoints", async () => {
  await until({ "web-address": 2 });
});

test("an endpoint that dies leaves, and comes back", async () => {
  // Its probes have ten seconds between them; the cluster's clock need not wait for them.
  const later = () => cluster().clock.advance(10_000);
  const fault = cluster().faults.endpointDown("web-0");
  await until({ "web-address": 1 }, later);
  fault.end();
  await until({ "web-address": 2 }, later);
});

test("what changed while the operator was cut off from the API is caught up with", async () => {
  const fault = cluster().faults.partition({ from: "remote" });
  await cluster().apply(`
apiVersion: v1
kind: Service
metadata: { name: db, labels: { publish: "true" } }
spec: { ports: [{ port: 5432 }] }
`);
  fault.end();
  await until({ "db-address": 0, "web-address": 2 });
});
