import { expect, test } from "vitest";
import type { EndpointSlice, Service } from "../../api/types.ts";
import type { PlanNode, ServicePlan } from "./plan.ts";
import { planService } from "./service.ts";
import { leftoverFlows, staleMatches, type TrackedFlow } from "./stale-flows.ts";

const node: PlanNode = { name: "node-1", addresses: ["10.250.0.1"], nodePortAddresses: ["10.250.0.1"], clusterCIDRs: ["10.244.0.0/16"] };
const service: Service = {
  metadata: { namespace: "default", name: "dns" },
  spec: { type: "NodePort", clusterIP: "10.96.0.10", clusterIPs: ["10.96.0.10"], ports: [{ port: 53, protocol: "UDP", nodePort: 30_053 }] },
};
const [a, b] = ["10.244.1.1", "10.244.1.2"] as const;
const plan = (...ips: string[]) => {
  const slice: EndpointSlice = {
    metadata: { namespace: "default", name: "dns-1", labels: { "kubernetes.io/service-name": "dns" } },
    addressType: "IPv4",
    endpoints: ips.map((ip) => ({ addresses: [ip], conditions: { ready: true } })),
    ports: [{ name: "", port: 5353, protocol: "UDP" }],
  };
  return planService(service, [slice], node);
};
const cluster = "10.96.0.10 53";
const outside = "10.250.0.1 30053";

/** `to` or `to from`, each as `ip port`. */
const matches = (old: ServicePlan | undefined, next: ServicePlan | undefined) =>
  staleMatches("UDP", old, next)
    .map(({ destination, source }) => `${destination.ip} ${destination.port}${source === undefined ? "" : ` ${source.ip} ${source.port}`}`)
    .sort();

test.each([
  ["an endpoint leaves", plan(a, b), plan(b), [`${cluster} ${a} 5353`, `${outside} ${a} 5353`]],
  ["the last endpoint leaves", plan(a), plan(), [`${cluster} ${a} 5353`, `${outside} ${a} 5353`]],
  ["from none to some", plan(), plan(b), [`${cluster} ${cluster}`, `${outside} ${outside}`]],
  ["the Service goes", plan(a, b), undefined, [cluster, outside]],
  ["the Service comes", undefined, plan(a), [`${cluster} ${cluster}`, `${outside} ${outside}`]],
  ["the Service comes without endpoints", undefined, plan(), []],
  ["an endpoint more", plan(a), plan(a, b), []],
  ["nothing", plan(a), plan(a), []],
] as const)("%s", (_name, before, after, stale) => {
  expect(matches(before, after)).toEqual([...stale].sort());
  expect(staleMatches("TCP", before, after)).toEqual([]);
});

test("of the flows from before a restart, those that are right stay", () => {
  const flow = (to: string, port: number, from: string, fromPort: number): TrackedFlow => ({
    original: { destination: { ip: to, port } },
    reply: { source: { ip: from, port: fromPort } },
  });
  const right = flow("10.96.0.10", 53, a, 5353);
  const gone = flow("10.96.0.10", 53, b, 5353);
  const unserved = flow("10.250.0.1", 30_053, "10.250.0.1", 30_053);
  const elsewhere = flow("192.0.2.1", 53, "192.0.2.1", 53);
  expect(leftoverFlows("UDP", plan(a), [right, gone, unserved, elsewhere])).toEqual([gone, unserved]);
  expect(leftoverFlows("TCP", plan(a), [gone])).toEqual([]);
});
