import { expect, test } from "vitest";
import type { Pod, PodStatus } from "../api/types.ts";
import { newRecord, type ContainerRecord } from "./container-record.ts";
import { podStatus } from "./pod-status.ts";
import { seedRecords } from "./seed-records.ts";
import { statusPatch } from "./status-writer.ts";

const now = Date.UTC(2026, 0, 1);
const pod: Pod = { metadata: { name: "p", namespace: "n", uid: "u" }, spec: { containers: [{ name: "a", image: "x" }] } };

function status(record: Partial<ContainerRecord>, object: Pod = pod, previous?: PodStatus): PodStatus {
  const records = new Map([["a", { ...newRecord("a", "main"), ...record }]]);
  return podStatus({
    pod: object,
    records,
    podIPs: ["127.97.0.1"],
    hostIPs: ["127.0.0.1"],
    startTime: now,
    now,
    ...(previous === undefined ? {} : { previous }),
  });
}

const running = { id: "x://1", startedAt: now, stopping: false };
const exit = { id: "x://0", exitCode: 1, reason: "Error", startedAt: now - 1000, finishedAt: now };
const conditionsOf = ({ conditions }: PodStatus) => Object.fromEntries((conditions ?? []).map(({ type, status }) => [type, status]));

test("a container waits, runs, is ready, ended, is held back", () => {
  expect(status({}).containerStatuses?.[0]).toMatchObject({
    state: { waiting: { reason: "ContainerCreating" } },
    ready: false,
    restartCount: 0,
  });
  expect(status({ running, started: true }).containerStatuses?.[0]).toMatchObject({
    state: { running: { startedAt: "2026-01-01T00:00:00Z" } },
    containerID: "x://1",
  });
  expect(status({ exit, earlierExit: { ...exit, exitCode: 2 } }).containerStatuses?.[0]).toMatchObject({
    state: { terminated: { exitCode: 1, containerID: "x://0" } },
    lastState: { terminated: { exitCode: 2 } },
  });
  expect(status({ exit, waiting: { reason: "CrashLoopBackOff", message: "m" } }).containerStatuses?.[0]).toMatchObject({
    state: { waiting: { reason: "CrashLoopBackOff", message: "m" } },
    lastState: { terminated: { exitCode: 1 } },
  });
});

test("conditions", () => {
  const expected = { PodReadyToStartContainers: "True", Initialized: "True", PodScheduled: "True" };
  expect(conditionsOf(status({ running, started: true }))).toEqual({ ...expected, Ready: "False", ContainersReady: "False" });
  expect(conditionsOf(status({ running, started: true, ready: true }))).toEqual({ ...expected, Ready: "True", ContainersReady: "True" });
  const ready = status({ running }).conditions?.find(({ type }) => type === "Ready");
  expect(ready).toMatchObject({ reason: "ContainersNotReady", message: "containers with unready status: [a]" });
});

test("a readiness gate holds Ready back", () => {
  const gated = (conditions: PodStatus["conditions"]): Pod => ({
    ...pod,
    spec: { containers: [{ name: "a" }], readinessGates: [{ conditionType: "lb" }] },
    status: { conditions },
  });
  const record = { running, started: true, ready: true };
  expect(conditionsOf(status(record, gated([])))).toMatchObject({ Ready: "False", ContainersReady: "True" });
  expect(conditionsOf(status(record, gated([{ type: "lb", status: "True" }])))).toMatchObject({ Ready: "True" });
});

test("a condition keeps the time of its last change", () => {
  const previous = { conditions: [{ type: "Ready", status: "False", lastTransitionTime: "2025-01-01T00:00:00Z" }] };
  const time = (record: Partial<ContainerRecord>) =>
    status(record, pod, previous).conditions?.find(({ type }) => type === "Ready")?.lastTransitionTime;
  expect(time({ running })).toBe("2025-01-01T00:00:00Z");
  expect(time({ running, ready: true })).toBe("2026-01-01T00:00:00Z");
});

test("the patch takes back what is no more", () => {
  const old: PodStatus = { reason: "x", podIPs: [{ ip: "1" }], conditions: [{ type: "Ready", status: "False", reason: "r" }] };
  expect(statusPatch({ podIPs: [{ ip: "2" }], conditions: [{ type: "Ready", status: "True" }] }, old)).toEqual({
    reason: null,
    podIPs: [{ $patch: "replace" }, { ip: "2" }],
    conditions: [{ type: "Ready", status: "True", reason: null }],
  });
});

test("after a restart of the node: what ran is lost, counts stay, init containers count on", () => {
  const restarted: Pod = {
    ...pod,
    spec: { containers: [{ name: "a" }, { name: "b" }, { name: "c" }], initContainers: [{ name: "i" }] },
    status: {
      initContainerStatuses: [{ name: "i", image: "", imageID: "", ready: true, restartCount: 1, state: { terminated: { exitCode: 0 } } }],
      containerStatuses: [
        { name: "a", image: "", imageID: "", ready: true, restartCount: 2, state: { running: { startedAt: "2025-01-01T00:00:00Z" } } },
        {
          name: "b",
          image: "",
          imageID: "",
          ready: false,
          restartCount: 3,
          state: { waiting: {} },
          lastState: { terminated: { exitCode: 9, reason: "Error" } },
        },
        { name: "c", image: "", imageID: "", ready: false, restartCount: 0, state: { waiting: {} } },
      ],
    },
  };
  expect([...seedRecords(restarted, now).values()]).toMatchObject([
    { name: "i", restarts: 2, role: "init" },
    { name: "a", restarts: 2, exit: { exitCode: 255, reason: "Unknown" } },
    { name: "b", restarts: 3, exit: { exitCode: 9 } },
    { name: "c", restarts: 0 },
  ]);
});

test.each([
  [{}, "BestEffort"],
  [{ requests: { cpu: "1" } }, "Burstable"],
  [{ limits: { cpu: "1" } }, "Burstable"],
  [{ limits: { cpu: "1", memory: "1Gi" } }, "Guaranteed"],
  [{ limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "500m" } }, "Burstable"],
])("QoS of %j is %s", (resources, expected) => {
  expect(status({}, { ...pod, spec: { containers: [{ name: "a", resources }] } }).qosClass).toBe(expected);
});
