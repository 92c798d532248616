/** test/e2e/network/endpointslice.go and endpointslicemirroring.go. */
import { expect } from "vitest";
import type { Json } from "./api.ts";
import { operates } from "./api-operations.ts";
import type { Case, Framework } from "./framework.ts";
import { createExecPod, createService, execHostname } from "./jig.ts";
import { agnhostPod, container, nginx, podOf } from "./pods.ts";
import { endpointsOf, expectTargetRef, slicePath, untilSlices } from "./slices.ts";

const emptySelector = { "does-not-match-anything": "endpoints-and-endpoint-slices-should-still-be-created" };
export const emptySpec = { selector: emptySelector, ports: [{ name: "example", port: 80, protocol: "TCP" }] };

const createsAndDeletesEmpty: Case = async (f) => {
  await createService(f, "example-empty-selector", emptySpec);
  const [slice] = await untilSlices(f, "example-empty-selector", "one", (slices) => slices.length > 0);
  expect(slice.metadata.labels["endpointslice.kubernetes.io/managed-by"]).toBe("endpointslice-controller.k8s.io");
  expect(slice.endpoints ?? []).toEqual([]);
  await f.api.delete(f.core("services/example-empty-selector"));
  await untilSlices(f, "example-empty-selector", "none", (slices) => slices.length === 0);
};

/** Two pods that serve nothing: one named port each with another number, and Services that select one and both. */
export async function createPodsAndServices(f: Framework): Promise<{ pods: readonly [Json, Json]; services: readonly [Json, Json] }> {
  const pod = (name: string, ...ports: readonly Json[]) =>
    podOf(name, [{ name: "container1", image: nginx, ports }], {}, { [name]: "on", shared12: "on" });
  await f.createPod(pod("pod1", { name: "example-name", containerPort: 3000 }));
  await f.createPod(pod("pod2", { name: "example-name", containerPort: 3001 }, { name: "other-port", containerPort: 3002 }));
  const service = (name: string, label: string, port: Json) =>
    createService(f, name, {
      selector: { [label]: "on" },
      publishNotReadyAddresses: true,
      ports: [{ port: 80, protocol: "TCP", ...port }],
    });
  const first = await service("example-int-port", "pod1", { name: "example", targetPort: 3000 });
  const second = await service("example-named-port", "shared12", { name: "http", targetPort: "example-name" });
  const addressed = (name: string) => f.untilPod(name, "has an address", ({ status }) => (status.podIPs ?? []).length > 0);
  return { pods: [await addressed("pod1"), await addressed("pod2")], services: [first, second] };
}

async function expectSlices(f: Framework, service: Json, pods: readonly Json[], count: number, named: boolean): Promise<void> {
  const slices = await untilSlices(
    f,
    service.metadata.name,
    `${pods.length} endpoints`,
    (found) => found.length >= count && endpointsOf(found).length >= pods.length,
  );
  for (const { ports, endpoints } of slices) {
    expect(ports).toHaveLength(service.spec.ports.length);
    for (const { addresses, targetRef } of endpoints) {
      const pod = pods.find(({ status }) => status.podIP === addresses[0]);
      expectTargetRef(pod, targetRef);
      const wanted = named ? pod.spec.containers[0].ports[0].containerPort : service.spec.ports[0].targetPort;
      expect(ports[0]).toMatchObject({ name: service.spec.ports[0].name, protocol: "TCP", port: wanted });
    }
  }
  expect(new Set(endpointsOf(slices).map(({ addresses }) => addresses[0])).size).toBe(pods.length);
}

const createsForPods: Case = async (f) => {
  const { pods, services } = await createPodsAndServices(f);
  await expectSlices(f, services[0], [pods[0]], 1, false);
  await expectSlices(f, services[1], pods, 2, true);
  const { items } = await f.api.get(`${slicePath(f)}?labelSelector=kubernetes.io/service-name=example-named-port`);
  for (const { metadata } of items) await f.api.delete(`${slicePath(f)}/${metadata.name}`);
  await expectSlices(f, services[1], pods, 2, true);
};

const supportsOperations: Case = (f) =>
  operates(f, {
    group: "discovery.k8s.io",
    resource: "endpointslices",
    namespaced: true,
    object: () => ({
      metadata: { generateName: "e2e-example-ing", labels: { "special-label": f.uniqueName } },
      addressType: "IPv4",
      endpoints: [{ addresses: ["1.2.3.4", "5.6.7.8"] }, { addresses: ["2.2.3.4", "6.6.7.8"] }],
    }),
  });

