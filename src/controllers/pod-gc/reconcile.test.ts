import { expect, test } from "vitest";
import type { Pod } from "../../api/types.ts";
import { replicaPod } from "../testing.ts";
import { nodeQuarantineMs, planPodGc } from "./reconcile.ts";

const names = (pods: readonly Pod[]) => pods.map(({ metadata }) => metadata.name);
const present = () => undefined;

test("finished pods beyond the threshold go, the oldest first", () => {
  const pods = ["3", "1", "2"].map((day) => replicaPod(`p${day}`, { phase: "Succeeded", created: `2026-01-0${day}T00:00:00Z` }));
  expect(names(planPodGc([...pods, replicaPod("running")], present, 2, 0).remove)).toEqual(["p1"]);
});

test("pods of a missing node go when it has been missing for long enough", () => {
  const pods = [replicaPod("here"), replicaPod("lost", { node: "gone" })];
  const missing = (node: string) => (node === "gone" ? 1000 : undefined);
  expect(planPodGc(pods, missing, 10, 2000)).toEqual({ remove: [], waiting: true });
  expect(planPodGc(pods, missing, 10, 1000 + nodeQuarantineMs)).toEqual({ remove: [pods[1]], waiting: false });
});

test("a pod deleted before it got a node has nobody to end it", () => {
  expect(
    names(planPodGc([replicaPod("a", { node: "", terminating: true }), replicaPod("b", { node: "" })], present, 10, 0).remove),
  ).toEqual(["a"]);
});
