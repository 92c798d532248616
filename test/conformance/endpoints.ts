/** test/e2e/network/endpoints.go. */
import { expect } from "vitest";
import type { Json } from "./api.ts";
import { createPodsAndServices, emptySpec } from "./endpoint-slices.ts";
import type { Case, Framework } from "./framework.ts";
import { createService } from "./jig.ts";
import { expectTargetRef } from "./slices.ts";

const lifecycle: Case = async (f) => {
  const { api } = f;
  const labelled = `labelSelector=test-endpoint-static=${f.uniqueName}`;
  const own = f.core("endpoints/testservice");
  const { metadata } = await api.get(`/api/v1/endpoints?${labelled}`);
  const watch = await api.watch(f.core(`endpoints?${labelled}&resourceVersion=${metadata.resourceVersion}`));
  const created = await api.create(f.core("endpoints"), {
    metadata: { name: "testservice", labels: { "test-endpoint-static": f.uniqueName } },
    subsets: [{ addresses: [{ ip: "10.0.0.24" }], ports: [{ name: "http", port: 80, protocol: "TCP" }] }],
  });
  await watch.next(({ type, object }) => type === "ADDED" && object.metadata.name === "testservice");
  const { items } = await api.get(`/api/v1/endpoints?${labelled}`);
  const found = items.find((item: Json) => item.metadata.namespace === f.namespace && item.metadata.name === "testservice");
  found.metadata.labels["test-service"] = "updated";
  await api.replace(own, found);
  await watch.next(({ type }) => type === "MODIFIED");
  expect((await api.get(own)).metadata.labels).toMatchObject({ "test-service": "updated" });

  const patched = await api.patch(own, "strategic-merge-patch", {
    metadata: { labels: { "test-service": "patched" } },
    subsets: [{ addresses: [{ ip: "10.0.0.25" }], ports: [{ name: "http-test", port: 8080 }] }],
  });
  expect(BigInt(patched.metadata.resourceVersion)).toBeGreaterThan(BigInt(created.metadata.resourceVersion));
  await watch.next(({ type }) => type === "MODIFIED");
  const fetched = await api.get(own);
  expect(fetched.metadata.labels).toMatchObject({ "test-service": "patched" });
  expect(fetched.subsets[0]).toMatchObject({ addresses: [{ ip: "10.0.0.25" }], ports: [{ name: "http-test", port: 8080 }] });

  await api.delete(f.core(`endpoints?${labelled}`));
  await watch.next(({ type }) => type === "DELETED");
  watch.stop();
  expect((await api.ask("GET", own)).status).toBe(404);
};

const untilEndpoints = (f: Framework, name: string, what: string, right: (found: Json | undefined) => boolean) =>
  f.api.until(f.core(`endpoints?fieldSelector=metadata.name=${name}`), `endpoints ${name} ${what}`, ([found]) => right(found));

const createsAndDeletesEmpty: Case = async (f) => {
  await createService(f, "example-empty-selector", emptySpec);
  await untilEndpoints(f, "example-empty-selector", "are there", (found) => found !== undefined);
  await f.api.delete(f.core("services/example-empty-selector"));
  await untilEndpoints(f, "example-empty-selector", "are gone", (found) => found === undefined);
};

const createsForPods: Case = async (f) => {
  const { pods, services } = await createPodsAndServices(f);
  const expectEndpoints = async (service: Json, matching: readonly Json[], port: (pod: Json) => number) => {
    const [found] = await untilEndpoints(
      f,
      service.metadata.name,
      `have ${matching.length} addresses`,
      (endpoints) => endpoints?.subsets?.flatMap(({ addresses }: Json) => addresses).length === matching.length,
    );
    const seen = found.subsets.flatMap(({ addresses, ports }: Json) => addresses.map((address: Json) => ({ ...address, ports })));
    for (const pod of matching) {
      const address = seen.find(({ ip }: Json) => ip === pod.status.podIP);
      expectTargetRef(pod, address.targetRef);
      expect(address.ports).toEqual([{ name: service.spec.ports[0].name, port: port(pod), protocol: "TCP" }]);
    }
  };
  await expectEndpoints(services[0], [pods[0]], () => 3000);
  const named = (pod: Json) => pod.spec.containers[0].ports[0].containerPort as number;
  await expectEndpoints(services[1], pods, named);
  await f.api.delete(f.core("endpoints/example-named-port"));
  await expectEndpoints(services[1], pods, named);
};

export const endpointsCases: Readonly<Record<string, Case>> = {
  "Endpoints should test the lifecycle of an Endpoint": lifecycle,
  "EndpointsController should create and delete Endpoints for a Service with a selector that matches no pods": createsAndDeletesEmpty,
  "EndpointsController should create Endpoints for Pods matching a Service": createsForPods,
};
