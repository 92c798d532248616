/** test/e2e/network/service.go and service_latency.go: Services as objects, and their endpoints. */
import { expect } from "vitest";
import type { Json } from "./api.ts";
import type { Case } from "./framework.ts";
import { checkEndpoint, checkReachable, createExecPod, createService, createTcpService, jigLabels, updateService } from "./jig.ts";
import { container, createDeployment, pause, podOf } from "./pods.ts";
import { slicePath, untilEndpointCount, untilEndpointPods, untilEndpointPorts } from "./slices.ts";

const statusLifecycle: Case = async (f) => {
  const { api } = f;
  const name = "test-service-status";
  const [path, own] = [f.core("services"), f.core(`services/${name}`)];
  const labels = { "test-service-static": f.uniqueName };
  const { metadata } = await api.get(`/api/v1/services?labelSelector=test-service-static=${f.uniqueName}`);
  const watch = await api.watch(`${path}?labelSelector=test-service-static=${f.uniqueName}&resourceVersion=${metadata.resourceVersion}`);
  const seen = (right: (service: Json) => boolean) =>
    watch.next(({ object }) => object.metadata.name === name && object.metadata.namespace === f.namespace && right(object));
  await api.create(path, {
    metadata: { name, labels },
    spec: {
      type: "LoadBalancer",
      loadBalancerClass: "example.com/internal-vip",
      ports: [{ name: "http", protocol: "TCP", port: 80, targetPort: 80 }],
    },
  });
  await seen(() => true);
  // The class is nobody's here: no address may come by itself.
  expect((await api.get(`${own}/status`)).status).toEqual({ loadBalancer: {} });
  await api.patch(`${own}/status`, "merge-patch", {
    metadata: { annotations: { patchedstatus: "true" } },
    status: { loadBalancer: { ingress: [{ ip: "203.0.113.1" }] } },
  });
  await seen((service) => service.metadata.annotations?.patchedstatus === "true");
  const current = await api.get(own);
  const condition = { type: "StatusUpdate", status: "True", reason: "E2E", message: "Set from e2e test", lastTransitionTime: null };
  await api.replace(`${own}/status`, { ...current, status: { ...current.status, conditions: [condition] } });
  await seen((service) => service.status.conditions?.some(({ type, reason }: Json) => type === "StatusUpdate" && reason === "E2E"));
  await api.patch(own, "strategic-merge-patch", { metadata: { labels: { "test-service": "patched" } } });
  await seen((service) => service.metadata.labels["test-service"] === "patched");
  await api.delete(own);
  await watch.next(({ type, object }) => type === "DELETED" && object.metadata.name === name);
  watch.stop();
};

const deletesCollection: Case = async (f) => {
  const service = (name: string, label: string, port: number) =>
    createService(
      f,
      name,
      { type: "ClusterIP", ports: [{ name: "http", protocol: "TCP", port, targetPort: port }] },
      { labels: { "e2e-test-service": label } },
    );
  await service("e2e-svc-a", "delete", 8001);
  await service("e2e-svc-b", "delete", 8002);
  await service("e2e-svc-c", "keep", 8003);
  expect((await f.api.get(f.core("services"))).items).toHaveLength(3);
  await f.api.delete(f.core("services?labelSelector=e2e-test-service=delete"));
  expect((await f.api.get(f.core("services"))).items.map(({ metadata }: Json) => metadata.name)).toEqual(["e2e-svc-c"]);
};

const findsKubernetes: Case = async ({ api }) => {
  const { items } = await api.get("/api/v1/services");
  expect(items.map(({ metadata }: Json) => `${metadata.namespace}/${metadata.name}`)).toContain("default/kubernetes");
};

const netexecPod = (name: string, service: string, port: number, rest: Json = {}) =>
  podOf(name, [container("agnhost-container", ["netexec", "--http-port", String(port)], rest)], {}, jigLabels(service));

const basicEndpoint: Case = async (f) => {
  const name = "endpoint-test2";
  const execPod = createExecPod(f);
  const service = await createTcpService(f, name);
  await untilEndpointCount(f, name, 0);
  const ports = [{ containerPort: 80 }];
  await f.createPod(netexecPod("pod1", name, 80, { ports }));
  await untilEndpointPods(f, name, "pod1");
  await checkReachable(f, service, await execPod);
  await f.createPod(netexecPod("pod2", name, 80, { ports }));
  await untilEndpointPods(f, name, "pod1", "pod2");
  await checkReachable(f, service, await execPod);
  await f.deletePod("pod1");
  await untilEndpointPods(f, name, "pod2");
  await checkReachable(f, service, await execPod);
  await f.deletePod("pod2");
  await untilEndpointCount(f, name, 0);
};

