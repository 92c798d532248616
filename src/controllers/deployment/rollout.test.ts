/** Rollouts from beginning to end in a model of a cluster: whatever the order of events, never too many or too few pods. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Deployment, Pod, ReplicaSet } from "../../api/types.ts";
import { planReplicaSet, replicaSetStatus } from "../replicaset/reconcile.ts";
import { replicaPod, testDeployment, webTemplate } from "../testing.ts";
import { maxSurge, maxUnavailable } from "./limits.ts";
import { planDeployment } from "./reconcile.ts";
import { replicasOf, sum } from "./work.ts";

class Model {
  deployment: Deployment;
  sets: ReplicaSet[] = [];
  pods: Pod[] = [];
  now = Date.parse("2026-01-01T00:00:00Z");
  #serial = 0;

  constructor(deployment: Deployment) {
    this.deployment = deployment;
  }

  deploymentPass(): number {
    const plan = planDeployment(this.deployment, this.sets, (uid) => this.#podsOf(uid), this.now);
    for (const write of plan.writes) {
      if (write.kind === "createReplicaSet") this.#create(write.replicaSet);
      if (write.kind === "updateReplicaSet") this.#replace(write.replicaSet);
      if (write.kind === "deleteReplicaSet")
        this.sets = this.sets.filter(({ metadata }) => metadata.name !== write.replicaSet.metadata.name);
    }
    this.deployment = { ...this.deployment, status: plan.status };
    return plan.writes.filter(({ kind }) => kind !== "setRevision").length;
  }

  setPass(index: number): number {
    const set = this.sets[index % Math.max(1, this.sets.length)];
    if (set === undefined) return 0;
    const plan = planReplicaSet(
      set,
      this.#podsOf(set.metadata.uid ?? ""),
      () => this.pods,
      this.now,
      () => 0.5,
    );
    for (let i = 0; i < plan.create; i++) {
      this.pods.push(
        replicaPod(`pod-${this.#serial++}`, { ready: false, owner: set.metadata.uid, labels: set.spec?.template?.metadata?.labels ?? {} }),
      );
    }
    for (const pod of plan.remove)
      this.pods = this.pods.map((other) =>
        other === pod ? { ...pod, metadata: { ...pod.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } } : other,
      );
    // The status tells what was so at the beginning of the pass, as in the real controller.
    this.#replace({ ...set, status: replicaSetStatus(set, plan, undefined, this.now) });
    return plan.create + plan.remove.length;
  }

  podReady(index: number): number {
    const coming = this.#active().filter((pod) => pod.status?.conditions?.[0]?.status !== "True");
    const pod = coming[index % Math.max(1, coming.length)];
    if (pod === undefined) return 0;
    this.pods = this.pods.map((other) =>
      other === pod
        ? { ...pod, status: { ...pod.status, conditions: [{ type: "Ready", status: "True", lastTransitionTime: "2026-01-01T00:00:00Z" }] } }
        : other,
    );
    return 1;
  }

  podGone(): number {
    const before = this.pods.length;
    this.pods = this.#active();
    return before - this.pods.length;
  }

  #active = (): Pod[] => this.pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  #podsOf = (uid: string): Pod[] => this.pods.filter(({ metadata }) => metadata.ownerReferences?.[0]?.uid === uid);
  get total(): number {
    return this.#active().length;
  }
  get available(): number {
    return this.#active().filter((pod) => pod.status?.conditions?.[0]?.status === "True").length;
  }

  #create(set: ReplicaSet): void {
    const serial = this.#serial++;
    this.sets.push({
      ...set,
      metadata: {
        ...set.metadata,
        uid: `set-${serial}`,
        generation: 1,
        creationTimestamp: new Date(this.now + serial * 1000).toISOString(),
      },
      status: { replicas: 0 },
    });
  }

  #replace(set: ReplicaSet): void {
    this.sets = this.sets.map((other) =>
      other.metadata.uid === set.metadata.uid ? { ...set, status: set.status ?? { replicas: 0 } } : other,
    );
  }

  /** Lets everything happen until nothing more does; false when that takes too long. */
  settle(check: () => void): boolean {
    for (let round = 0; round < 500; round++) {
      let changes = this.deploymentPass();
      for (let i = 0; i < this.sets.length; i++) changes += this.setPass(i);
      changes += this.podReady(0) + this.podGone();
      check();
      if (changes === 0 && this.deploymentPass() === 0) return true;
    }
    return false;
  }
}

