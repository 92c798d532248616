/** Properties of a rolling update: never too many pods, never too few that serve, and it ends; whatever is changed meanwhile. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Deployment, ReplicaSet } from "../../api/types.ts";
import { testDeployment, webTemplate } from "../testing.ts";
import { maxSurge, maxUnavailable } from "./limits.ts";
import { planDeployment } from "./reconcile.ts";

interface SimSet {
  set: ReplicaSet;
  /** Pods that do not serve yet, and those that do. */
  starting: number;
  serving: number;
}

const wanted = ({ set }: SimSet): number => set.spec?.replicas ?? 0;
const sum = (sets: readonly SimSet[], value: (sim: SimSet) => number): number => sets.reduce((total, sim) => total + value(sim), 0);

class World {
  deployment: Deployment;
  sets: SimSet[] = [];
  #made = 0;

  constructor(deployment: Deployment) {
    this.deployment = deployment;
  }

  /** One pass of the Deployment controller. */
  plan(): void {
    const plan = planDeployment(
      this.deployment,
      this.sets.map(({ set }) => set),
      () => [],
      0,
    );
    for (const write of plan.writes) {
      if (write.kind === "createReplicaSet") {
        const metadata = {
          ...write.replicaSet.metadata,
          uid: `u${++this.#made}`,
          generation: 1,
          creationTimestamp: `2026-01-01T00:00:${String(this.#made % 60).padStart(2, "0")}Z`,
        };
        this.sets.push({ set: { ...write.replicaSet, metadata, status: { replicas: 0 } }, starting: 0, serving: 0 });
      } else if (write.kind === "updateReplicaSet") this.#update(write.replicaSet);
      else if (write.kind === "deleteReplicaSet")
        this.sets = this.sets.filter(({ set }) => set.metadata.name !== write.replicaSet.metadata.name);
    }
    this.deployment = { ...this.deployment, status: plan.status };
  }

  #update(next: ReplicaSet): void {
    const sim = this.sets.find(({ set }) => set.metadata.name === next.metadata.name);
    if (sim === undefined) return;
    const generation = (sim.set.metadata.generation ?? 0) + (next.spec?.replicas === sim.set.spec?.replicas ? 0 : 1);
    sim.set = { ...next, metadata: { ...next.metadata, generation } };
  }

  /** One pass of the ReplicaSet controller over one set: pods that do not serve go first. */
  resize(index: number): void {
    const sim = this.sets[index % Math.max(1, this.sets.length)];
    if (sim === undefined) return;
    const surplus = sim.starting + sim.serving - wanted(sim);
    if (surplus < 0) sim.starting -= surplus;
    const idle = Math.max(0, Math.min(sim.starting, surplus));
    sim.starting -= idle;
    sim.serving -= Math.max(0, surplus - idle);
    this.#report(sim);
  }

  /** Some of a set's pods become ready. */
  start(index: number, count: number): void {
    const sim = this.sets[index % Math.max(1, this.sets.length)];
    if (sim === undefined) return;
    const ready = Math.min(count, sim.starting);
    sim.starting -= ready;
    sim.serving += ready;
    this.#report(sim);
  }

  #report(sim: SimSet): void {
    const { starting, serving } = sim;
    const status = {
      replicas: starting + serving,
      readyReplicas: serving,
      availableReplicas: serving,
      observedGeneration: sim.set.metadata.generation ?? 0,
    };
    sim.set = { ...sim.set, status };
  }

  get serving(): number {
    return sum(this.sets, (sim) => sim.serving);
  }

  get asked(): number {
    return sum(this.sets, wanted);
  }

  settle(): void {
    for (let round = 0; round < 60; round++) {
      this.plan();
      for (let index = 0; index < this.sets.length; index++) {
        this.resize(index);
        this.start(index, 100);
      }
    }
  }
}

type Move = readonly ["plan"] | readonly ["resize", number] | readonly ["start", number, number] | readonly ["template", number];

const move: fc.Arbitrary<Move> = fc.oneof(
  fc.constant(["plan"] as const),
  fc.tuple(fc.constant("resize" as const), fc.nat(5)),
  fc.tuple(fc.constant("start" as const), fc.nat(5), fc.integer({ min: 1, max: 4 })),
  fc.tuple(fc.constant("template" as const), fc.nat(3)),
);
const share = fc.oneof(fc.nat(4), fc.constantFrom("25%", "50%", "100%"));

test("a rolling update keeps its limits, and ends", () => {
  const limits = fc.tuple(share, share).filter(([surge, unavailable]) => surge !== 0 || unavailable !== 0);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), limits, fc.array(move, { maxLength: 80 }), (replicas, [surge, unavailable], moves) => {
      const rollingUpdate = { maxSurge: surge, maxUnavailable: unavailable };
      const world = new World(testDeployment({ replicas, strategy: { type: "RollingUpdate", rollingUpdate }, template: webTemplate("0") }));
      world.settle();
      expect(world.serving).toBe(replicas);
      const [most, least] = [replicas + maxSurge(world.deployment), replicas - maxUnavailable(world.deployment)];
      let version = 0;
      for (const [kind, ...args] of moves) {
        if (kind === "plan") world.plan();
        else if (kind === "resize") world.resize(args[0] ?? 0);
        else if (kind === "start") world.start(args[0] ?? 0, args[1] ?? 1);
        else {
          version = args[0] ?? 0;
          const { generation = 0 } = world.deployment.metadata;
          world.deployment = {
            ...world.deployment,
            metadata: { ...world.deployment.metadata, generation: generation + 1 },
            spec: { ...world.deployment.spec, template: webTemplate(String(version)) } as NonNullable<Deployment["spec"]>,
          };
        }
        expect(world.asked).toBeLessThanOrEqual(most);
        expect(world.serving).toBeGreaterThanOrEqual(least);
      }
      world.settle();
      const active = world.sets.filter((sim) => wanted(sim) > 0);
      expect(active.map(({ set }) => [set.spec?.template?.spec?.containers[0]?.image, set.spec?.replicas])).toEqual([
        [`web:${version}`, replicas],
      ]);
      expect(world.serving).toBe(replicas);
    }),
    { numRuns: 300 },
  );
});
