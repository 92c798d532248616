import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Node, Pod, PodDisruptionBudget } from "../../api/types.ts";
import { planScheduling } from "./reconcile.ts";
import type { SchedulingView } from "./view.ts";

const node = (name: string, more: Partial<Node> = {}): Node => ({
  metadata: { name, labels: { "kubernetes.io/hostname": name } },
  status: { conditions: [{ type: "Ready", status: "True" }], allocatable: { cpu: "4", pods: "10" } },
  ...more,
});

interface Facts {
  readonly cpu?: number;
  readonly priority?: number;
  readonly app?: string;
  readonly start?: number;
  readonly terminating?: boolean;
  readonly spec?: Partial<NonNullable<Pod["spec"]>>;
  readonly nominated?: string;
}

function pod(name: string, { cpu = 1, priority = 0, app = "x", start = 0, terminating = false, spec = {}, nominated }: Facts = {}): Pod {
  return {
    metadata: {
      ...{ name, namespace: "default", uid: name, labels: { app } },
      ...(terminating ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}),
    },
    spec: { containers: [{ name: "c", resources: { requests: { cpu: String(cpu) } } }], priority, ...spec },
    status: {
      startTime: `2026-01-01T00:00:${String(start).padStart(2, "0")}Z`,
      ...(nominated === undefined ? {} : { nominatedNodeName: nominated }),
    },
  };
}

type Placed = Readonly<Record<string, readonly Pod[]>>;

interface More {
  readonly nodes?: readonly Node[];
  readonly budgets?: readonly PodDisruptionBudget[];
  readonly nominated?: Placed;
}

function view(
  placed: Placed,
  { nodes = Object.keys(placed).map((name) => node(name)), budgets = [], nominated = {} }: More = {},
): SchedulingView {
  return {
    nodes,
    placed: (name) => placed[name] ?? [],
    nominated: (name) => nominated[name] ?? [],
    budgets: () => budgets,
    avoiding: () =>
      Object.values(placed)
        .flat()
        .filter(({ spec }) => spec?.affinity?.podAntiAffinity !== undefined),
    siblings: () => new Map(),
    namespaceLabels: () => ({}),
    claim: () => undefined,
  };
}

/** `node: victim victim`, or how FailedScheduling ends. */
function plan(which: Pod, placed: Placed, more: More = {}): string {
  const found = planScheduling(which, view(placed, more), () => 0.5);
  if (found.kind !== "unschedulable") return found.kind === "bind" ? `bound to ${found.node}` : found.kind;
  const { preempt } = found;
  return preempt === undefined ? found.message : `${preempt.node}: ${preempt.victims.map(({ metadata }) => metadata.name).join(" ")}`;
}

const high = pod("high", { cpu: 2, priority: 100 });
const full = (...pods: readonly Pod[]): Placed => ({ a: pods });

describe("who gives way", () => {
  test.each<readonly [string, Pod, Placed, More, string]>([
    ["as many as it takes, the least important", high, full(pod("p", { priority: 5, cpu: 2 }), pod("q"), pod("r")), {}, "a: q r"],
    ["nobody who need not", high, full(pod("p", { cpu: 2 }), pod("q", { priority: 1 }), pod("r", { priority: 1 })), {}, "a: p"],
    [
      "of equal ones the younger",
      pod("high", { priority: 1 }),
      full(pod("p", { start: 1, cpu: 2 }), pod("q", { start: 2, cpu: 2 })),
      {},
      "a: q",
    ],
    ["nobody of its own priority", high, full(pod("p", { cpu: 4, priority: 100 })), {}, "0/1 nodes are available: 1 Insufficient cpu."],
    [
      "nobody where it would not fit even so",
      high,
      full(pod("p", { cpu: 3, priority: 100 }), pod("q")),
      {},
      "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.",
    ],
    [
      "nobody for a class that never preempts",
      pod("high", { priority: 9, spec: { preemptionPolicy: "Never" } }),
      full(pod("p", { cpu: 4 })),
      {},
      "0/1 nodes are available: 1 Insufficient cpu.",
    ],
    [
      "nobody on a node that would not take it anyway",
      high,
      { a: [pod("p", { cpu: 4 })], b: [pod("q", { cpu: 4 })] },
      { nodes: [node("a", { spec: { taints: [{ key: "k", effect: "NoSchedule" }] } }), node("b", { spec: { unschedulable: true } })] },
      "0/2 nodes are available: 1 node(s) had untolerated taint {k: }, 1 node(s) were unschedulable. preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.",
    ],
    [
      "on the node where the first victim matters least",
      high,
      { a: [pod("p", { cpu: 4, priority: 9 })], b: [pod("q", { cpu: 4, priority: 8 })] },
      {},
      "b: q",
    ],
    ["on the node with the fewer victims", high, { a: [pod("p", { cpu: 3 }), pod("p2")], b: [pod("q", { cpu: 4 })] }, {}, "a: p"],
    ["on the node with the younger ones", high, { a: [pod("p", { cpu: 4, start: 1 })], b: [pod("q", { cpu: 4, start: 2 })] }, {}, "b: q"],
    [
      "while one is going, nobody else",
      pod("high", { cpu: 2, priority: 100, nominated: "a" }),
      full(pod("p", { cpu: 2, terminating: true }), pod("q", { cpu: 2 })),
      {},
      "0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to a terminating pod on the nominated node.",
    ],
    [
      "whoever has the port",
      pod("high", { priority: 1, cpu: 0, spec: { containers: [{ name: "c", ports: [{ containerPort: 1, hostPort: 80 }] }] } }),
      full(pod("p", { spec: { containers: [{ name: "c", ports: [{ containerPort: 1, hostPort: 80 }] }] } }), pod("q")),
      {},
      "a: p",
    ],
    [
      "whoever keeps others away",
      high,
      full(
        pod("p", {
          spec: {
            nodeName: "a",
            affinity: {
              podAntiAffinity: {
                requiredDuringSchedulingIgnoredDuringExecution: [
                  { topologyKey: "kubernetes.io/hostname", labelSelector: { matchLabels: { app: "x" } } },
                ],
              },
            },
          },
        }),
      ),
      {},
      "a: p",
    ],
  ])("%s", (_name, which, placed, more, expected) => {
    expect(plan(which, placed, more)).toBe(expected);
  });
});

