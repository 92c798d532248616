import { expect, test } from "vitest";
import type { EndpointSlice, Service } from "../../api/types.ts";
import type { PlanNode } from "./plan.ts";
import { planService } from "./service.ts";
import { changedAddresses, staleFlows, type TrackedFlow } from "./stale-flows.ts";

const node: PlanNode = { name: "node-1", addresses: ["10.250.0.1"], nodePortAddresses: ["10.250.0.1"], clusterCIDRs: ["10.244.0.0/16"] };
const service: Service = {
  metadata: { namespace: "default", name: "dns" },
  spec: { type: "NodePort", clusterIP: "10.96.0.10", clusterIPs: ["10.96.0.10"], ports: [{ port: 53, protocol: "UDP", nodePort: 30_053 }] },
};
const plan = (...ips: string[]) => {
  const slice: EndpointSlice = {
    metadata: { namespace: "default", name: "dns-1", labels: { "kubernetes.io/service-name": "dns" } },
    addressType: "IPv4",
    endpoints: ips.map((ip) => ({ addresses: [ip], conditions: { ready: true } })),
    ports: [{ name: "", port: 5353, protocol: "UDP" }],
  };
  return planService(service, [slice], node);
};
const flow = (to: string, port: number, from: string, fromPort: number): TrackedFlow => ({
  original: { destination: { ip: to, port } },
  reply: { source: { ip: from, port: fromPort } },
});
const toA = flow("10.96.0.10", 53, "10.244.1.1", 5353);
const toB = flow("10.96.0.10", 53, "10.244.1.2", 5353);
const nodePortToA = flow("10.250.0.1", 30_053, "10.244.1.1", 5353);
const toNobody = flow("10.96.0.10", 53, "10.96.0.10", 53);
const elsewhere = flow("192.0.2.1", 53, "192.0.2.1", 53);
const flows = [toA, toB, nodePortToA, toNobody, elsewhere];

test.each([
  ["an endpoint leaves", plan("10.244.1.1", "10.244.1.2"), plan("10.244.1.2"), [toA, nodePortToA, toNobody]],
  ["the last endpoint leaves", plan("10.244.1.1"), plan(), [toA, toB, nodePortToA, toNobody]],
  ["from none to some", plan(), plan("10.244.1.2"), [toA, nodePortToA, toNobody]],
  ["the Service goes", plan("10.244.1.1", "10.244.1.2"), undefined, flows.slice(0, 4)],
  ["the Service comes: what is right stays, as after a restart of the proxy", undefined, plan("10.244.1.1"), [toB, toNobody]],
  ["an endpoint more", plan("10.244.1.1"), plan("10.244.1.1", "10.244.1.2"), []],
  ["nothing", plan("10.244.1.1"), plan("10.244.1.1"), []],
] as const)("%s", (_name, before, after, stale) => {
  expect(staleFlows(flows, changedAddresses("UDP", before, after))).toEqual(stale);
  expect(changedAddresses("TCP", before, after).size).toBe(0);
});
