import { describe, expect, test } from "vitest";
import type { Endpoints, Pod, Service } from "../../api/types.ts";
import { oneNode, testPod, testService } from "../../decide/endpoints/testing.ts";
import { changesEndpoints } from "../endpoint-inputs.ts";
import { TriggerTimes } from "../trigger-times.ts";
import { isMirrored, planMirror } from "../endpointslicemirroring/reconcile.ts";
import { planEndpoints } from "./reconcile.ts";

const plan = (service: Service, pods: readonly Pod[], existing?: Endpoints, triggerTime?: string) =>
  planEndpoints(service, pods, existing, oneNode, triggerTime);
const made = (service: Service, pods: readonly Pod[]): Endpoints => {
  const result = plan(service, pods);
  if (result.kind === "none") throw new Error("nothing planned");
  return result.endpoints;
};

describe("Endpoints of a Service", () => {
  test("made with its labels, also without pods", () => {
    expect(plan(testService({}, { labels: { team: "a" } }), [])).toEqual({
      kind: "create",
      endpoints: {
        apiVersion: "v1",
        kind: "Endpoints",
        metadata: {
          name: "web",
          namespace: "default",
          labels: { team: "a", "endpoints.kubernetes.io/managed-by": "endpoint-controller" },
          annotations: {},
        },
        subsets: [],
      },
    });
  });

  test("left alone when nothing changed but the pods' versions", () => {
    const before = made(testService(), [testPod()]);
    const [subset] = before.subsets ?? [];
    const older = {
      ...before,
      subsets: [
        { ...subset, addresses: subset?.addresses?.map((each) => ({ ...each, targetRef: { ...each.targetRef, resourceVersion: "1" } })) },
      ],
    };
    expect(plan(testService(), [testPod()], older)).toEqual({ kind: "none" });
  });

  test("updated with the trigger time of this change", () => {
    const before = made(testService(), []);
    const result = plan(testService(), [testPod()], before, "2026-01-01T00:00:00Z");
    expect(result).toMatchObject({
      kind: "update",
      endpoints: { metadata: { annotations: { "endpoints.kubernetes.io/last-change-trigger-time": "2026-01-01T00:00:00Z" } } },
    });
  });

  test("a headless Service marks its Endpoints", () => {
    expect(made(testService({ clusterIP: "None" }), []).metadata.labels).toMatchObject({ "service.kubernetes.io/headless": "" });
  });

  test("more than 1000 are truncated and marked", () => {
    const pods = Array.from({ length: 1001 }, (_, i) => testPod({ name: `p${i}`, ip: `127.97.${i >> 8}.${i & 255}` }));
    const endpoints = made(testService(), pods);
    expect(endpoints.metadata.annotations).toEqual({ "endpoints.kubernetes.io/over-capacity": "truncated" });
    expect(endpoints.subsets?.[0]?.addresses).toHaveLength(1000);
    expect(plan(testService(), pods, endpoints)).toEqual({ kind: "none" });
    expect(plan(testService(), pods.slice(0, 1000), endpoints)).toMatchObject({
      kind: "update",
      endpoints: { metadata: { annotations: {} } },
    });
  });
});

describe("which changes of a pod concern endpoints", () => {
  const pod = testPod();
  test.each([
    ["an annotation", { ...pod, metadata: { ...pod.metadata, annotations: { a: "b" }, resourceVersion: "2" } }, false],
    ["ready", testPod({ ready: false }), true],
    ["terminating", testPod({ terminating: true }), true],
    ["finished", testPod({ phase: "Failed" }), true],
    ["address", testPod({ ip: "127.97.0.2" }), true],
    ["node", testPod({ node: "other" }), true],
  ] as const)("%s", (_, changed, concerns) => expect(changesEndpoints(changed, pod)).toBe(concerns));
});

test("trigger times: the earliest change that was not there before", () => {
  const times = new TriggerTimes();
  const service = testService({}, { creationTimestamp: "2026-01-01T00:00:01Z" });
  const at = (name: string, time: string): Pod => ({
    ...testPod({ name }),
    status: { conditions: [{ type: "Ready", status: "True", lastTransitionTime: time }] },
  });
  expect(times.next(service, [])).toBe("2026-01-01T00:00:01Z");
  expect(times.next(service, [])).toBeUndefined();
  expect(times.next(service, [at("a", "2026-01-01T00:00:05Z"), at("b", "2026-01-01T00:00:04Z")])).toBe("2026-01-01T00:00:04Z");
  expect(times.next(service, [at("a", "2026-01-01T00:00:09Z"), at("b", "2026-01-01T00:00:04Z")])).toBe("2026-01-01T00:00:09Z");
  times.forget("default/web");
  expect(times.next(service, [])).toBe("2026-01-01T00:00:01Z");
});

describe("mirroring", () => {
  const endpoints: Endpoints = {
    metadata: {
      name: "web",
      namespace: "default",
      uid: "e",
      annotations: { note: "x", "endpoints.kubernetes.io/last-change-trigger-time": "t" },
    },
    subsets: [{ addresses: [{ ip: "10.0.0.1" }], ports: [{ port: 80 }] }],
  };
  const byHand = testService({ selector: undefined });

  test.each([
    ["a Service without a selector", endpoints, byHand, true],
    ["a Service with one", endpoints, testService(), false],
    ["no Service", endpoints, undefined, false],
    [
      "told not to",
      { ...endpoints, metadata: { ...endpoints.metadata, labels: { "endpointslice.kubernetes.io/skip-mirror": "true" } } },
      byHand,
      false,
    ],
    [
      "the lock of a leader election",
      { ...endpoints, metadata: { ...endpoints.metadata, annotations: { "control-plane.alpha.kubernetes.io/leader": "{}" } } },
      byHand,
      false,
    ],
  ] as const)("%s", (_, object, service, mirrored) => expect(isMirrored(object, service)).toBe(mirrored));

  test("a slice that belongs to the Endpoints", () => {
    const { changes, events } = planMirror(endpoints, [], 1000);
    expect(events).toEqual([]);
    expect(changes.create).toMatchObject([
      {
        metadata: {
          generateName: "web-",
          labels: {
            "kubernetes.io/service-name": "web",
            "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
          },
          annotations: { note: "x" },
          ownerReferences: [{ kind: "Endpoints", name: "web", uid: "e" }],
        },
        endpoints: [{ addresses: ["10.0.0.1"], conditions: { ready: true } }],
        ports: [{ port: 80, protocol: "TCP" }],
      },
    ]);
  });

  test("what is left out is said", () => {
    const many = { ...endpoints, subsets: [{ addresses: [{ ip: "10.0.0.1" }, { ip: "bad" }, { ip: "10.0.0.3" }] }] };
    expect(planMirror(many, [], 2).events.map(({ reason }) => reason)).toEqual(["InvalidIPAddress", "TooManyAddressesToMirror"]);
  });
});