describe("budgets", () => {
  const budget = (app: string, disruptionsAllowed: number): PodDisruptionBudget => ({
    metadata: { name: app, namespace: "default" },
    spec: { selector: { matchLabels: { app } } },
    status: { disruptionsAllowed } as NonNullable<PodDisruptionBudget["status"]>,
  });

  test("those that a budget keeps are spared where others do, and taken where none else helps", () => {
    const placed = full(pod("p", { cpu: 2, app: "kept" }), pod("q", { cpu: 2, app: "free" }));
    expect(plan(high, placed, { budgets: [budget("kept", 0)] })).toBe("a: q");
    expect(plan(high, placed, { budgets: [budget("kept", 1)] })).toBe("a: q");
    expect(plan(high, full(pod("p", { cpu: 4, app: "kept" })), { budgets: [budget("kept", 0)] })).toBe("a: p");
  });

  test("a node whose victims no budget keeps comes first, whatever else", () => {
    const placed = { a: [pod("p", { cpu: 4, app: "kept" })], b: [pod("q", { cpu: 4, priority: 50 })] };
    expect(plan(high, placed, { budgets: [budget("kept", 0)] })).toBe("b: q");
  });
});

test("room that was made for one is not another's, unless that matters more", () => {
  const nominated = { a: [pod("first", { cpu: 3, priority: 50, nominated: "a" })] };
  expect(plan(pod("later", { cpu: 2, priority: 10 }), { a: [] }, { nominated })).toBe("0/1 nodes are available: 1 Insufficient cpu.");
  expect(plan(pod("later", { cpu: 1, priority: 10 }), { a: [] }, { nominated })).toBe("bound to a");
  expect(plan(high, { a: [] }, { nominated })).toBe("bound to a");
});

test("without the victims it fits, with any one of them it does not, and each is less important", () => {
  const facts = fc.record({
    cpu: fc.integer({ min: 0, max: 3 }),
    priority: fc.integer({ min: 0, max: 4 }),
    start: fc.integer({ min: 0, max: 59 }),
  });
  const nodesOf = fc.array(fc.array(facts, { maxLength: 5 }), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(nodesOf, fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 5 }), (lists, cpu, priority) => {
      const placed: Placed = Object.fromEntries(lists.map((list, at) => [`n${at}`, list.map((one, i) => pod(`${at}-${i}`, one))]));
      const which = pod("which", { cpu, priority });
      const found = planScheduling(which, view(placed), () => 0.5);
      if (found.kind !== "unschedulable" || found.preempt === undefined) return;
      const { node: at, victims } = found.preempt;
      const fitsWithout = (gone: readonly Pod[]) =>
        planScheduling(which, view({ [at]: (placed[at] ?? []).filter((other) => !gone.includes(other)) }), () => 0.5).kind === "bind";
      expect(fitsWithout(victims)).toBe(true);
      for (const victim of victims) {
        expect(victim.spec?.priority).toBeLessThan(priority);
        expect(fitsWithout(victims.filter((other) => other !== victim))).toBe(false);
      }
    }),
  );
});
