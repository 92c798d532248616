import { expect, test } from "vitest";
import type { KubeObject } from "../../src/api/object.ts";
import type { EndpointSlice, Pod, Service } from "../../src/api/types.ts";
import { Model } from "./model.ts";

const service = (name: string): Service => ({
  metadata: { name, namespace: "shop" },
  spec: { clusterIP: "10.96.0.1", ports: [{ port: 80 }] },
});

const slice = (name: string, of: string, ready: boolean, ip = "10.0.0.1"): EndpointSlice => ({
  metadata: { name, namespace: "shop", labels: { "kubernetes.io/service-name": of } },
  addressType: "IPv4",
  ports: [{ port: 8080 }],
  endpoints: [{ addresses: [ip], conditions: { ready }, targetRef: { kind: "Pod", namespace: "shop", name: "web-1" } }],
});

function modelOf() {
  const waiting: (() => void)[] = [];
  const clock = { now: 1000 };
  const model = new Model({ soon: (run) => void waiting.push(run), now: () => clock.now });
  const put = (of: "Service" | "EndpointSlice" | "Pod", ...objects: readonly KubeObject[]) => model.take({ kind: "put", of, objects });
  return { model, put, clock, waiting, pass: () => waiting.splice(0).forEach((run) => run()) };
}

test("a row follows its Service and its slices, also one that changes hands", () => {
  const { model, put } = modelOf();
  put("Service", service("web"), service("api"));
  expect(model.services().map(({ key, state }) => `${key} ${state}`)).toEqual(["shop/api none", "shop/web none"]);
  put("EndpointSlice", slice("s", "web", true));
  expect(model.service("shop/web")).toMatchObject({ state: "ready", ready: 1, endpoints: [{ text: "10.0.0.1:8080", pod: "shop/web-1" }] });
  put("EndpointSlice", slice("s", "api", false));
  expect(model.services().map(({ key, state }) => `${key} ${state}`)).toEqual(["shop/api none", "shop/web none"]);
  expect(model.service("shop/api")?.endpoints).toHaveLength(1);
  model.take({ kind: "gone", of: "Service", keys: ["shop/api"] });
  expect(model.services().map(({ key }) => key)).toEqual(["shop/web"]);
});

test("rows that nothing has touched stay the same objects", () => {
  const { model, put } = modelOf();
  put("Service", service("web"), service("api"));
  const [api] = model.services();
  put("EndpointSlice", slice("s", "web", true));
  expect(model.services()[0]).toBe(api);
});

test("many changes are told once", () => {
  const { model, put, waiting, pass } = modelOf();
  let told = 0;
  model.subscribe(() => told++);
  for (let i = 0; i < 50; i++) put("Service", service(`web-${i}`));
  expect(waiting).toHaveLength(1);
  pass();
  expect(told).toBe(1);
});

test("a new stream begins from nothing", () => {
  const { model, put } = modelOf();
  put("Service", service("web"));
  model.take({ kind: "synced" });
  model.begin();
  expect(model.services()).toEqual([]);
  expect(model.synced).toBe(false);
});

test("states over time begin when the pod says so, and each change is a span", () => {
  const { model, put, clock, pass } = modelOf();
  const pod: Pod = {
    metadata: { name: "web-1", namespace: "shop" },
    status: { conditions: [{ type: "Ready", status: "True", lastTransitionTime: "1970-01-01T00:00:00Z" }] },
  };
  put("Pod", pod);
  put("Service", service("web"));
  put("EndpointSlice", slice("s", "web", true));
  const timeline = model.timeline("shop/web");
  clock.now = 2000;
  put("EndpointSlice", slice("s", "web", false));
  pass();
  clock.now = 3000;
  model.take({ kind: "gone", of: "EndpointSlice", keys: ["shop/s"] });
  pass();
  expect(timeline.spans().get("10.0.0.1:8080")).toEqual([
    { state: "ready", from: 0, to: 2000 },
    { state: "notReady", from: 2000, to: 3000 },
  ]);
});

test("an address leads to the pod that has it now", () => {
  const { model, put } = modelOf();
  const pod = (name: string, ip: string): Pod => ({ metadata: { name, namespace: "shop" }, status: { podIPs: [{ ip }] } });
  put("Pod", pod("a", "10.0.0.1"));
  put("Pod", pod("b", "10.0.0.1"));
  put("Pod", pod("a", "10.0.0.2"));
  expect(["10.0.0.1", "10.0.0.2"].map((ip) => model.tables.podAt(ip)?.metadata.name)).toEqual(["b", "a"]);
});
