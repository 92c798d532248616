import { expect, test } from "vitest";
import type { EndpointSlice, Pod, Service } from "../api/types.ts";
import { changesBetween } from "./changes.ts";
import type { Reading } from "./collect.ts";

const empty: Reading = { nodes: [], pods: [], services: [], slices: [], events: [], ingresses: [] };

function pod(name: string, phase: string, ready: boolean): Pod {
  return {
    metadata: { name, namespace: "shop" },
    spec: { containers: [{ name: "c" }] },
    status: { phase, podIP: "10.244.1.3", conditions: [{ type: "Ready", status: ready ? "True" : "False" }] },
  };
}

const service: Service = { metadata: { name: "web", namespace: "shop" }, spec: { selector: { app: "web" }, ports: [{ port: 80 }] } };

function slice(...addresses: string[]): EndpointSlice {
  return {
    metadata: { name: "web-1", namespace: "shop", labels: { "kubernetes.io/service-name": "web" } },
    addressType: "IPv4",
    ports: [{ name: "", port: 8080 }],
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
  };
}

test.each<[string, Reading, Reading, readonly string[]]>([
  ["nothing changed", { ...empty, pods: [pod("a", "Running", true)] }, { ...empty, pods: [pod("a", "Running", true)] }, []],
  ["a new pod", empty, { ...empty, pods: [pod("a", "Pending", false)] }, ["bad pod shop/a: Pending"]],
  [
    "a pod became ready",
    { ...empty, pods: [pod("a", "Pending", false)] },
    { ...empty, pods: [pod("a", "Running", true)] },
    ["good pod shop/a: Pending → Running, ready at 10.244.1.3"],
  ],
  ["a pod went", { ...empty, pods: [pod("a", "Running", true)] }, empty, ["neutral pod shop/a: gone"]],
  [
    "endpoints came and went",
    { ...empty, services: [service], slices: [slice("10.244.1.3")] },
    { ...empty, services: [service], slices: [slice()] },
    ["bad service shop/web: 1 endpoint → 0 endpoints"],
  ],
])("%s", (_, before, after, wanted) => {
  expect(changesBetween(before, after, 0).map(({ kind, text }) => `${kind} ${text}`)).toEqual(wanted);
});
