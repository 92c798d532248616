import { describe, expect, test } from "vitest";
import type { DaemonSet, Node, Pod } from "../../api/types.ts";
import { webTemplate } from "../testing.ts";
import { daemonPod, nodeOf, placementOn } from "./placement.ts";
import { planDaemonSet } from "./reconcile.ts";

const now = Date.parse("2026-01-01T01:00:00Z");

type Spec = NonNullable<DaemonSet["spec"]>;

const testSet = (spec: Partial<Spec> = {}): DaemonSet => ({
  metadata: { name: "agent", namespace: "default", uid: "uid-agent", generation: 1 },
  spec: {
    selector: { matchLabels: { app: "web" } },
    template: webTemplate(),
    updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
    ...spec,
  },
});

const node = (name: string, spec: Node["spec"] = {}): Node => ({ metadata: { name, labels: { "kubernetes.io/hostname": name } }, spec });
const [a, b, c] = [node("a"), node("b"), node("c")];

interface Facts {
  readonly hash?: string;
  readonly ready?: boolean;
  readonly phase?: string;
  readonly going?: boolean;
  readonly created?: string;
  readonly bound?: boolean;
}

function pod(
  name: string,
  on: string,
  { hash = "new", ready = true, phase = "Running", going = false, created = "1", bound = true }: Facts = {},
): Pod {
  const made = daemonPod(testSet(), on, hash, "1");
  return {
    ...made,
    metadata: {
      ...made.metadata,
      name,
      uid: `uid-${name}`,
      creationTimestamp: `2026-01-01T00:00:0${created}Z`,
      ...(going ? { deletionTimestamp: "2026-01-01T01:00:30Z" } : {}),
    },
    spec: { containers: [], ...made.spec, ...(bound ? { nodeName: on } : {}) },
    status: { phase, conditions: [{ type: "Ready", status: ready ? "True" : "False", lastTransitionTime: "2026-01-01T00:00:00Z" }] },
  };
}

const old: Facts = { hash: "old" };

/** `+node -pod`, sorted. */
function changes(pods: readonly Pod[], spec: Partial<Spec> = {}, nodes: readonly Node[] = [a, b, c]): string {
  const { create, remove } = planDaemonSet({ set: testSet(spec), nodes, pods, hash: "new", now });
  return [...create.map((name) => `+${name}`), ...remove.map(({ metadata }) => `-${metadata.name}`)].sort().join(" ");
}

describe("a pod on each node", () => {
  test.each<readonly [string, readonly Pod[], string]>([
    ["none yet", [], "+a +b +c"],
    ["one lacks it", [pod("pa", "a"), pod("pb", "b")], "+c"],
    ["one that is going is waited for", [pod("pa", "a", { going: true }), pod("pb", "b"), pod("pc", "c")], ""],
    ["one meant for a node counts before it is there", [pod("pa", "a", { bound: false }), pod("pb", "b"), pod("pc", "c")], ""],
    ["of two the oldest stays", [pod("pa", "a"), pod("pa2", "a", { created: "0" }), pod("pb", "b"), pod("pc", "c")], "-pa"],
    ["one that ended goes", [pod("pa", "a", { phase: "Failed" }), pod("pb", "b"), pod("pc", "c")], "-pa"],
    [
      "one that waits for a node that is gone goes",
      [pod("px", "x", { bound: false }), pod("pa", "a"), pod("pb", "b"), pod("pc", "c")],
      "-px",
    ],
  ])("%s", (_, pods, wanted) => {
    expect(changes(pods)).toBe(wanted);
  });

  test("a node that does not fit loses it", () => {
    const template = { ...webTemplate(), spec: { containers: [], nodeSelector: { "kubernetes.io/hostname": "a" } } };
    expect(changes([pod("pb", "b")], { template })).toBe("+a -pb");
  });
});

