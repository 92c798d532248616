import { expect, test } from "vitest";
import type { EndpointSlice, Service } from "../../src/api/types.ts";
import type { PastVersion } from "../../src/decide/explain/history/past.ts";
import { momentsOf } from "./past.ts";

const serviceKey = "/registry/services/shop/web";
const sliceKey = "/registry/endpointslices.discovery.k8s.io/shop/web-x";

const service: Service = {
  metadata: { name: "web", namespace: "shop" },
  spec: {
    selector: { app: "web" },
    clusterIP: "10.96.0.1",
    clusterIPs: ["10.96.0.1"],
    ports: [{ name: "http", port: 80, protocol: "TCP" }],
  },
};

const slice = (...ready: readonly boolean[]): EndpointSlice => ({
  metadata: { name: "web-x", namespace: "shop", labels: { "kubernetes.io/service-name": "web" } },
  addressType: "IPv4",
  ports: [{ name: "http", port: 8080, protocol: "TCP" }],
  endpoints: ready.map((is, i) => ({ addresses: [`10.0.0.${i + 1}`], conditions: { ready: is } })),
});

const version = (revision: number, key: string, object: PastVersion["object"]): PastVersion => ({
  key,
  revision,
  time: revision * 1000,
  object,
});

test("each moment at which the routing changed, with the endpoints of then; writes that change nothing are none", () => {
  const before = [version(1, serviceKey, service), version(2, sliceKey, slice(true))];
  const writes = [
    version(3, sliceKey, slice(true, true)),
    version(4, sliceKey, slice(true, true)),
    version(5, sliceKey, slice(false, true)),
    version(6, sliceKey, null),
  ];
  const moments = momentsOf({ before, writes }, "shop/web");
  expect(moments.map(({ change, endpoints }) => [change.revision, endpoints.map(({ text, state }) => `${text} ${state}`)])).toEqual([
    [3, ["10.0.0.1:8080 ready", "10.0.0.2:8080 ready"]],
    [5, ["10.0.0.1:8080 notReady", "10.0.0.2:8080 ready"]],
    [6, []],
  ]);
});

test("what happens to another Service is no moment of this one", () => {
  expect(momentsOf({ before: [], writes: [version(1, serviceKey, service), version(2, sliceKey, slice(true))] }, "shop/api")).toEqual([]);
});