const twoPorts = {
  ports: [
    { name: "port80", port: 80, protocol: "TCP" },
    { name: "port81", port: 81, protocol: "TCP" },
  ],
};

/** A slice as a person writes it: one address, one port. */
function createSlice(f: Framework, address: string, name: string, port: number): Promise<Json> {
  return f.api.create(slicePath(f), {
    metadata: {
      generateName: "e2e-custom-slice",
      labels: {
        "kubernetes.io/service-name": "example-custom-endpoints",
        "endpointslice.kubernetes.io/managed-by": `e2e-test${f.namespace}`,
      },
    },
    addressType: "IPv4",
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
    ports: [{ name, port, protocol: "TCP" }],
  });
}

const netexecOn = (port: number) => ["netexec", "--http-port", String(port), "--udp-port", "-1"];

const severalPorts: Case = async (f) => {
  const { spec } = await createService(f, "example-custom-endpoints", twoPorts);
  const containers = [8090, 9090].map((port) =>
    container(`container-handle-${port}-request`, netexecOn(port), { ports: [{ containerPort: port, protocol: "TCP" }] }),
  );
  const server = f.createReadyPod(podOf("pod-handle-http-request", containers));
  const client = createExecPod(f, "pause-pod-0");
  const address = (await server).status.podIP;
  await createSlice(f, address, "port80", 8090);
  await createSlice(f, address, "port81", 9090);
  await client;
  await execHostname(f, "pause-pod-0", `${spec.clusterIP}:80`, "pod-handle-http-request");
  await execHostname(f, "pause-pod-0", `${spec.clusterIP}:81`, "pod-handle-http-request");
};

const severalAddresses: Case = async (f) => {
  const { spec } = await createService(f, "example-custom-endpoints", twoPorts);
  const server = (name: string) => f.createReadyPod(agnhostPod(name, netexecOn(8090)));
  const [first, second] = await Promise.all([
    server("pod1-handle-http-request"),
    server("pod2-handle-http-request"),
    createExecPod(f, "pause-pod-0"),
  ]);
  await createSlice(f, first.status.podIP, "port80", 8090);
  await createSlice(f, second.status.podIP, "port81", 8090);
  await execHostname(f, "pause-pod-0", `${spec.clusterIP}:80`, "pod1-handle-http-request");
  await execHostname(f, "pause-pod-0", `${spec.clusterIP}:81`, "pod2-handle-http-request");
};

const mirrors: Case = async (f) => {
  const name = "example-custom-endpoints";
  await createService(f, name, { ports: [{ name: "example", port: 80, protocol: "TCP" }] });
  const endpoints = (ip: string) => ({ metadata: { name }, subsets: [{ ports: [{ port: 80 }], addresses: [{ ip }] }] });
  const mirrored = (ip: string) =>
    untilSlices(f, name, ip, (slices) => slices.length === 1 && JSON.stringify(endpointsOf(slices)[0]?.addresses) === `["${ip}"]`);
  const expectMirror = async (ip: string) => {
    const [slice] = await mirrored(ip);
    expect(slice.ports.map(({ port }: Json) => port)).toEqual([80]);
    expect(slice.endpoints).toHaveLength(1);
  };
  await f.api.create(f.core("endpoints"), endpoints("10.1.2.3"));
  await expectMirror("10.1.2.3");
  await f.api.replace(f.core(`endpoints/${name}`), endpoints("10.2.3.4"));
  await expectMirror("10.2.3.4");
  await f.api.delete(f.core(`endpoints/${name}`));
  await untilSlices(f, name, "none", (slices) => slices.length === 0);
};

export const endpointSliceCases: Readonly<Record<string, Case>> = {
  "EndpointSlice should create and delete EndpointSlices for a Service with a selector that matches no pods": createsAndDeletesEmpty,
  "EndpointSlice should create Endpoints and EndpointSlices for Pods matching a Service": createsForPods,
  "EndpointSlice should support creating EndpointSlice API operations": supportsOperations,
  "EndpointSlice should support a Service with multiple ports specified in multiple EndpointSlices": severalPorts,
  "EndpointSlice should support a Service with multiple endpoint IPs specified in multiple EndpointSlices": severalAddresses,
  "EndpointSliceMirroring should mirror a custom Endpoints resource through create update and delete": mirrors,
};
