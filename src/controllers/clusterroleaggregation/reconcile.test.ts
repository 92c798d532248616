import { expect, test } from "vitest";
import type { ClusterRole, PolicyRule } from "../../api/types.ts";
import { aggregatedRules } from "./reconcile.ts";

const rule = (resource: string): PolicyRule => ({ verbs: ["get"], apiGroups: [""], resources: [resource] });
const part = (name: string, labels: Readonly<Record<string, string>>, ...rules: readonly PolicyRule[]): ClusterRole => ({
  metadata: { name, labels },
  rules,
});
const toView = { "rbac.example.com/aggregate-to-view": "true" };
const view = (rules: readonly PolicyRule[] = []): ClusterRole => ({
  metadata: { name: "view", labels: toView },
  aggregationRule: { clusterRoleSelectors: [{ matchLabels: toView }] },
  rules,
});

test("is made of all that match, each rule once, in the order of their names", () => {
  const all = [
    part("b", toView, rule("pods"), rule("nodes")),
    part("a", toView, rule("pods")),
    part("c", {}, rule("secrets")),
    view([rule("own")]),
  ];
  expect(aggregatedRules(view([rule("own")]), all)).toEqual([rule("pods"), rule("nodes")]);
});

test("stays when it has them", () => {
  expect(aggregatedRules(view([rule("pods")]), [part("a", toView, rule("pods"))])).toBeUndefined();
  expect(aggregatedRules(part("plain", {}, rule("pods")), [part("a", toView, rule("nodes"))])).toBeUndefined();
});
