import fc from "fast-check";
import { expect, test } from "vitest";
import type { EndpointSlice, Service } from "../../../api/types.ts";
import { node, serviceState } from "../render/arbitrary.cases.ts";
import { planServices } from "../services.ts";
import { diffModes } from "./diff.ts";
import { diffModes as modes } from "./traits.ts";

function planOf(spec: object, nodeNames: readonly string[] = ["node-1", "node-2"], status?: object, annotations?: object) {
  const service = {
    metadata: { namespace: "shop", name: "web", annotations },
    spec: { clusterIP: "10.96.0.1", ports: [{ port: 80 }], ...spec },
    status,
  } as unknown as Service;
  const slice: EndpointSlice = {
    metadata: { namespace: "shop", name: "web-1", labels: { "kubernetes.io/service-name": "web" } },
    addressType: "IPv4",
    endpoints: nodeNames.map((nodeName, i) => ({ addresses: [`10.244.1.${i + 1}`], nodeName })),
    ports: [{ port: 8080, protocol: "TCP" }],
  };
  return planServices([service], [slice], node);
}

const changes = (plan: ReturnType<typeof planOf>, options: Partial<Parameters<typeof diffModes>[1]> = {}) =>
  Object.fromEntries(
    (diffModes(plan, { from: "ipvs", to: "nftables", ...options }).services[0]?.changes ?? []).map(({ code, effect }) => [code, effect]),
  );

test("a plain Service from ipvs to nftables", () => {
  expect(changes(planOf({}))).toEqual({ ClusterIPPing: "loses", Balancing: "differs", IdleConnections: "gains" });
});

test("a scheduler that looks at load or at the client is missed, round robin is not", () => {
  for (const scheduler of ["lc", "wlc", "sh", "mh", "nq"] as const)
    expect(changes(planOf({}), { scheduler })).toMatchObject({ Balancing: "loses" });
  expect(changes(planOf({}), { scheduler: "wrr" })).toMatchObject({ Balancing: "differs" });
  // With one endpoint nobody chooses.
  expect(changes(planOf({}, ["node-1"]))).not.toHaveProperty("Balancing");
});

test("NodePorts: fewer addresses by default, and the same with --nodeport-addresses", () => {
  const plan = planOf({ type: "NodePort", ports: [{ port: 80, nodePort: 30_080 }] });
  expect(changes(plan)).toMatchObject({ NodePortAddresses: "loses" });
  expect(changes(plan, { nodePortAddressesGiven: true })).not.toHaveProperty("NodePortAddresses");
  expect(changes(plan)).not.toHaveProperty("NodePortLocalhost");
  expect(changes(plan, { from: "iptables" })).toMatchObject({
    NodePortLocalhost: "loses",
    NodePortAddresses: "loses",
    OtherPorts: "gains",
  });
});

test("policy Local: whoever relies on ipvs' own answer is told", () => {
  const spec = { type: "NodePort", externalTrafficPolicy: "Local", ports: [{ port: 80, nodePort: 30_080 }] };
  expect(changes(planOf(spec))).toMatchObject({ LocalPolicyForAll: "differs", NodeKeepsAddress: "differs" });
  expect(changes(planOf(spec, ["node-2"]))).toMatchObject({ LocalPolicyFallsBack: "differs" });
  expect(changes(planOf({ internalTrafficPolicy: "Local" }, ["node-2"]))).toMatchObject({ LocalPolicyRefuses: "gains" });
});

test("affinity and SCTP", () => {
  expect(changes(planOf({ sessionAffinity: "ClientIP" }))).toMatchObject({ Affinity: "loses" });
  expect(changes(planOf({ sessionAffinity: "ClientIP" }), { from: "iptables" })).toMatchObject({ Affinity: "gains" });
  expect(changes(planOf({ ports: [{ port: 80, protocol: "SCTP" }] }), { to: "userspace" })).toMatchObject({
    Sctp: "loses",
    ClientAddress: "loses",
  });
});

test("annotations that only userspace honours are missed elsewhere", () => {
  const annotated = planOf({}, undefined, undefined, {
    "fairlead.dev/per-request": "true",
    "fairlead.dev/load-balancing": "maglev",
    "fairlead.dev/proxy-protocol": "v3",
  });
  expect(diffModes(annotated, { from: "userspace", to: "nftables" }).services[0]?.changes).toContainEqual({
    code: "TrafficAnnotations",
    effect: "loses",
    from: "honoured: fairlead.dev/load-balancing, fairlead.dev/per-request",
    to: "without effect: fairlead.dev/load-balancing, fairlead.dev/per-request",
  });
  expect(changes(annotated)).not.toHaveProperty("TrafficAnnotations");
});

test("the same mode: nothing changes; there and back is the same list with the effects turned round", () => {
  const opposite = { loses: "gains", gains: "loses", differs: "differs" } as const;
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }).chain(serviceState),
      fc.constantFrom(...modes),
      fc.constantFrom(...modes),
      ({ service, slices }, from, to) => {
        const plan = planServices([service], slices, node);
        const same = diffModes(plan, { from, to: from });
        expect([same.node, same.services]).toEqual([[], []]);
        const flat = (diff: ReturnType<typeof diffModes>) =>
          [...diff.node, ...diff.services.flatMap((one) => one.changes)].map(({ code, effect, from: before, to: after }) => ({
            code,
            effect,
            before,
            after,
          }));
        const back = flat(diffModes(plan, { from: to, to: from })).map(({ code, effect, before, after }) => ({
          code,
          effect: opposite[effect],
          before: after,
          after: before,
        }));
        const byCode = (a: { code: string }, b: { code: string }) => (a.code < b.code ? -1 : 1);
        expect(flat(diffModes(plan, { from, to })).sort(byCode)).toEqual(back.sort(byCode));
      },
    ),
    { numRuns: 60 },
  );
});
