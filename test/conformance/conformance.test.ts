/**
 * Upstream's [sig-network] conformance tests, re-enacted one by one against `fairlead up` with two nodes in namespaces: each test's
 * name is upstream's, each asserts what upstream's source asserts (kubernetes/kubernetes v1.36, test/e2e), with kubectl where
 * upstream runs it and upstream's images by their names. `test/peers/e2e.ts` runs upstream's own program instead.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dnsCases } from "./dns.ts";
import { endpointSliceCases } from "./endpoint-slices.ts";
import { endpointsCases } from "./endpoints.ts";
import { missingForConformance, startConformanceCluster, type Case, type ConformanceCluster } from "./framework.ts";
import { ingressCases } from "./ingress.ts";
import { networkPolicyCases } from "./network-policies.ts";
import { networkingCases } from "./networking.ts";
import { proxyCases } from "./proxy.ts";
import { serviceTypeCases } from "./service-types.ts";
import { serviceCases } from "./services.ts";

/** The long ones first: they overlap with the rest. */
const cases: Readonly<Record<string, Case>> = {
  ...dnsCases,
  ...serviceTypeCases,
  ...networkingCases,
  ...serviceCases,
  ...proxyCases,
  ...endpointSliceCases,
  ...endpointsCases,
  ...ingressCases,
};
const nameOf = (name: string) => `[sig-network] ${name} [Conformance]`;

const list = join(import.meta.dirname, "../../../shared/cases/conformance-sig-network.json");

test("the cases are those of upstream's list", (context) => {
  if (!existsSync(list)) return context.skip("the list of conformance tests is not on this machine");
  const { conformance } = JSON.parse(readFileSync(list, "utf8")) as { conformance: { codename: string; in_v1_35_run: boolean }[] };
  const wanted = conformance.filter(({ in_v1_35_run }) => in_v1_35_run).map(({ codename }) => codename);
  expect(Object.keys(cases).map(nameOf).sort()).toEqual(wanted.sort());
  expect(wanted).toHaveLength(45);
});

const missing = missingForConformance();

if (missing !== undefined) test("conformance", (context) => context.skip(missing));
else
  describe("with two nodes", { timeout: 240_000 }, () => {
    let cluster: ConformanceCluster;
    beforeAll(async () => {
      cluster = await startConformanceCluster();
    }, 120_000);
    afterAll(() => cluster?.stop(), 60_000);
    const named = Object.entries(cases).map(([name, run]) => [nameOf(name), run] as const);
    for (const [name, run] of [...named, ...Object.entries(networkPolicyCases)])
      test.concurrent(name, async () => {
        const f = await cluster.open();
        try {
          await run(f);
        } finally {
          await f.api.delete(`/api/v1/namespaces/${f.namespace}`);
        }
      });
  });
