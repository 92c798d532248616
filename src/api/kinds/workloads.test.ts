import { describe, expect, test } from "vitest";
import { faults, statusFaults, stored, tableCells } from "./testing.ts";

const meta = { name: "web", namespace: "default" };
const labels = { app: "web" };
const template = { metadata: { labels }, spec: { containers: [{ name: "web", image: "web:1" }] } };
const selector = { matchLabels: labels };
const set = (spec: object = {}) => ({ metadata: meta, spec: { selector, template, serviceName: "web", ...spec } });

describe("StatefulSet", () => {
  const claim = { metadata: { name: "data" }, spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } } };

  test("defaults, of its claims too", () => {
    const object = stored("StatefulSet", set({ volumeClaimTemplates: [claim] }));
    expect(object).toMatchObject({
      metadata: { generation: 1 },
      spec: {
        replicas: 1,
        podManagementPolicy: "OrderedReady",
        updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 0 } },
        persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" },
        revisionHistoryLimit: 10,
        volumeClaimTemplates: [{ kind: "PersistentVolumeClaim", spec: { volumeMode: "Filesystem" }, status: { phase: "Pending" } }],
      },
      status: { replicas: 0 },
    });
    expect(tableCells("StatefulSet", object)).toMatchObject({ Ready: "0/1", Images: "web:1" });
    expect(stored("StatefulSet", structuredClone(object), object)).toEqual(object);
  });

  test("a container may mount a claim", () => {
    const mounting = {
      ...template,
      spec: { containers: [{ ...template.spec.containers[0], volumeMounts: [{ name: "data", mountPath: "/data" }] }] },
    };
    expect(faults("StatefulSet", set({ template: mounting, volumeClaimTemplates: [claim] }))).toEqual([]);
  });

  test.each([
    [
      "another policy",
      { podManagementPolicy: "Sometimes" },
      "spec.podManagementPolicy: Invalid value: \"Sometimes\": must be 'OrderedReady' or 'Parallel'",
    ],
    [
      "settings of another strategy",
      { updateStrategy: { type: "OnDelete", rollingUpdate: { partition: 1 } } },
      "spec.updateStrategy.rollingUpdate: Invalid value: {\"partition\":1}: only allowed for updateStrategy 'RollingUpdate'",
    ],
    [
      "a partition below zero",
      { updateStrategy: { rollingUpdate: { partition: -1 } } },
      "spec.updateStrategy.rollingUpdate.partition: Invalid value: -1: must be greater than or equal to 0",
    ],
    [
      "nothing unavailable",
      { updateStrategy: { rollingUpdate: { maxUnavailable: 0 } } },
      "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: cannot be 0",
    ],
    [
      "a selector that does not match",
      { selector: { matchLabels: { app: "x" } } },
      'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
    ],
    [
      "pods that end",
      { template: { ...template, spec: { ...template.spec, restartPolicy: "Never" } } },
      'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
    ],
  ])("refuses %s", (_, spec, fault) => {
    expect(faults("StatefulSet", set(spec))).toEqual([fault]);
  });

  test("keeps what its pods are made from", () => {
    const old = stored("StatefulSet", set());
    expect(faults("StatefulSet", set({ serviceName: "other" }), old)).toEqual([
      "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
    ]);
    expect(stored("StatefulSet", set({ replicas: 3, ordinals: { start: 2 } }), old)).toHaveProperty("metadata.generation", 2);
  });

  test("its status cannot count more than there are", () => {
    expect(statusFaults("StatefulSet", stored("StatefulSet", set()), { replicas: 1, readyReplicas: 2 })).toEqual([
      "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas",
    ]);
  });
});

describe("DaemonSet", () => {
  const daemon = (spec: object = {}) => ({ metadata: meta, spec: { selector, template, ...spec } });

  test("defaults, and counts its templates", () => {
    const object = stored("DaemonSet", daemon());
    expect(object).toMatchObject({
      metadata: { annotations: { "deprecated.daemonset.template.generation": "1" } },
      spec: { updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } }, revisionHistoryLimit: 10 },
    });
    expect(tableCells("DaemonSet", object)).toMatchObject({ Desired: 0, "Node Selector": "<none>", Selector: "app=web" });
    const image = { ...template, spec: { containers: [{ name: "web", image: "web:2" }] } };
    const next = stored("DaemonSet", daemon({ template: image }), object);
    expect(next).toMatchObject({ metadata: { generation: 2, annotations: { "deprecated.daemonset.template.generation": "2" } } });
    expect(stored("DaemonSet", daemon({ template: image, minReadySeconds: 5 }), next)).toMatchObject({
      metadata: { generation: 3, annotations: { "deprecated.daemonset.template.generation": "2" } },
    });
  });

  test.each([
    [
      "both at once",
      { updateStrategy: { rollingUpdate: { maxUnavailable: 1, maxSurge: 1 } } },
      "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero",
    ],
    [
      "neither",
      { updateStrategy: { rollingUpdate: { maxUnavailable: 0 } } },
      "spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0",
    ],
    [
      "more than all",
      { updateStrategy: { rollingUpdate: { maxUnavailable: "120%" } } },
      'spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: "120%": must not be greater than 100%',
    ],
  ])("refuses %s", (_, spec, fault) => {
    expect(faults("DaemonSet", daemon(spec))).toEqual([fault]);
  });
});

describe("ControllerRevision", () => {
  const revision = (more: object = {}) => ({ metadata: meta, data: { spec: {} }, revision: 1, ...more });

  test("has data, and keeps them", () => {
    expect(faults("ControllerRevision", { metadata: meta, revision: 1 })).toEqual(["data: Required value: data is mandatory"]);
    const old = stored("ControllerRevision", revision());
    expect(faults("ControllerRevision", revision({ revision: 2 }), old)).toEqual([]);
    expect(faults("ControllerRevision", revision({ data: { spec: { a: 1 } } }), old)).toEqual([
      'data: Invalid value: {"spec":{"a":1}}: field is immutable',
    ]);
  });

  test("names its controller", () => {
    const owner = { apiVersion: "apps/v1", kind: "StatefulSet", name: "web", uid: "1", controller: true };
    const object = stored("ControllerRevision", revision({ metadata: { ...meta, ownerReferences: [owner] } }));
    expect(tableCells("ControllerRevision", object)).toMatchObject({ Controller: "statefulset.apps/web", Revision: 1 });
  });
});
