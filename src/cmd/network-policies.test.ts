import { expect, test } from "vitest";
import { kinds } from "../api/kinds/index.ts";
import { whyPoliciesAreNotEnforced, withPolicyWarnings } from "./network-policies.ts";

test.each([
  ["namespaces", {}, undefined],
  ["namespaces", { proxyMode: "iptables" }, undefined],
  ["namespaces", { proxyMode: "ipvs" }, "not with --proxy-mode ipvs"],
  ["namespaces", { disable: ["networkpolicy"] }, "--disable networkpolicy"],
  ["loopback", {}, "in loopback mode all pods share the host's network, and reach each other"],
  ["loopback", { simulate: true }, "simulated pods send nothing"],
] as const)("%s %j", (mode, options, why) => {
  expect(whyPoliciesAreNotEnforced(mode, { disable: [], ...options })).toBe(why);
});

test("only the making of a policy is answered with a Warning, and only where it is not enforced", () => {
  const warnings = (why: string | undefined, old?: object) =>
    withPolicyWarnings(kinds, why).flatMap((kind) =>
      kind.resource.kind === "NetworkPolicy" ? (kind.warnings?.({ metadata: {} }, old as never) ?? []) : [],
    );
  expect(warnings("no kernel")).toEqual(["NetworkPolicies are stored but not enforced by this cluster: no kernel"]);
  expect(warnings("no kernel", { metadata: {} })).toEqual([]);
  expect(warnings(undefined)).toEqual([]);
});
