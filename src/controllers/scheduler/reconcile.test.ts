import { describe, expect, test } from "vitest";
import type { Node, PersistentVolumeClaim, Pod } from "../../api/types.ts";
import { planScheduling } from "./reconcile.ts";

const node = (
  name: string,
  more: Partial<Node> = {},
  allocatable: Readonly<Record<string, string>> = { cpu: "2", memory: "4Gi", pods: "110" },
): Node => ({
  metadata: { name, labels: { "kubernetes.io/hostname": name } },
  status: { conditions: [{ type: "Ready", status: "True" }], allocatable },
  ...more,
});
const pod = (spec: Partial<NonNullable<Pod["spec"]>> = {}, metadata: Pod["metadata"] = { name: "p", namespace: "default" }): Pod => ({
  metadata,
  spec: { containers: [], ...spec },
});
const hostPort = (port: number, hostIP?: string) => ({
  containers: [{ name: "c", ports: [{ containerPort: 80, hostPort: port, ...(hostIP === undefined ? {} : { hostIP }) }] }],
});
const requesting = (requests: Readonly<Record<string, string>>) => ({ containers: [{ name: "c", resources: { requests } }] });

const claims: Readonly<Record<string, PersistentVolumeClaim>> = {
  bound: { metadata: { name: "bound" }, status: { phase: "Bound" } },
  waiting: { metadata: { name: "waiting" }, status: { phase: "Pending" } },
  lost: { metadata: { name: "lost" }, spec: { volumeName: "pv" }, status: { phase: "Lost" } },
};
const mounting = (claimName: string) => pod({ volumes: [{ name: "data", persistentVolumeClaim: { claimName } }] });

function schedule(which: Pod, nodes: readonly Node[] = [node("a")], placed: Readonly<Record<string, readonly Pod[]>> = {}) {
  return planScheduling(
    which,
    {
      nodes,
      placed: (name) => placed[name] ?? [],
      avoiding: () => [],
      nominated: () => [],
      budgets: () => [],
      siblings: () => new Map(),
      namespaceLabels: () => ({}),
      claim: (_, name) => claims[name],
    },
    () => 0.5,
  );
}

describe("bound", () => {
  test.each([
    ["whose claim is bound", mounting("bound"), [node("a")], {}, "a"],
    ["the only node", pod(), [node("a")], {}, "a"],
    ["the node with the fewest pods", pod(), [node("a"), node("b")], { a: [pod()] }, "b"],
    ["by nodeSelector", pod({ nodeSelector: { "kubernetes.io/hostname": "b" } }), [node("a"), node("b")], { b: [pod()] }, "b"],
    [
      "by node affinity",
      pod({
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: ["b"] }] }],
            },
          },
        },
      }),
      [node("a"), node("b")],
      {},
      "b",
    ],
    [
      "a taint that it tolerates",
      pod({ tolerations: [{ key: "gpu", operator: "Exists" }] }),
      [node("a", { spec: { taints: [{ key: "gpu", effect: "NoSchedule" }] } })],
      {},
      "a",
    ],
    ["a taint that only prefers", pod(), [node("a", { spec: { taints: [{ key: "gpu", effect: "PreferNoSchedule" }] } })], {}, "a"],
    ["a cordoned node, tolerated", pod({ tolerations: [{ operator: "Exists" }] }), [node("a", { spec: { unschedulable: true } })], {}, "a"],
    ["the same host port on another address", pod(hostPort(80, "127.0.0.2")), [node("a")], { a: [pod(hostPort(80, "127.0.0.1"))] }, "a"],
    ["a node that says nothing of its size", pod(requesting({ cpu: "64" })), [node("a", {}, {})], {}, "a"],
  ] as const)("%s", (_, which, nodes, placed, wanted) => {
    expect(schedule(which, nodes, placed)).toEqual({ kind: "bind", node: wanted });
  });
});

describe("not scheduled, with upstream's words", () => {
  const notReady = { status: { conditions: [{ type: "Ready", status: "False" }] } };
  test.each([
    ["no node", pod(), [], {}, "no nodes available to schedule pods"],
    [
      "selector",
      pod({ nodeSelector: { disk: "ssd" } }),
      [node("a")],
      {},
      "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
    ],
    ["cordoned", pod(), [node("a", { spec: { unschedulable: true } })], {}, "0/1 nodes are available: 1 node(s) were unschedulable."],
    [
      "taint",
      pod(),
      [node("a", { spec: { taints: [{ key: "gpu", value: "yes", effect: "NoExecute" }] } })],
      {},
      "0/1 nodes are available: 1 node(s) had untolerated taint {gpu: yes}.",
    ],
    [
      "not ready",
      pod(),
      [node("a", notReady)],
      {},
      "0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.",
    ],
    [
      "host port",
      pod(hostPort(80)),
      [node("a")],
      { a: [pod(hostPort(80, "127.0.0.1"))] },
      "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
    ],
    [
      "cpu and memory",
      pod(requesting({ cpu: "1500m", memory: "5Gi" })),
      [node("a")],
      { a: [pod(requesting({ cpu: "600m" }))] },
      "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory.",
    ],
    [
      "a resource that the node has not",
      pod(requesting({ "example.com/gpu": "1" })),
      [node("a")],
      {},
      "0/1 nodes are available: 1 Insufficient example.com/gpu.",
    ],
    [
      "a claim without volume",
      mounting("waiting"),
      [node("a")],
      {},
      "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.",
    ],
    ["a claim that is missing", mounting("none"), [node("a")], {}, '0/1 nodes are available: persistentvolumeclaim "none" not found.'],
    [
      "a claim that lost its volume",
      mounting("lost"),
      [node("a")],
      {},
      '0/1 nodes are available: persistentvolumeclaim "lost" bound to non-existent persistentvolume "pv".',
    ],
    ["full", pod(), [node("a", {}, { pods: "1" })], { a: [pod()] }, "0/1 nodes are available: 1 Too many pods."],
    [
      "several nodes, several reasons",
      pod(),
      [node("a", { spec: { unschedulable: true } }), node("b", notReady), node("c", { spec: { unschedulable: true } })],
      {},
      "0/3 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }, 2 node(s) were unschedulable.",
    ],
  ] as const)("%s", (_, which, nodes, placed, message) => {
    expect(schedule(which, nodes, placed)).toEqual({ kind: "unschedulable", message });
  });
});

test.each([
  ["has a node", pod({ nodeName: "a" }), "notOurs"],
  ["another scheduler's", pod({ schedulerName: "mine" }), "notOurs"],
  ["being deleted", pod({}, { name: "p", deletionTimestamp: "2026-01-01T00:00:00Z" }), "notOurs"],
  ["gated", pod({ schedulingGates: [{ name: "wait" }] }), "gated"],
] as const)("%s", (_, which, kind) => expect(schedule(which).kind).toBe(kind));
