import { describe, expect, test } from "vitest";
import type { Pod, Service } from "../../api/types.ts";
import { endpointReasons, type EndpointReason } from "./reasons.ts";
import { selectEndpoints } from "./select.ts";
import { oneNode, testNode, testPod, testService, type PodFacts } from "./testing.ts";

const select = (service: Service, ...pods: readonly Pod[]) => selectEndpoints(service, pods, oneNode);

interface Case {
  readonly what: string;
  readonly pod: PodFacts;
  readonly service?: Partial<NonNullable<Service["spec"]>>;
  readonly reason: EndpointReason;
  readonly conditions?: object;
  readonly detail?: string;
}

const cases: readonly Case[] = [
  { what: "a ready pod", pod: {}, reason: "Ready", conditions: { ready: true, serving: true, terminating: false } },
  {
    what: "a pod that is not ready",
    pod: { ready: false },
    reason: "NotReady",
    conditions: { ready: false, serving: false, terminating: false },
  },
  {
    what: "a ready pod being deleted",
    pod: { terminating: true },
    reason: "TerminatingServing",
    conditions: { ready: false, serving: true, terminating: true },
  },
  {
    what: "an unready pod being deleted",
    pod: { terminating: true, ready: false },
    reason: "Terminating",
    conditions: { ready: false, serving: false, terminating: true },
  },
  {
    what: "an unready pod, published all the same",
    pod: { ready: false },
    service: { publishNotReadyAddresses: true },
    reason: "PublishNotReady",
    conditions: { ready: true, serving: false, terminating: false },
  },
  {
    what: "a pod being deleted, published all the same",
    pod: { terminating: true },
    service: { publishNotReadyAddresses: true },
    reason: "PublishNotReady",
    conditions: { ready: true, serving: true, terminating: true },
  },
  {
    what: "another label value",
    pod: { labels: { app: "webapp" } },
    reason: "LabelMismatch",
    detail: 'label app is "webapp", the selector wants "web"',
  },
  { what: "no such label", pod: { labels: {} }, reason: "LabelMismatch", detail: 'label app is missing, the selector wants "web"' },
  {
    what: "two labels that differ",
    pod: { labels: { app: "x" } },
    service: { selector: { app: "web", tier: "front" } },
    reason: "LabelMismatch",
    detail: 'label app is "x", the selector wants "web"; label tier is missing, the selector wants "front"',
  },
  { what: "a pod that succeeded", pod: { phase: "Succeeded" }, reason: "PodFinished", detail: "phase is Succeeded" },
  {
    what: "a pod that failed, though published",
    pod: { phase: "Failed" },
    service: { publishNotReadyAddresses: true },
    reason: "PodFinished",
  },
  {
    what: "a pod without an address",
    pod: { ip: undefined, phase: "Pending" },
    reason: "NoPodIP",
    detail: "no address yet; phase is Pending",
  },
  {
    what: "an address of the other family",
    pod: { ip: "fd00::1" },
    reason: "NoAddressOfFamily",
    detail: "has fd00::1, the Service uses IPv4",
  },
  { what: "a node that does not exist", pod: { node: "gone" }, reason: "NodeNotFound", detail: 'node "gone" does not exist' },
  { what: "such a node, but published", pod: { node: "gone" }, service: { publishNotReadyAddresses: true }, reason: "Ready" },
  { what: "no container port of the name", pod: {}, service: { ports: [{ port: 80, targetPort: "web" }] }, reason: "NamedPortMissing" },
  {
    what: "the name with another protocol",
    pod: {},
    service: { ports: [{ port: 80, protocol: "UDP", targetPort: "http" }] },
    reason: "NamedPortMissing",
  },
];

describe("each pod has one verdict", () => {
  test.each(cases)("$what: $reason", ({ pod, service, reason, conditions, detail }) => {
    const selection = select(testService(service), testPod(pod));
    const [endpoint, out] = [selection.endpoints[0], selection.leftOut[0]];
    expect(endpoint?.reason ?? out?.reason).toBe(reason);
    expect(selection.endpoints.length + selection.leftOut.length).toBe(1);
    expect(endpointReasons[reason].place === "leftOut").toBe(out !== undefined);
    if (conditions !== undefined) expect(endpoint?.endpoint.conditions).toEqual(conditions);
    if (detail !== undefined) expect(out?.detail).toBe(detail);
  });

  test("every reason code has a case", () => {
    expect(new Set(cases.map(({ reason }) => reason))).toEqual(new Set(Object.keys(endpointReasons)));
  });
});

test("an endpoint says whose it is, where, and its own name in a headless Service", () => {
  const pod = testPod({ spec: { hostname: "web-1", subdomain: "web" } });
  const { endpoints } = selectEndpoints(testService({ clusterIP: "None" }), [pod], () =>
    testNode("node-1", { "topology.kubernetes.io/zone": "a" }),
  );
  expect(endpoints[0]?.endpoint).toEqual({
    addresses: ["127.97.0.1"],
    conditions: { ready: true, serving: true, terminating: false },
    hostname: "web-1",
    nodeName: "node-1",
    zone: "a",
    targetRef: { kind: "Pod", namespace: "default", name: "web-1", uid: "uid-web-1" },
  });
});

test("named target ports are found in each pod, by protocol, also in sidecars", () => {
  const sidecar = { name: "proxy", image: "x", restartPolicy: "Always", ports: [{ name: "admin", containerPort: 9000 }] };
  const pod = testPod({ ports: { http: 3000 }, spec: { initContainers: [sidecar] } });
  const ports = [
    { name: "a", port: 80, targetPort: "http" },
    { name: "b", port: 81, targetPort: "admin" },
    { name: "c", port: 82 },
    { name: "d", port: 83, targetPort: "none" },
  ];
  const { endpoints, missingPorts } = select(testService({ ports }), pod);
  expect(endpoints[0]?.ports).toEqual([
    { name: "a", protocol: "TCP", port: 3000 },
    { name: "b", protocol: "TCP", port: 9000 },
    { name: "c", protocol: "TCP", port: 82 },
  ]);
  expect(missingPorts[0]?.missing).toEqual([
    { servicePort: "d", targetPort: "none", protocol: "TCP", available: ["http 3000/TCP", "admin 9000/TCP"] },
  ]);
});

test("both families: an endpoint in each", () => {
  const { endpoints, addressTypes } = select(testService({ ipFamilies: ["IPv6", "IPv4"] }), testPod({ ip: ["127.97.0.1", "fd00::1"] }));
  expect(addressTypes).toEqual(["IPv6", "IPv4"]);
  expect(endpoints.map(({ addressType, endpoint }) => [addressType, endpoint.addresses])).toEqual([
    ["IPv6", ["fd00::1"]],
    ["IPv4", ["127.97.0.1"]],
  ]);
});

test.each([
  [{ type: "ExternalName", externalName: "example.org" }, "ExternalName"],
  [{ selector: undefined }, "NoSelector"],
] as const)("a Service without endpoints of its own: %j", (spec, reason) => {
  const selection = select(testService(spec), testPod());
  expect(selection).toMatchObject({ reason, endpoints: [], addressTypes: [] });
});
