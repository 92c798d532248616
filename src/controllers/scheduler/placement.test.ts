/** Placement that depends on other pods: affinity, anti-affinity, topology spread, and preferences. */
import { describe, expect, test } from "vitest";
import type { Node, Pod, PodAffinityTerm, TopologySpreadConstraint } from "../../api/types.ts";
import { planScheduling } from "./reconcile.ts";

const node = (name: string, labels: Readonly<Record<string, string>> = {}, spec: Node["spec"] = {}): Node => ({
  metadata: { name, labels: { "kubernetes.io/hostname": name, ...labels } },
  spec,
  status: { conditions: [{ type: "Ready", status: "True" }] },
});

type Spec = Partial<NonNullable<Pod["spec"]>>;

const pod = (spec: Spec = {}, labels: Readonly<Record<string, string>> = { app: "web" }, namespace = "default"): Pod => ({
  metadata: { name: "p", namespace, labels },
  spec: { containers: [], ...spec },
});

const [a1, a2, b1] = [node("a1", { zone: "a" }), node("a2", { zone: "a" }), node("b1", { zone: "b" })];
const labelsOf: Readonly<Record<string, Readonly<Record<string, string>>>> = { default: {}, blue: { team: "blue" } };

/** The node, or the message without its beginning. */
function place(which: Pod, placed: Readonly<Record<string, readonly Pod[]>> = {}, nodes: readonly Node[] = [a1, a2, b1]): string {
  const everywhere = Object.entries(placed).flatMap(([name, all]) =>
    all.map((one): Pod => ({ ...one, spec: { containers: [], ...one.spec, nodeName: name } })),
  );
  const view = {
    nodes,
    placed: (name: string) => placed[name] ?? [],
    avoiding: () => everywhere.filter(({ spec }) => spec?.affinity?.podAntiAffinity !== undefined),
    nominated: () => [],
    budgets: () => [],
    siblings: (uid: string) =>
      new Map(
        Object.entries(placed).map(([name, all]) => [
          name,
          all.filter(({ metadata }) => metadata.ownerReferences?.[0]?.uid === uid).length,
        ]),
      ),
    namespaceLabels: (name: string) => labelsOf[name] ?? {},
    claim: () => undefined,
  };
  const plan = planScheduling(which, view, () => 0.5);
  if (plan.kind === "bind") return plan.node;
  return plan.kind === "unschedulable" ? plan.message.replace(/^0\/\d nodes are available: /, "") : plan.kind;
}

const term = (app: string, topologyKey: string, more: Partial<PodAffinityTerm> = {}): PodAffinityTerm => ({
  topologyKey,
  labelSelector: { matchLabels: { app } },
  ...more,
});
const near = (...terms: readonly PodAffinityTerm[]): Spec => ({
  affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } },
});
const away = (...terms: readonly PodAffinityTerm[]): Spec => ({
  affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } },
});
const db = pod({}, { app: "db" });

describe("near to others", () => {
  test.each<readonly [string, Pod, Readonly<Record<string, readonly Pod[]>>, string]>([
    ["in their zone", pod(near(term("db", "zone"))), { b1: [db, db, db] }, "b1"],
    ["on their node", pod(near(term("db", "kubernetes.io/hostname"))), { a2: [db] }, "a2"],
    ["nobody is there", pod(near(term("db", "zone"))), {}, "3 node(s) didn't match pod affinity rules."],
    ["the first of a group that stays together", pod(near(term("web", "zone"))), { b1: [db] }, "a1"],
    ["the next one", pod(near(term("web", "zone"))), { b1: [pod()] }, "b1"],
    ["no such place anywhere", pod(near(term("web", "rack"))), {}, "3 node(s) didn't match pod affinity rules."],
    [
      "others' namespaces do not count",
      pod(near(term("db", "zone"))),
      { b1: [pod({}, { app: "db" }, "blue")] },
      "3 node(s) didn't match pod affinity rules.",
    ],
    ["unless named", pod(near(term("db", "zone", { namespaces: ["blue"] }))), { b1: [pod({}, { app: "db" }, "blue")] }, "b1"],
    [
      "or chosen",
      pod(near(term("db", "zone", { namespaceSelector: { matchLabels: { team: "blue" } } }))),
      { b1: [pod({}, { app: "db" }, "blue")] },
      "b1",
    ],
    ["all terms at once", pod(near(term("db", "zone"), term("db", "kubernetes.io/hostname"))), { a2: [db] }, "a2"],
  ])("%s", (_, which, placed, wanted) => {
    expect(place(which, placed)).toBe(wanted);
  });
});

