import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { EndpointSlice, Service } from "../../../../api/types.ts";
import { planService } from "../../service.ts";
import { node, serviceState } from "../arbitrary.cases.ts";
import { golden, goldenInputs, goldenServices } from "../goldens.cases.ts";
import { kernelspaceNotes, renderKernelspace } from "./render.ts";

describe("goldens", () => {
  // No Windows has confirmed them: they follow upstream's code.
  test.each(goldenInputs)("%s", (input) => {
    const state = renderKernelspace(goldenServices(input), { sourceVip: "10.244.1.254" });
    const text = `${JSON.stringify(state, null, 2)}\n`;
    expect(state).toEqual(JSON.parse(golden(join(import.meta.dirname, `goldens/${input}.json`), text)));
  });
});

test("each address with an endpoint has one policy, whose endpoints HNS knows; what cannot be said is noted", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }).chain(serviceState), ({ service, slices }) => {
      const plan = planService(service, slices, node);
      const { policies, endpoints, notes } = renderKernelspace([plan]);
      const known = new Set(endpoints.flatMap(({ IpConfigurations }) => IpConfigurations.map(({ IpAddress }) => IpAddress)));
      const ports = plan.kind === "service" ? plan.ports : [];
      const local = new Set(
        ports.flatMap((port) =>
          port.endpoints.flatMap((set) => [...set.cluster, ...set.local].flatMap((one) => (one.local ? [one.ip] : []))),
        ),
      );
      const keys = policies.map(({ loadBalancer }) =>
        JSON.stringify([
          loadBalancer.FrontendVIPs,
          loadBalancer.PortMappings[0]?.Protocol,
          loadBalancer.PortMappings[0]?.ExternalPort,
          loadBalancer.Flags,
        ]),
      );
      expect(new Set(keys).size).toBe(keys.length);
      for (const { loadBalancer } of policies) {
        expect(loadBalancer.HostComputeEndpoints.length).toBeGreaterThan(0);
        for (const ip of loadBalancer.HostComputeEndpoints) expect(known.has(ip) || local.has(ip)).toBe(true);
      }
      for (const { code } of notes) expect(kernelspaceNotes[code]).toBeDefined();
      const guarded = ports.some(({ addresses }) =>
        addresses.some(({ sourceRanges, verdicts }) => sourceRanges !== undefined && verdicts.external.kind === "dnat"),
      );
      if (guarded) expect(notes.map(({ code }) => code)).toContain("SourceRangesNotEnforced");
    }),
    { numRuns: 100 },
  );
});

test("direct server return, affinity and IPv6 are flags", () => {
  const service = {
    metadata: { namespace: "shop", name: "web" },
    spec: {
      clusterIP: "fd00:10:96::1",
      ports: [{ port: 80 }],
      externalIPs: ["2001:db8::7"],
      externalTrafficPolicy: "Local",
      sessionAffinity: "ClientIP",
    },
  } as unknown as Service;
  const slice: EndpointSlice = {
    metadata: { namespace: "shop", name: "web-1" },
    addressType: "IPv6",
    endpoints: [{ addresses: ["fd00:10:244:1::2"], nodeName: "node-1" }],
    ports: [{ port: 8080, protocol: "TCP" }],
  };
  const { policies } = renderKernelspace([planService(service, [slice], node)], { directServerReturn: true });
  expect(
    policies.map(({ address, loadBalancer: { Flags, PortMappings } }) => [
      address,
      Flags,
      PortMappings[0]?.Flags,
      PortMappings[0]?.DistributionType,
    ]),
  ).toEqual([
    ["clusterIP", 3, undefined, 2],
    ["externalIP", 3, 16, 2],
  ]);
});