const multiport: Case = async (f) => {
  const name = "multi-endpoint-test";
  const execPod = createExecPod(f);
  const service = await createTcpService(f, name, {
    ports: [
      { name: "portname1", port: 80, targetPort: "svc1" },
      { name: "portname2", port: 81, targetPort: "svc2" },
    ],
  });
  await untilEndpointCount(f, name, 0);
  const server = (pod: string, portName: string, port: number) =>
    f.createPod(netexecPod(pod, name, port, { ports: [{ name: portName, containerPort: port }] }));
  await server("pod1", "svc1", 100);
  await untilEndpointPorts(f, name, "portname1 TCP pod1:100");
  await server("pod2", "svc2", 101);
  await untilEndpointPorts(f, name, "portname1 TCP pod1:100", "portname2 TCP pod2:101");
  await checkReachable(f, service, await execPod);
  await f.deletePod("pod1");
  await untilEndpointPorts(f, name, "portname2 TCP pod2:101");
  await f.deletePod("pod2");
  await untilEndpointCount(f, name, 0);
};

const twoProtocols: Case = async (f) => {
  const name = "multiprotocol-test";
  const selector = { app: "multiport" };
  const port = (protocol: "TCP" | "UDP") => ({ name: `${protocol.toLowerCase()}-port`, port: 80, targetPort: 80, protocol });
  const { spec } = await createService(f, name, { type: "ClusterIP", selector, ports: [port("TCP"), port("UDP")] });
  const ports = (["TCP", "UDP"] as const).map((protocol) => ({ name: port(protocol).name, containerPort: 80, protocol }));
  const server = container("agnhost-container", ["netexec", "--http-port", "80", "--udp-port", "80"], { ports });
  await Promise.all([f.createPod(podOf("pod1", [server], {}, selector)), createExecPod(f)]);
  await untilEndpointPorts(f, name, "tcp-port TCP pod1:80", "udp-port UDP pod1:80");
  const reachable = (protocol: string) => checkEndpoint(f, spec.clusterIP, 80, protocol, "execpod");
  const unreachable = (flag: string) =>
    f.hostCommandUntil("execpod", `echo hostName | nc -v ${flag} -w 2 ${spec.clusterIP} 80 || true`, (output) => output.trim() === "");
  await reachable("TCP");
  await reachable("UDP");
  await updateService(f, name, (changed) => (changed.ports = [port("TCP")]));
  await unreachable("-u");
  await reachable("TCP");
  await updateService(f, name, (changed) => (changed.ports = [port("UDP")]));
  await unreachable("-t");
  await reachable("UDP");
};

const [trials, parallel] = [200, 15];
const [medianLimitMs, tailLimitMs] = [20_000, 50_000];

/** From the request for a Service to its slice with an endpoint, as a watcher sees it. */
const latency: Case = async (f) => {
  const name = "svc-latency-rc";
  await createDeployment(f, name, 1, { name }, { name, image: pause });
  const { metadata } = await f.api.get(slicePath(f));
  const watch = await f.api.watch(`${slicePath(f)}?resourceVersion=${metadata.resourceVersion}`);
  const started = new Map<string, number>();
  const times = new Map<string, number>();
  const seen = watch.next(({ type, object }) => {
    const service = object.metadata.labels["kubernetes.io/service-name"];
    if (type !== "DELETED" && (object.endpoints ?? []).length > 0 && !times.has(service)) times.set(service, performance.now());
    return times.size === trials;
  });
  const work = async () => {
    while (started.size < trials) {
      const service = `latency-svc-${started.size}`;
      started.set(service, performance.now());
      await createService(f, service, { selector: { name }, ports: [{ protocol: "TCP", port: 80 }], type: "ClusterIP" });
    }
  };
  await Promise.all([...Array.from({ length: parallel }, work), seen]);
  watch.stop();
  const sorted = [...times].map(([service, end]) => end - (started.get(service) as number)).sort((a, b) => a - b);
  expect(sorted[Math.floor(trials / 2)]).toBeLessThan(medianLimitMs);
  expect(sorted[Math.floor(trials * 0.99)]).toBeLessThan(tailLimitMs);
};

export const serviceCases: Readonly<Record<string, Case>> = {
  "Service endpoints latency should not be very high": latency,
  "Services should complete a service status lifecycle": statusLifecycle,
  "Services should delete a collection of services": deletesCollection,
  "Services should find a service from listing all namespaces": findsKubernetes,
  "Services should serve a basic endpoint from pods": basicEndpoint,
  "Services should serve endpoints on same port and different protocols": twoProtocols,
  "Services should serve multiport endpoints from pods": multiport,
};
