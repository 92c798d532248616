import { expect, test } from "vitest";
import { pods } from "../../api/resources.ts";
import type { Pod } from "../../api/types.ts";
import { FakeInformer } from "../fake-informer.ts";
import { Placements } from "./placements.ts";

const pod = (name: string, version: number, nodeName = "", phase = "Running", spec: Partial<NonNullable<Pod["spec"]>> = {}): Pod => ({
  metadata: { name, namespace: "default", uid: name, resourceVersion: String(version) },
  spec: { containers: [], ...spec, ...(nodeName === "" ? {} : { nodeName }) },
  status: { phase },
});

function setUp() {
  const informer = new FakeInformer(pods);
  const placements = new Placements();
  placements.follow(informer);
  return {
    informer,
    placements,
    on: (node: string) =>
      placements
        .on(node)
        .map(({ metadata }) => metadata.name)
        .sort()
        .join(),
  };
}

test("pods come, finish and go", () => {
  const { informer, on } = setUp();
  informer.show(pod("a", 1, "n"));
  informer.show(pod("b", 2, "n"));
  informer.show(pod("c", 3));
  expect([on("n"), on("other")]).toEqual(["a,b", ""]);
  informer.show(pod("a", 4, "n", "Succeeded"));
  expect(on("n")).toBe("b");
  informer.remove(pod("b", 5, "n"));
  expect(on("n")).toBe("");
});

test("a binding counts before the informer shows it, and whatever older versions it shows", () => {
  const { informer, placements, on } = setUp();
  informer.show(pod("a", 5));
  placements.assume(pod("a", 5, "n"));
  expect(on("n")).toBe("a");
  informer.show(pod("a", 5));
  expect(on("n")).toBe("a");
  informer.show(pod("a", 7, "n"));
  informer.show(pod("a", 8, "n", "Failed"));
  expect(on("n")).toBe("");
});

test("a pod made anew under its name is another", () => {
  const { informer, on } = setUp();
  informer.show(pod("a", 5, "n"));
  informer.show({ ...pod("a", 3, "m"), metadata: { ...pod("a", 3).metadata, uid: "other" } });
  expect([on("n"), on("m")]).toEqual(["", "a"]);
});

test("those that keep others away are known", () => {
  const { informer, placements } = setUp();
  const affinity = { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: "zone" }] } };
  informer.show(pod("a", 1, "n", "Running", { affinity }));
  informer.show(pod("b", 2, "n"));
  expect([...placements.avoiding()].map(({ metadata }) => metadata.name)).toEqual(["a"]);
  informer.remove(pod("a", 3, "n"));
  expect([...placements.avoiding()]).toEqual([]);
});

test("siblings are counted by node", () => {
  const { informer, placements } = setUp();
  const owned = (name: string, version: number, node: string, phase = "Running"): Pod => {
    const plain = pod(name, version, node, phase);
    const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "web", uid: "rs", controller: true };
    return { ...plain, metadata: { ...plain.metadata, ownerReferences: [owner] } };
  };
  informer.show(owned("a", 1, "n"));
  informer.show(owned("b", 2, "n"));
  informer.show(owned("c", 3, "m"));
  informer.show(owned("a", 4, "n"));
  expect([...placements.siblings("rs")]).toEqual([
    ["n", 2],
    ["m", 1],
  ]);
  informer.show(owned("b", 5, "n", "Succeeded"));
  informer.remove(owned("c", 6, "m"));
  expect([...placements.siblings("rs")]).toEqual([["n", 1]]);
  expect([...placements.siblings("other")]).toEqual([]);
});
