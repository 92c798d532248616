import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { EndpointSlice, Service } from "../../api/types.ts";
import { clients, node as here, serviceCIDRs, serviceState } from "./render/arbitrary.cases.ts";
import { renderIptables } from "./render/iptables/render.ts";
import { restoreText } from "./render/iptables/text.ts";
import { traceIptables } from "./render/iptables/trace.ts";
import { renderNftables, traceNftables } from "./render/nftables-trace.ts";
import type { PlanNode, PlanOptions } from "./plan.ts";
import { planService } from "./service.ts";
import { planServices } from "./services.ts";
import { topologyKeysOf } from "./topology-keys.ts";
import { trace } from "./trace.ts";

const annotation = "fairlead.dev/topology-keys";
const nodeLabels: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "node-1": { "kubernetes.io/hostname": "node-1", "topology.kubernetes.io/zone": "a", "example.com/rack": "7" },
  "node-2": { "kubernetes.io/hostname": "node-2", "topology.kubernetes.io/zone": "a", "example.com/rack": "8" },
  "node-3": { "kubernetes.io/hostname": "node-3", "topology.kubernetes.io/zone": "b", "example.com/rack": "7" },
  "node-4": { "kubernetes.io/hostname": "node-4", "topology.kubernetes.io/zone": "b" },
};
const options: PlanOptions = { labelsOf: (name) => nodeLabels[name] };

const service = (keys: string | undefined, spec: object = {}): Service => ({
  metadata: { namespace: "shop", name: "web", ...(keys === undefined ? {} : { annotations: { [annotation]: keys } }) },
  spec: { clusterIP: "10.96.0.1", clusterIPs: ["10.96.0.1"], ports: [{ port: 80, protocol: "TCP" }], ...spec },
});

/** An endpoint on each node named; `!`: not ready. */
const slice = (...nodes: readonly string[]): EndpointSlice => ({
  metadata: { namespace: "shop", name: "web-1", labels: { "kubernetes.io/service-name": "web" } },
  addressType: "IPv4",
  endpoints: nodes.map((text) => {
    const name = text.replace("!", "");
    return { addresses: [`10.244.${name.slice(5)}.1`], nodeName: name, conditions: { ready: !text.includes("!") } };
  }),
  ports: [{ name: "", port: 8080, protocol: "TCP" }],
});

const node = (name: string): PlanNode => ({ name, labels: nodeLabels[name] ?? {}, addresses: [], nodePortAddresses: [] });

function chosen(keys: string | undefined, from: string, ...nodes: readonly string[]): string {
  const plan = planService(service(keys), [slice(...nodes)], node(from), options);
  const [port] = plan.kind === "service" ? plan.ports : [];
  const verdict = port?.addresses[0]?.verdicts.external;
  return verdict?.kind === "dnat" ? (port?.endpoints[0]?.cluster ?? []).map(({ nodeName }) => nodeName).join(" ") : String(verdict?.kind);
}

const all = ["node-1", "node-2", "node-3", "node-4"];

