/** Properties of StatefulSets and DaemonSets: from any state they come to what is wanted, and keep their promises on the way. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ControllerRevision, DaemonSet, Node, Pod, StatefulSet } from "../api/types.ts";
import { daemonPod, nodeOf } from "./daemonset/placement.ts";
import { planDaemonSet } from "./daemonset/reconcile.ts";
import { ordinalOf, podOf, revisionOf } from "./statefulset/identity.ts";
import { planStatefulSet } from "./statefulset/reconcile.ts";
import { webTemplate } from "./testing.ts";

const now = Date.parse("2026-01-01T01:00:00Z");

type State = "starting" | "ready" | "going" | "failed";

interface Sim {
  readonly pod: Pod;
  readonly state: State;
}

const shown = ({ pod, state }: Sim): Pod => ({
  ...pod,
  metadata: { ...pod.metadata, ...(state === "going" ? { deletionTimestamp: "2026-01-01T01:00:30Z" } : {}) },
  status: {
    phase: state === "failed" ? "Failed" : "Running",
    conditions: [{ type: "Ready", status: state === "ready" ? "True" : "False", lastTransitionTime: "2026-01-01T00:00:00Z" }],
  },
});

/** One round of a node's work: what starts becomes ready, what is going goes. */
const work = (pods: readonly Sim[]): readonly Sim[] =>
  pods.filter(({ state }) => state !== "going").map((sim) => (sim.state === "starting" ? { ...sim, state: "ready" } : sim));

const isReady = ({ state }: Sim): boolean => state === "ready";
const state = fc.constantFrom<State>("starting", "ready", "going", "failed");
const rounds = 200;

