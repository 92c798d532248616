import { describe, expect, test } from "vitest";
import type { Pod } from "../../api/types.ts";
import { testPod } from "../endpoints/testing.ts";
import type { FoundClient } from "./client.ts";
import { resolverOf, searchNames } from "./resolver.ts";
import { defaultConfig } from "./snapshot.ts";

const config = { ...defaultConfig, nodeSearches: ["corp.example"] };
const client = (pod?: Pod): FoundClient => ({
  kind: "pod",
  namespace: "shop",
  text: "a pod",
  addresses: [],
  ...(pod === undefined ? {} : { pod }),
});
const withSpec = (spec: Partial<NonNullable<Pod["spec"]>>) => client(testPod({ namespace: "shop", spec }));

describe("which names a resolver asks for", () => {
  test("a pod as the kubelet makes it: ndots 5, the cluster's domains before the node's", () => {
    const resolver = resolverOf(client(), config);
    expect(searchNames("web", resolver)).toEqual([
      "web.shop.svc.cluster.local.",
      "web.svc.cluster.local.",
      "web.cluster.local.",
      "web.corp.example.",
      "web.",
    ]);
    expect(searchNames("a.b.c.d.e.f", resolver)[0]).toBe("a.b.c.d.e.f.");
    expect(searchNames("web.shop.svc.cluster.local.", resolver)).toEqual(["web.shop.svc.cluster.local."]);
  });

  test("dnsConfig adds search domains and sets ndots", () => {
    const resolver = resolverOf(withSpec({ dnsConfig: { searches: ["more.example"], options: [{ name: "ndots", value: "1" }] } }), config);
    expect(searchNames("api.example", resolver)[0]).toBe("api.example.");
    expect(resolver.searches).toContain("more.example");
  });

  test.each([
    ["ClusterFirst", false, true],
    ["ClusterFirst", true, false],
    ["ClusterFirstWithHostNet", true, true],
    ["Default", false, false],
    ["None", false, false],
  ])("dnsPolicy %s, hostNetwork %s: the cluster's DNS %s", (dnsPolicy, hostNetwork, cluster) => {
    expect(resolverOf(withSpec({ dnsPolicy, hostNetwork }), config).cluster).toBe(cluster);
  });

  test("dnsPolicy None with the cluster's domains means the cluster's DNS", () => {
    const spec = { dnsPolicy: "None", dnsConfig: { nameservers: ["169.254.20.10"], searches: ["shop.svc.cluster.local"] } };
    expect(resolverOf(withSpec(spec), config)).toMatchObject({ cluster: true, searches: ["shop.svc.cluster.local"] });
  });

  test("nodes and those outside do not ask it", () => {
    const base = { namespace: "shop", text: "", addresses: [] };
    expect(resolverOf({ ...base, kind: "node" }, config).cluster).toBe(false);
    expect(resolverOf({ ...base, kind: "outside" }, config).cluster).toBe(false);
  });
});