describe("the first key with a ready endpoint wins", () => {
  test.each([
    ["kubernetes.io/hostname,*", "node-1", all, "node-1"],
    ["kubernetes.io/hostname,*", "node-1", ["node-2", "node-3"], "node-2 node-3"],
    ["kubernetes.io/hostname,topology.kubernetes.io/zone,*", "node-1", ["node-2", "node-3"], "node-2"],
    ["kubernetes.io/hostname,topology.kubernetes.io/zone,*", "node-1", ["!node-1", "!node-2", "node-3"], "node-3"],
    ["example.com/rack,*", "node-1", all, "node-1 node-3"],
    ["example.com/rack,topology.kubernetes.io/zone", "node-4", all, "node-3 node-4"],
    ["example.com/rack", "node-2", ["node-1", "node-3"], "reject"],
    ["topology.kubernetes.io/zone", "node-1", ["node-3"], "reject"],
    ["*", "node-1", all, all.join(" ")],
    ["*,kubernetes.io/hostname", "node-1", all, all.join(" ")],
    ["", "node-1", all, "reject"],
    [undefined, "node-1", all, all.join(" ")],
  ])("%s from %s to %j: %s", (keys, from, nodes, wanted) => {
    expect(chosen(keys, from, ...nodes)).toBe(wanted);
  });

  test("hints do not count beside it, and each endpoint left out says why", () => {
    const hinted = { ...slice("node-1", "node-3") };
    const plan = planService(service("kubernetes.io/hostname"), [hinted], node("node-1"), options);
    expect(plan.kind === "service" && plan.ports[0]?.leftOut).toEqual([
      expect.objectContaining({ ip: "10.244.3.1", reason: "OtherTopology" }),
    ]);
  });

  test("nodes that are not known: the slice's zone, and the node's name", () => {
    const plan = (keys: string, from: PlanNode) => {
      const one = slice("node-1", "node-3");
      const zoned = { ...one, endpoints: (one.endpoints ?? []).map((endpoint, i) => ({ ...endpoint, zone: ["a", "b"][i] as string })) };
      const planned = planService(service(keys), [zoned], from);
      return planned.kind === "service" ? planned.ports[0]?.endpoints[0]?.cluster.map(({ nodeName }) => nodeName) : [];
    };
    expect(plan("topology.kubernetes.io/zone", node("node-4"))).toEqual(["node-3"]);
    expect(plan("kubernetes.io/hostname", { ...node("node-1"), labels: {} })).toEqual(["node-1"]);
  });

  test("keys are read as they are meant", () => {
    expect(topologyKeysOf(service(" a , b,,a, * , c"))).toEqual(["a", "b", "*"]);
    expect(topologyKeysOf(service(undefined))).toBeUndefined();
  });
});

test("equal in every mode: plan, nftables and iptables, whatever the policies", () => {
  const keys = fc.constantFrom(
    "kubernetes.io/hostname",
    "kubernetes.io/hostname,topology.kubernetes.io/zone",
    "example.com/rack,*",
    "none.example/x",
  );
  const labels = { ...here, labels: nodeLabels["node-1"] ?? {} };
  const textOf = (traced: ReturnType<typeof traceNftables>) =>
    traced.kind === "dnat" ? traced.endpoints.map(({ ip, port, masquerade }) => `${ip} ${port} ${masquerade}`).sort() : traced.kind;
  fc.assert(
    fc.property(serviceState(1), keys, (state, text) => {
      const annotated = { ...state.service, metadata: { ...state.service.metadata, annotations: { [annotation]: text } } };
      const plan = planServices([annotated], state.slices, labels, options);
      const nftables = renderNftables(plan.services, { node: labels, serviceCIDRs });
      const iptables = {
        4: renderIptables(plan.services, { node: labels, family: 4 }),
        6: renderIptables(plan.services, { node: labels, family: 6 }),
      };
      // Nothing leads to a chain that is not there.
      for (const family of [4, 6] as const) {
        const rules = restoreText(iptables[family]);
        for (const [, chain] of rules.matchAll(/-j (KUBE-(?:SVC|SVL|SEP|EXT|FW)-\S+)/g)) expect(rules).toContain(`:${chain} `);
      }
      const [planned] = plan.services;
      for (const { protocol, addresses } of planned?.kind === "service" ? planned.ports : []) {
        for (const { address, port, family } of addresses) {
          for (const from of clients.filter(
            (one) => one.includes(":") === (family === 6) && !one.startsWith("10.244.1.") && !one.startsWith("fd00:10:244:1:"),
          )) {
            const packet = { from, to: address, port, protocol };
            const decided = trace(plan, packet, { serviceCIDRs });
            const wanted =
              decided.kind === "dnat"
                ? decided.endpoints.map(({ endpoint, masquerade }) => `${endpoint.ip} ${endpoint.port} ${masquerade}`).sort()
                : decided.kind;
            expect([packet, textOf(traceNftables(nftables, labels, packet))]).toEqual([packet, wanted]);
            if (decided.kind === "dnat")
              expect([packet, textOf(traceIptables(iptables[family], labels, packet))]).toEqual([packet, wanted]);
          }
        }
      }
    }),
    { numRuns: 150 },
  );
});
