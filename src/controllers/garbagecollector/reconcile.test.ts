import { describe, expect, test } from "vitest";
import type { KubeObject } from "../../api/object.ts";
import type { ObjectMeta } from "../../api/types.ts";
import { ownerState, planByOwners, planForDependents } from "./reconcile.ts";

const deletionTimestamp = "2026-01-01T00:00:00Z";
const object = (metadata: ObjectMeta): KubeObject => ({ metadata: { name: "x", uid: "u", ...metadata } });
const owned = (...uids: readonly string[]) =>
  object({ ownerReferences: uids.map((uid) => ({ apiVersion: "v1", kind: "Service", name: uid, uid, blockOwnerDeletion: true })) });

describe("by its owners", () => {
  test.each([
    ["no owner", object({}), [], [], { kind: "keep" }],
    ["a living owner", owned("a"), ["solid"], [], { kind: "keep" }],
    ["its only owner is gone", owned("a"), ["absent"], [], { kind: "delete", policy: "Background" }],
    ["one of two is gone", owned("a", "b"), ["absent", "solid"], [], { kind: "dropReferences", uids: ["a"] }],
    ["one of two waits", owned("a", "b"), ["solid", "waiting"], [], { kind: "dropReferences", uids: ["b"] }],
    ["its owner waits", owned("a"), ["waiting"], [], { kind: "delete", policy: "Background" }],
    ["its owner waits, and it has dependents", owned("a"), ["waiting"], [object({})], { kind: "delete", policy: "Foreground" }],
    [
      "its owner waits, and so does a dependent: a circle",
      owned("a"),
      ["waiting"],
      [object({ deletionTimestamp, finalizers: ["foregroundDeletion"] })],
      { kind: "delete", policy: "Foreground", unblock: true },
    ],
    [
      "gone, but its dependents shall stay",
      { metadata: { ...owned("a").metadata, finalizers: ["orphan"] } },
      ["absent"],
      [object({})],
      { kind: "delete", policy: "Orphan" },
    ],
  ] as const)("%s", (_, which, states, dependents, plan) => expect(planByOwners(which, states, dependents)).toEqual(plan));
});

describe("for its dependents", () => {
  const going = (finalizers: readonly string[]) => object({ deletionTimestamp, finalizers });
  const [dependent, loose] = [owned("u"), object({ ownerReferences: [{ apiVersion: "v1", kind: "Service", name: "x", uid: "u" }] })];
  test.each([
    ["not being deleted", object({ finalizers: ["foregroundDeletion"] }), [dependent], { kind: "none" }],
    ["in the background", going([]), [dependent], { kind: "none" }],
    ["in the foreground, with one that blocks", going(["foregroundDeletion"]), [dependent], { kind: "collect", dependents: [dependent] }],
    [
      "in the foreground, with none that blocks",
      going(["foregroundDeletion"]),
      [loose],
      { kind: "removeFinalizer", finalizer: "foregroundDeletion" },
    ],
    ["orphaning", going(["orphan"]), [dependent], { kind: "orphan", dependents: [dependent] }],
    ["orphaning, done", going(["orphan"]), [], { kind: "removeFinalizer", finalizer: "orphan" }],
  ] as const)("%s", (_, which, dependents, plan) => expect(planForDependents(which, dependents)).toEqual(plan));
});

test.each([
  ["missing", undefined, "absent"],
  ["another of that name", object({ uid: "other" }), "absent"],
  ["there", object({}), "solid"],
  ["going in the background", object({ deletionTimestamp }), "solid"],
  ["going in the foreground", object({ deletionTimestamp, finalizers: ["foregroundDeletion"] }), "waiting"],
] as const)("an owner that is %s", (_, found, state) => {
  expect(ownerState({ apiVersion: "v1", kind: "Service", name: "x", uid: "u" }, found)).toBe(state);
});
