import { expect, test } from "vitest";
import type { Container, Pod } from "../api/types.ts";
import { backOffRemaining, defaultBackOff, nextBackOff, type BackOff } from "./back-off.ts";
import { computePodActions, podPhase } from "./compute-pod-actions.ts";
import { newRecord, type ContainerRecord } from "./container-record.ts";

const now = 1_000_000;

function pod(restartPolicy: string, main: readonly string[], init: readonly (string | Container)[] = [], phase?: string): Pod {
  return {
    metadata: { name: "p", namespace: "n", uid: "u" },
    spec: {
      restartPolicy,
      containers: main.map((name) => ({ name })),
      initContainers: init.map((container) => (typeof container === "string" ? { name: container } : container)),
    },
    ...(phase === undefined ? {} : { status: { phase } }),
  };
}

const fresh = (name: string): ContainerRecord => newRecord(name, "main");
const running = (name: string, more: Partial<ContainerRecord> = {}): ContainerRecord => ({
  ...fresh(name),
  running: { id: `x://${name}`, startedAt: now, stopping: false },
  started: true,
  ...more,
});
const exited = (name: string, exitCode: number, more: Partial<ContainerRecord> = {}): ContainerRecord => ({
  ...fresh(name),
  exit: { exitCode, reason: exitCode === 0 ? "Completed" : "Error", finishedAt: now },
  ...more,
});
const sidecar: Container = { name: "side", restartPolicy: "Always" };

function withEphemeral(object: Pod): Pod {
  return { ...object, spec: { containers: [], ...object.spec, ephemeralContainers: [{ name: "look", image: "sh" }] } };
}

function withRule(object: Pod, operator: string): Pod {
  const restartPolicyRules = [{ action: "Restart", exitCodes: { operator, values: [42] } }];
  return {
    ...object,
    spec: { ...object.spec, containers: (object.spec?.containers ?? []).map((one) => ({ ...one, restartPolicyRules })) },
  };
}