describe("a StatefulSet", () => {
  const revision = (name: string): ControllerRevision => ({
    metadata: { name },
    data: { spec: { template: { ...webTemplate(name), $patch: "replace" } } },
    revision: 1,
  });
  const [current, update] = [revision("old"), revision("new")];

  interface Wish {
    readonly replicas: number;
    readonly start: number;
    readonly partition: number;
    readonly maxUnavailable: number;
    readonly parallel: boolean;
  }
  const wish = fc.record<Wish>({
    replicas: fc.nat(5),
    start: fc.nat(2),
    partition: fc.nat(3),
    maxUnavailable: fc.integer({ min: 1, max: 3 }),
    parallel: fc.boolean(),
  });
  const setOf = ({ replicas, start, partition, maxUnavailable, parallel }: Wish): StatefulSet => ({
    metadata: { name: "web", namespace: "default", uid: "u", generation: 1 },
    spec: {
      replicas,
      ordinals: { start },
      selector: { matchLabels: { app: "web" } },
      template: webTemplate("new"),
      podManagementPolicy: parallel ? "Parallel" : "OrderedReady",
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition, maxUnavailable } },
    },
    status: { replicas: 0 },
  });

  function step(set: StatefulSet, pods: readonly Sim[]): readonly Sim[] {
    const { steps } = planStatefulSet({ set, pods: pods.map(shown), current, update, now });
    let next = [...pods];
    for (const each of steps) {
      const name = each.pod.metadata.name;
      if (each.kind === "create") {
        expect(next.map(({ pod }) => pod.metadata.name)).not.toContain(name);
        next.push({ pod: each.pod, state: "starting" });
      } else if (each.kind === "delete") next = next.map((sim) => (sim.pod.metadata.name === name ? { ...sim, state: "going" } : sim));
    }
    return next;
  }

  test("ends with the pods that it should have, each of the revision that it should have", () => {
    const members = fc.uniqueArray(fc.tuple(fc.nat(8), state, fc.boolean()), { selector: ([ordinal]) => ordinal, maxLength: 8 });
    fc.assert(
      fc.property(wish, members, (wanted, found) => {
        const set = setOf(wanted);
        let pods: readonly Sim[] = found.map(([ordinal, is, old]) => ({ pod: podOf(set, ordinal, old ? current : update), state: is }));
        for (let round = 0; round < rounds; round++) pods = work(step(set, pods));
        const end = pods.map(({ pod }) => [ordinalOf(set, pod) ?? -1, revisionOf(pod)] as const).sort(([a], [b]) => a - b);
        expect(end.map(([ordinal]) => ordinal)).toEqual(Array.from({ length: wanted.replicas }, (_, index) => wanted.start + index));
        for (const [ordinal, of] of end) if (ordinal - wanted.start >= wanted.partition) expect(of).toBe("new");
        expect(pods.every(isReady)).toBe(true);
        expect(step(set, pods)).toEqual(pods);
      }),
      { numRuns: 150 },
    );
  });

  test("when all serve, an update takes away no more than it may", () => {
    fc.assert(
      fc.property(wish, (wanted) => {
        const set = setOf(wanted);
        let pods: readonly Sim[] = Array.from({ length: wanted.replicas }, (_, index) => ({
          pod: podOf(set, wanted.start + index, current),
          state: "ready",
        }));
        for (let round = 0; round < rounds; round++) {
          pods = step(set, pods);
          const serving = pods.filter(isReady).length;
          expect(wanted.replicas - serving).toBeLessThanOrEqual(wanted.maxUnavailable);
          pods = work(pods);
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe("a DaemonSet", () => {
  const nodes = (count: number): readonly Node[] =>
    Array.from({ length: count }, (_, index) => ({ metadata: { name: `n${index}`, labels: {} }, spec: {} }));

  const setOf = (maxUnavailable: number, maxSurge: number): DaemonSet => ({
    metadata: { name: "agent", namespace: "default", uid: "u", generation: 1 },
    spec: {
      selector: { matchLabels: { app: "web" } },
      template: webTemplate(),
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable, maxSurge } },
    },
  });

  let made = 0;
  const podOn = (set: DaemonSet, node: string, hash: string): Pod => {
    const pod = daemonPod(set, node, hash, "1");
    return {
      ...pod,
      metadata: { ...pod.metadata, name: `p${++made}`, uid: `p${made}` },
      spec: { containers: [], ...pod.spec, nodeName: node },
    };
  };

  function step(set: DaemonSet, count: number, pods: readonly Sim[]): readonly Sim[] {
    const plan = planDaemonSet({ set, nodes: nodes(count), pods: pods.map(shown), hash: "new", now });
    const going = new Set(plan.remove.map(({ metadata }) => metadata.name));
    const kept = pods.map((sim): Sim => (going.has(sim.pod.metadata.name) ? { ...sim, state: "going" } : sim));
    return [...kept, ...plan.create.map((node): Sim => ({ pod: podOn(set, node, "new"), state: "starting" }))];
  }

  const limits = fc.oneof(
    fc.integer({ min: 1, max: 3 }).map((unavailable) => [unavailable, 0] as const),
    fc.integer({ min: 1, max: 3 }).map((surge) => [0, surge] as const),
  );

  test("ends with one pod of the present template on each node", () => {
    const found = fc.array(fc.tuple(fc.nat(6), state, fc.boolean()), { maxLength: 12 });
    fc.assert(
      fc.property(fc.nat(5), limits, found, (count, [unavailable, surge], members) => {
        const set = setOf(unavailable, surge);
        let pods: readonly Sim[] = members.map(([node, is, old]) => ({ pod: podOn(set, `n${node}`, old ? "old" : "new"), state: is }));
        // Pods of nodes that are not there are the pod collector's.
        pods = pods.filter(({ pod }) => nodes(count).some(({ metadata }) => metadata.name === nodeOf(pod)));
        for (let round = 0; round < rounds; round++) pods = work(step(set, count, pods));
        const end = pods.map(({ pod }) => `${nodeOf(pod)}:${pod.metadata.labels?.["controller-revision-hash"]}`).sort();
        expect(end).toEqual(Array.from({ length: count }, (_, index) => `n${index}:new`));
        expect(step(set, count, pods)).toEqual(pods);
      }),
      { numRuns: 150 },
    );
  });

  test("when all serve, an update takes away no more than it may, and with surge nothing", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), limits, (count, [unavailable, surge]) => {
        const set = setOf(unavailable, surge);
        let pods: readonly Sim[] = nodes(count).map(({ metadata }) => ({ pod: podOn(set, metadata.name ?? "", "old"), state: "ready" }));
        for (let round = 0; round < rounds; round++) {
          pods = step(set, count, pods);
          const served = new Set(pods.filter(isReady).map(({ pod }) => nodeOf(pod))).size;
          expect(count - served).toBeLessThanOrEqual(unavailable);
          expect(pods.filter((sim) => sim.state !== "going").length - count).toBeLessThanOrEqual(surge);
          pods = work(pods);
        }
      }),
      { numRuns: 60 },
    );
  });
});
