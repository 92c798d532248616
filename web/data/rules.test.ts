import { expect, test } from "vitest";
import type { EndpointSlice, Service } from "../../src/api/types.ts";
import { markLines, planOne, ruleModes, rulesText } from "./rules.ts";

const service: Service = {
  metadata: { name: "web", namespace: "shop" },
  spec: {
    type: "ClusterIP",
    clusterIP: "10.96.0.1",
    clusterIPs: ["10.96.0.1"],
    ipFamilies: ["IPv4"],
    ports: [{ name: "http", port: 80, protocol: "TCP" }],
  },
};
const slice: EndpointSlice = {
  metadata: { name: "web-1", namespace: "shop", labels: { "kubernetes.io/service-name": "web" } },
  addressType: "IPv4",
  ports: [{ name: "http", port: 8080, protocol: "TCP" }],
  endpoints: [{ addresses: ["10.0.0.10"], conditions: { ready: true } }],
};

test("every mode leads from the Service's address to its endpoint, in lines of its own", () => {
  const plan = planOne({ service, slices: [slice], node: undefined, serviceCIDRs: ["10.96.0.0/12"] });
  for (const mode of ruleModes) {
    const own = markLines(rulesText(mode, plan, ["10.96.0.0/12"]), ["shop/web", "10.96.0.1", "10.0.0.10"])
      .filter((line) => line.own)
      .map(({ text }) => text)
      .join("\n");
    expect(own, mode).toContain("10.96.0.1");
    expect(own, mode).toContain("10.0.0.10");
  }
});

test("an address is not found in a longer one, a chain's own lines are found by the chain", () => {
  const text = [
    "a 10.96.0.1 b",
    "a 10.96.0.10 b",
    "a 110.96.0.1 b",
    "a 10.96.0.1/32 -j KUBE-SVC-ABCDEFGHIJKLMNOP",
    "-A KUBE-SVC-ABCDEFGHIJKLMNOP x",
    "shared",
  ].join("\n");
  expect(markLines(text, ["10.96.0.1"]).map(({ own }) => own)).toEqual([true, false, false, true, true, false]);
});