const cases: readonly [string, Pod, readonly ContainerRecord[], readonly string[], string][] = [
  ["a new pod starts all its containers", pod("Always", ["a", "b"]), [], ["start a", "start b"], "Pending"],
  ["what runs is left alone", pod("Always", ["a", "b"]), [running("a"), running("b")], [], "Running"],
  ["one of two runs", pod("Always", ["a", "b"]), [running("a")], ["start b"], "Running"],
  ["Always: restarted after success", pod("Always", ["a"]), [exited("a", 0)], ["start a"], "Running"],
  ["Always: restarted after failure", pod("Always", ["a"]), [exited("a", 1)], ["start a"], "Running"],
  ["OnFailure: success is the end", pod("OnFailure", ["a"]), [exited("a", 0)], [], "Succeeded"],
  ["OnFailure: restarted after failure", pod("OnFailure", ["a"]), [exited("a", 1)], ["start a"], "Running"],
  ["Never: success", pod("Never", ["a"]), [exited("a", 0)], [], "Succeeded"],
  ["Never: failure", pod("Never", ["a", "b"]), [exited("a", 1), exited("b", 0)], [], "Failed"],
  ["Never: one still runs", pod("Never", ["a", "b"]), [exited("a", 1), running("b")], [], "Running"],
  ["in back-off", pod("Always", ["a"]), [exited("a", 1, { backOff: { delayMs: 10_000, at: now } })], ["back-off a 10000"], "Running"],
  ["unhealthy is killed", pod("Always", ["a"]), [running("a", { unhealthy: "no pulse" })], ["kill a no pulse"], "Running"],
  [
    "unhealthy, being stopped already",
    pod("Always", ["a"]),
    [running("a", { unhealthy: "no pulse", running: { id: "x", startedAt: now, stopping: true } })],
    [],
    "Running",
  ],
  ["creating it failed, not yet again", pod("Always", ["a"]), [{ ...fresh("a"), retryAt: now + 5 }], ["retry a 5"], "Pending"],
  ["creating it failed, now again", pod("Always", ["a"]), [{ ...fresh("a"), retryAt: now }], ["start a"], "Pending"],
  ["first init container only", pod("Always", ["a"], ["i", "j"]), [], ["start i"], "Pending"],
  ["an init container runs", pod("Always", ["a"], ["i", "j"]), [running("i")], [], "Pending"],
  ["the next init container", pod("Always", ["a"], ["i", "j"]), [exited("i", 0)], ["start j"], "Pending"],
  ["init is done", pod("Always", ["a"], ["i"]), [exited("i", 0)], ["start a"], "Pending"],
  ["init failed, restarted", pod("Always", ["a"], ["i"]), [exited("i", 1)], ["start i"], "Pending"],
  ["init failed under OnFailure, restarted", pod("OnFailure", ["a"], ["i"]), [exited("i", 1)], ["start i"], "Pending"],
  ["init failed under Never: the pod has failed", pod("Never", ["a"], ["i"]), [exited("i", 1)], [], "Failed"],
  ["init never runs again once main containers ran", pod("Always", ["a"], ["i"]), [exited("a", 1)], ["start a"], "Running"],
  ["a sidecar comes first", pod("Always", ["a"], [sidecar]), [], ["start side"], "Pending"],
  ["main waits for the sidecar's startup", pod("Always", ["a"], [sidecar]), [running("side", { started: false })], [], "Pending"],
  ["sidecar started", pod("Always", ["a"], [sidecar]), [running("side")], ["start a"], "Pending"],
  [
    "a broken sidecar is restarted beside main",
    pod("Never", ["a"], [sidecar]),
    [exited("side", 1), running("a")],
    ["start side"],
    "Running",
  ],
  [
    "main is done: the sidecar ends",
    pod("Never", ["a"], [sidecar]),
    [running("side"), exited("a", 0)],
    ["kill side The main containers have finished"],
    "Running",
  ],
  ["all is done", pod("Never", ["a"], [sidecar]), [exited("side", 137), exited("a", 0)], [], "Succeeded"],
  ["an ephemeral container starts beside what runs", withEphemeral(pod("Always", ["a"])), [running("a")], ["start look"], "Running"],
  ["an ephemeral container does not wait for init", withEphemeral(pod("Always", ["a"], ["i"])), [running("i")], ["start look"], "Pending"],
  ["an ephemeral container runs once", withEphemeral(pod("Always", ["a"])), [running("a"), exited("look", 1)], [], "Running"],
  [
    "an ephemeral container does not keep a pod",
    withEphemeral(pod("Never", ["a"])),
    [exited("a", 0), running("look")],
    ["kill look The main containers have finished"],
    "Running",
  ],
  ["a rule restarts what the policy would let rest", withRule(pod("Never", ["a"]), "In"), [exited("a", 42)], ["start a"], "Running"],
  ["a rule for other codes", withRule(pod("Never", ["a"]), "In"), [exited("a", 1)], [], "Failed"],
  ["a rule for all but some codes", withRule(pod("Never", ["a"]), "NotIn"), [exited("a", 1)], ["start a"], "Running"],
  ["a finished pod stays finished", pod("Always", ["a"], [], "Failed"), [], [], "Failed"],
];

test.each(cases)("%s", (_, object, records, expected, phase) => {
  const known = new Map(records.map((record) => [record.name, record]));
  const actions = computePodActions(object, known, now).map((action) => {
    if (action.kind === "kill") return `kill ${action.name} ${action.message}`;
    if (action.kind === "start") return `start ${action.name}`;
    return `${action.kind} ${action.name} ${action.until - now}`;
  });
  expect(actions).toEqual(expected);
  expect(podPhase(object, known)).toBe(phase);
});

test("the pause doubles from 10 s to 5 min, and is forgotten after 10 min of running", () => {
  let entry: BackOff | undefined;
  let time = 0;
  const pauses: number[] = [];
  for (let i = 0; i < 8; i++) {
    const pause = backOffRemaining(entry, time, time, defaultBackOff);
    pauses.push(pause / 1000);
    time += pause;
    entry = nextBackOff(entry, time - pause, time, defaultBackOff);
  }
  expect(pauses).toEqual([0, 10, 20, 40, 80, 160, 300, 300]);
  expect(backOffRemaining(entry, time + 599_000, time + 599_000, defaultBackOff)).toBe(300_000);
  expect(backOffRemaining(entry, time + 601_000, time + 601_000, defaultBackOff)).toBe(0);
  expect(nextBackOff(entry, time + 601_000, time + 601_000, defaultBackOff).delayMs).toBe(10_000);
});
