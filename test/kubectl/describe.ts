/** `kubectl describe` of one object of every kind that can be listed, and `kubectl proxy`. */
import { once } from "node:events";
import { expect } from "vitest";
import { startKubectl } from "../support/kubectl.ts";
import type { Session } from "./session.ts";

const pod = { metadata: { labels: { app: "d" } }, spec: { containers: [{ name: "main", image: "busybox", command: ["sleep", "1000"] }] } };
const selector = { matchLabels: { app: "d" } };
const once1 = { ...pod, spec: { ...pod.spec, restartPolicy: "Never" } };

/** One of each, none of which starts anything; `NAME` is the namespace's. */
const objects: readonly (readonly [string, string, object])[] = [
  ["v1", "ReplicationController", { spec: { replicas: 0, selector: { app: "d" }, template: pod } }],
  ["v1", "PodTemplate", { template: pod }],
  ["v1", "Service", { spec: { ports: [{ port: 80 }] } }],
  ["v1", "Endpoints", { subsets: [{ addresses: [{ ip: "10.1.2.3" }], ports: [{ port: 80 }] }] }],
  ["v1", "PersistentVolumeClaim", { spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Mi" } } } }],
  ["v1", "ConfigMap", { data: { a: "b" } }],
  ["v1", "Secret", { stringData: { a: "b" } }],
  ["apps/v1", "Deployment", { spec: { replicas: 0, selector, template: pod } }],
  ["apps/v1", "ReplicaSet", { spec: { replicas: 0, selector, template: pod } }],
  ["apps/v1", "StatefulSet", { spec: { replicas: 0, serviceName: "x", selector, template: pod } }],
  ["apps/v1", "DaemonSet", { spec: { selector, template: { ...pod, spec: { ...pod.spec, nodeSelector: { no: "where" } } } } }],
  ["batch/v1", "Job", { spec: { suspend: true, template: once1 } }],
  ["batch/v1", "CronJob", { spec: { schedule: "0 0 1 1 *", suspend: true, jobTemplate: { spec: { template: once1 } } } }],
  ["networking.k8s.io/v1", "Ingress", { spec: { defaultBackend: { service: { name: "x", port: { number: 80 } } } } }],
  ["networking.k8s.io/v1", "NetworkPolicy", { spec: { podSelector: { matchLabels: { no: "body" } } } }],
  ["policy/v1", "PodDisruptionBudget", { spec: { minAvailable: 1, selector } }],
  ["coordination.k8s.io/v1", "Lease", { spec: { holderIdentity: "me" } }],
  ["rbac.authorization.k8s.io/v1", "Role", { rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }] }],
  [
    "rbac.authorization.k8s.io/v1",
    "RoleBinding",
    { roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "x" }, subjects: [] },
  ],
  ["discovery.k8s.io/v1", "EndpointSlice", { addressType: "IPv4", endpoints: [{ addresses: ["10.1.2.3"] }], ports: [{ port: 80 }] }],
];

export async function describesEverything(k: Session, ns: string): Promise<void> {
  await k.ok(`create namespace ${ns}`);
  const items = objects.map(([apiVersion, kind, rest]) => ({ apiVersion, kind, metadata: { name: ns, namespace: ns }, ...rest }));
  await k.ok("apply -f -", { input: JSON.stringify({ apiVersion: "v1", kind: "List", items }) });
  const listed = (await k.ok("api-resources --verbs=list,get --namespaced -o name")).trim().split("\n");
  for (const [apiVersion, kind] of objects) {
    const group = apiVersion.includes("/") ? `.${apiVersion.split("/")[0]}` : "";
    expect(
      listed.some((name) => name.startsWith(kind.toLowerCase().slice(0, -1)) && name.endsWith(group)),
      kind,
    ).toBe(true);
  }
  const described = await k.ok(`-n ${ns} describe ${listed.join(",")}`);
  expect(described.match(new RegExp(`^Name: +${ns}$`, "gm"))?.length).toBeGreaterThanOrEqual(objects.length);
  const clusterWide = (await k.ok("api-resources --verbs=list,get --namespaced=false -o name")).trim().split("\n");
  // Before 1.33 kubectl describes these two in versions that Kubernetes 1.36 does not serve, either.
  const early = (name: string) => k.minor < 33 && /^(servicecidrs|ipaddresses)\./.test(name);
  const everywhere = await k.ok(`describe ${clusterWide.filter((name) => !early(name)).join(",")}`);
  for (const name of [ns, "cluster-admin", "system:node", "standard", ...(k.minor < 33 ? [] : ["kubernetes"])])
    expect(everywhere).toMatch(new RegExp(`^Name: +${name}$`, "m"));
  await k.ok(`delete namespace ${ns} --wait=false`);
}

export async function proxies(k: Session, ns: string): Promise<void> {
  await k.ok(`create namespace ${ns}`);
  const proxy = startKubectl(k.kubectl, ["proxy", "--port=0"], k.kubeconfig);
  k.count++;
  const [chunk] = (await once(proxy.stdout as NodeJS.ReadableStream, "data")) as [Buffer];
  const address = /127\.0\.0\.1:\d+/.exec(chunk.toString())?.[0] ?? "";
  const found = (await (await fetch(`http://${address}/api/v1/namespaces/${ns}`)).json()) as { metadata: { name: string } };
  expect(found.metadata.name).toBe(ns);
  expect(await (await fetch(`http://${address}/healthz`)).text()).toBe("ok");
  // What it does not let through by itself: a way into pods.
  expect((await fetch(`http://${address}/api/v1/namespaces/${ns}/pods/x/attach`)).status).toBe(403);
  proxy.kill();
  await k.ok(`delete namespace ${ns} --wait=false`);
}