describe("away from others", () => {
  const other = "node(s) didn't match pod anti-affinity rules";
  test.each<readonly [string, Pod, Readonly<Record<string, readonly Pod[]>>, string]>([
    ["another node", pod(away(term("web", "kubernetes.io/hostname"))), { a1: [pod()] }, "a2"],
    ["another zone", pod(away(term("web", "zone"))), { a1: [pod()] }, "b1"],
    ["no zone is left", pod(away(term("web", "zone"))), { a1: [pod()], b1: [pod()] }, `3 ${other}.`],
    [
      "only of the same revision",
      pod(away(term("web", "zone", { matchLabelKeys: ["rev"] })), { app: "web", rev: "2" }),
      { a1: [pod({}, { app: "web", rev: "1" })], b1: [pod({}, { app: "web", rev: "2" })] },
      "a2",
    ],
    [
      "those that are there do not want it",
      pod(),
      { a1: [pod(away(term("web", "zone")))], b1: [pod(away(term("web", "zone")), { app: "x" })] },
      "3 node(s) didn't satisfy existing pods anti-affinity rules.",
    ],
  ])("%s", (_, which, placed, wanted) => {
    expect(place(which, placed)).toBe(wanted);
  });
});

describe("spread", () => {
  const spread = (more: Partial<TopologySpreadConstraint> = {}): Spec => ({
    topologySpreadConstraints: [
      { maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "DoNotSchedule", labelSelector: { matchLabels: { app: "web" } }, ...more },
    ],
  });
  test.each<readonly [string, Pod, Readonly<Record<string, readonly Pod[]>>, readonly Node[], string]>([
    ["to the emptier zone", pod(spread()), { a1: [pod()] }, [a1, a2, b1], "b1"],
    ["within the skew either will do", pod(spread({ maxSkew: 2 })), { b1: [pod()] }, [a1, b1], "a1"],
    ["the emptier zone is closed", pod({ ...spread(), nodeSelector: { zone: "a" } }), { a1: [pod()] }, [a1, a2, b1], "a2"],
    [
      "and counts nevertheless",
      pod({ ...spread({ nodeAffinityPolicy: "Ignore" }), nodeSelector: { zone: "a" } }),
      { a1: [pod()] },
      [a1, a2, b1],
      "1 node(s) didn't match Pod's node affinity/selector, 2 node(s) didn't match pod topology spread constraints.",
    ],
    [
      "too few zones",
      pod(spread({ minDomains: 3 })),
      { a1: [pod()], b1: [pod()] },
      [a1, b1],
      "2 node(s) didn't match pod topology spread constraints.",
    ],
    [
      "a node without zone",
      pod(spread()),
      {},
      [node("x")],
      "1 node(s) didn't match pod topology spread constraints (missing required label).",
    ],
    ["pods of another kind do not count", pod(spread()), { b1: [db, db] }, [a1, b1], "a1"],
    ["it is only a wish", pod(spread({ whenUnsatisfiable: "ScheduleAnyway" })), { b1: [pod()], a1: [db, db, db] }, [a1, b1], "a1"],
  ])("%s", (_, which, placed, nodes, wanted) => {
    expect(place(which, placed, nodes)).toBe(wanted);
  });
});

const owned = (uid: string): Pod => ({
  ...pod(),
  metadata: { ...pod().metadata, ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "web", uid, controller: true }] },
});

test.each<readonly [string, Readonly<Record<string, readonly Pod[]>>, readonly Node[], string]>([
  ["another node than its siblings", { a1: [owned("rs")], a2: [db, db, db] }, [a1, a2], "a2"],
  [
    "another zone, too",
    { c1: [owned("rs")], c2: [], d1: [db] },
    ["c1", "c2", "d1"].map((name) => node(name, { "topology.kubernetes.io/zone": name.slice(0, 1) })),
    "d1",
  ],
  ["those of another controller do not matter", { a1: [owned("other")], a2: [db, db] }, [a1, a2], "a1"],
])("pods of one controller: %s", (_, placed, nodes, wanted) => {
  expect(place(owned("rs"), placed, nodes)).toBe(wanted);
});

describe("what it prefers", () => {
  const preferredDuringSchedulingIgnoredDuringExecution = [
    { weight: 10, preference: { matchExpressions: [{ key: "zone", operator: "In", values: ["b"] }] } },
  ];
  test.each<readonly [string, Pod, Readonly<Record<string, readonly Pod[]>>, readonly Node[], string]>([
    [
      "a zone, though it is fuller",
      pod({ affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution } } }),
      { b1: [db, db] },
      [a1, a2, b1],
      "b1",
    ],
    [
      "to be near",
      pod({
        affinity: {
          podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: term("db", "zone") }] },
        },
      }),
      { b1: [db] },
      [a1, a2, b1],
      "b1",
    ],
    [
      "to be away",
      pod({
        affinity: {
          podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: term("web", "zone") }] },
        },
      }),
      { a1: [pod()], b1: [db] },
      [a1, a2, b1],
      "b1",
    ],
    [
      "not to be where it is not welcome",
      pod(),
      { a1: [db, db] },
      [a1, node("t", {}, { taints: [{ key: "slow", effect: "PreferNoSchedule" }] })],
      "a1",
    ],
    ["else the fewest pods", pod(), { a1: [db], a2: [db, db] }, [a1, a2], "a1"],
  ])("%s", (_, which, placed, nodes, wanted) => {
    expect(place(which, placed, nodes)).toBe(wanted);
  });
});