describe("which nodes", () => {
  const taint = (effect: string, key = "gpu") => ({ taints: [{ key, effect }] });
  test.each<readonly [string, Node["spec"], boolean, boolean]>([
    ["a plain one", {}, true, true],
    ["a cordoned one", taint("NoSchedule", "node.kubernetes.io/unschedulable"), true, true],
    ["one that is not ready", taint("NoExecute", "node.kubernetes.io/not-ready"), true, true],
    ["one with a taint: who is there stays", taint("NoSchedule"), false, true],
    ["one with a hard taint", taint("NoExecute"), false, false],
    ["one that is only not preferred", taint("PreferNoSchedule"), true, true],
  ])("%s", (_, spec, should, mayStay) => {
    expect(placementOn(testSet(), node("a", spec))).toEqual({ should, mayStay });
  });

  test("a taint that the template tolerates", () => {
    const template = { ...webTemplate(), spec: { containers: [], tolerations: [{ key: "gpu", operator: "Exists" }] } };
    expect(placementOn(testSet({ template }), node("a", taint("NoExecute")))).toEqual({ should: true, mayStay: true });
  });
});

describe("a rolling update", () => {
  const olds = [pod("pa", "a", old), pod("pb", "b", old), pod("pc", "c", old)];
  const rolling = (maxUnavailable: number | string, maxSurge: number | string = 0): Partial<Spec> => ({
    updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable, maxSurge } },
  });

  test.each<readonly [string, Partial<Spec>, readonly Pod[], string]>([
    ["one at a time", rolling(1), olds, "-pa"],
    ["two at a time", rolling(2), olds, "-pa -pb"],
    ["by share, rounded up", rolling("50%"), olds, "-pa -pb"],
    ["waits for the new one", rolling(1), [pod("na", "a", { ready: false }), pod("pb", "b", old), pod("pc", "c", old)], ""],
    ["and goes on", rolling(1), [pod("na", "a"), pod("pb", "b", old), pod("pc", "c", old)], "-pb"],
    ["fills the gap", rolling(1), [pod("pb", "b", old), pod("pc", "c", old)], "+a"],
    [
      "old pods that do not serve go at once",
      rolling(1),
      [pod("pa", "a", { hash: "old", ready: false }), pod("pb", "b", old), pod("pc", "c", old)],
      "-pa -pb",
    ],
    ["OnDelete leaves them", { updateStrategy: { type: "OnDelete" } }, olds, ""],
    ["surge: the new one first", rolling(0, 1), olds, "+a"],
    ["surge: waits for it", rolling(0, 1), [...olds, pod("na", "a", { ready: false })], ""],
    ["surge: the old one goes when it serves, and the next node begins", rolling(0, 1), [...olds, pod("na", "a")], "+b -pa"],
  ])("%s", (_, spec, pods, wanted) => {
    expect(changes(pods, spec)).toBe(wanted);
  });
});

test("status", () => {
  const pods = [pod("pa", "a"), pod("pb", "b", { ready: false }), pod("px", "c", old)];
  const nodes = [a, b, node("c", { taints: [{ key: "gpu", effect: "NoSchedule" }] }), node("d")];
  expect(planDaemonSet({ set: testSet(), nodes, pods, hash: "new", now }).status).toEqual({
    desiredNumberScheduled: 3,
    currentNumberScheduled: 2,
    numberMisscheduled: 1,
    numberReady: 1,
    numberAvailable: 1,
    numberUnavailable: 2,
    updatedNumberScheduled: 2,
    observedGeneration: 1,
  });
});

test("a pod is meant for its node, and bears what befalls it", () => {
  const made = daemonPod(testSet(), "b", "h", "3");
  expect(made.metadata.labels).toEqual({ app: "web", "controller-revision-hash": "h", "pod-template-generation": "3" });
  expect(nodeOf(made)).toBe("b");
  expect(made.spec?.tolerations).toHaveLength(6);
  const host = testSet({ template: { ...webTemplate(), spec: { containers: [], hostNetwork: true } } });
  expect(daemonPod(host, "b", "h", "3").spec?.tolerations).toHaveLength(7);
});
