import { describe, expect, test } from "vitest";
import type { Namespace } from "../../api/types.ts";
import { planRootCa } from "../root-ca/reconcile.ts";
import { missingServiceAccount } from "./reconcile.ts";

const namespace: Namespace = { metadata: { name: "a" }, status: { phase: "Active" } };
const terminating: Namespace = { metadata: { name: "a", deletionTimestamp: "2026-01-01T00:00:00Z" }, status: { phase: "Terminating" } };

test.each([
  ["a new namespace", namespace, undefined, true],
  ["one that has it", namespace, { metadata: { name: "default" } }, false],
  ["one that is going", terminating, undefined, false],
  ["none", undefined, undefined, false],
] as const)("the default ServiceAccount: %s", (_, which, existing, wanted) => {
  expect(missingServiceAccount(which, existing)?.metadata).toEqual(wanted ? { name: "default", namespace: "a" } : undefined);
});

describe("the root CA", () => {
  const existing = { metadata: { name: "kube-root-ca.crt", namespace: "a" }, data: { "ca.crt": "PEM" } };
  test.each([
    ["made", namespace, undefined, "create"],
    ["there", namespace, existing, "none"],
    ["of an older cluster", namespace, { ...existing, data: { "ca.crt": "OLD" } }, "update"],
    ["with something else in it", namespace, { ...existing, data: { "ca.crt": "PEM", more: "x" } }, "update"],
    ["in a namespace that is going", terminating, undefined, "none"],
  ] as const)("%s", (_, which, configMap, kind) => expect(planRootCa(which, configMap, "PEM").kind).toBe(kind));
});
