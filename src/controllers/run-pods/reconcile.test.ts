import { expect, test } from "vitest";
import { replicaPod } from "../testing.ts";
import { isOver, runLabel } from "./reconcile.ts";

const labels = { [runLabel]: "true" };

test.each([
  ["one that runs", replicaPod("a", { labels }), false],
  ["one whose command was killed", replicaPod("a", { labels, phase: "Succeeded" }), true],
  ["one that failed", replicaPod("a", { labels, phase: "Failed" }), true],
  ["somebody else's", replicaPod("a", { phase: "Succeeded" }), false],
] as const)("%s", (_, pod, over) => expect(isOver(pod)).toBe(over));