const intOrPercent = fc.oneof(
  fc.integer({ min: 0, max: 5 }),
  fc.integer({ min: 0, max: 100 }).map((percent) => `${percent}%`),
);

test("a rolling update never exceeds the surge, never goes below what must be available, and comes to its end", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 12 }),
      intOrPercent,
      intOrPercent,
      fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 20 })), { maxLength: 60 }),
      (replicas, surge, unavailable, steps) => {
        const strategy = { type: "RollingUpdate", rollingUpdate: { maxSurge: surge, maxUnavailable: unavailable } };
        const model = new Model(testDeployment({ replicas, strategy }));
        expect(model.settle(() => undefined)).toBe(true);
        expect([model.total, model.available]).toEqual([replicas, replicas]);

        model.deployment = testDeployment({ replicas, strategy, template: webTemplate("2") }, { generation: 2 });
        const check = () => {
          // Sizes, not pods: a new set may be quicker to make its pods than an old one to delete its own, as upstream.
          expect(sum(model.sets, replicasOf)).toBeLessThanOrEqual(replicas + maxSurge(model.deployment));
          expect(model.available).toBeGreaterThanOrEqual(replicas - maxUnavailable(model.deployment));
        };
        const actions = [
          () => model.deploymentPass(),
          (i: number) => model.setPass(i),
          (i: number) => model.podReady(i),
          () => model.podGone(),
        ] as const;
        for (const [action, index] of steps) {
          actions[action]?.(index);
          check();
        }
        expect(model.settle(check)).toBe(true);
        expect([model.total, model.available]).toEqual([replicas, replicas]);
        expect(new Set(model.pods.map(({ metadata }) => metadata.labels?.["pod-template-hash"])).size).toBeLessThanOrEqual(1);
        expect(model.deployment.status).toMatchObject({
          conditions: expect.arrayContaining([expect.objectContaining({ type: "Progressing", reason: "NewReplicaSetAvailable" })]),
        });
      },
    ),
    { numRuns: 60 },
  );
});

test("scaling in the middle of a rollout ends at the new size", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10 }),
      fc.integer({ min: 0, max: 15 }),
      fc.integer({ min: 0, max: 10 }),
      (before, after, rounds) => {
        const model = new Model(testDeployment({ replicas: before }));
        model.settle(() => undefined);
        model.deployment = { ...testDeployment({ replicas: before, template: webTemplate("2") }), status: model.deployment.status };
        for (let i = 0; i < rounds; i++) [() => model.deploymentPass(), () => model.setPass(i), () => model.podReady(0)][i % 3]?.();
        model.deployment = { ...testDeployment({ replicas: after, template: webTemplate("2") }), status: model.deployment.status };
        expect(model.settle(() => undefined)).toBe(true);
        expect([model.total, model.available]).toEqual([after, after]);
      },
    ),
    { numRuns: 60 },
  );
});

test("Recreate: no new pod while an old one is there", () => {
  const strategy = { type: "Recreate" };
  const model = new Model(testDeployment({ strategy }));
  model.settle(() => undefined);
  model.deployment = testDeployment({ strategy, template: webTemplate("2") });
  const versions = () => new Set(model.pods.map(({ metadata }) => metadata.labels?.["pod-template-hash"])).size;
  expect(model.settle(() => expect(versions()).toBeLessThanOrEqual(1))).toBe(true);
  expect(model.available).toBe(3);
});
