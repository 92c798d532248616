import { expect, test } from "vitest";
import { configMaps, pods } from "../../api/resources.ts";
import type { Namespace } from "../../api/types.ts";
import { isEmpty, terminatingStatus, type NamespaceFacts } from "./reconcile.ts";

const now = Date.parse("2026-01-01T00:00:10Z");
const namespace: Namespace = { metadata: { name: "a" }, status: { phase: "Active" } };
const nothing: NamespaceFacts = { contents: [{ resource: pods, objects: [] }], discoveryFailures: [], deletionFailures: [] };
const texts = (facts: NamespaceFacts) =>
  (terminatingStatus(namespace, facts, now).conditions ?? []).map(({ type, status, message }) => [type, status, message]);

test("empty is: nothing left, and nothing unknown", () => {
  expect(isEmpty(nothing)).toBe(true);
  expect(isEmpty({ ...nothing, contents: [{ resource: pods, objects: [{ metadata: {} }] }] })).toBe(false);
  expect(isEmpty({ ...nothing, discoveryFailures: ["x"] })).toBe(false);
  expect(isEmpty({ ...nothing, deletionFailures: ["x"] })).toBe(false);
});

test("what it waits for", () => {
  const contents = [
    { resource: pods, objects: [{ metadata: { finalizers: ["a/b"] } }, { metadata: {} }] },
    { resource: configMaps, objects: [{ metadata: { finalizers: ["a/b"] } }] },
  ];
  expect(texts({ ...nothing, contents, deletionFailures: ["secrets: no"] })).toEqual([
    ["NamespaceDeletionDiscoveryFailure", "False", "All resources successfully discovered"],
    ["NamespaceDeletionContentFailure", "True", "Failed to delete all resource types, 1 remaining: secrets: no"],
    [
      "NamespaceContentRemaining",
      "True",
      "Some resources are remaining: configmaps. has 1 resource instances, pods. has 2 resource instances",
    ],
    ["NamespaceFinalizersRemaining", "True", "Some content in the namespace has finalizers remaining: a/b in 2 resource instances"],
  ]);
});

test("the transition time stays while the status does", () => {
  const first = terminatingStatus(namespace, nothing, now);
  expect(first.phase).toBe("Terminating");
  expect(terminatingStatus({ ...namespace, status: first }, nothing, now + 60_000)).toEqual(first);
});
