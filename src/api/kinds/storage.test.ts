import { describe, expect, test } from "vitest";
import type { KubeObject } from "../object.ts";
import { faults, stored, tableCells } from "./testing.ts";

const requests = (storage: string) => ({ requests: { storage } });
const claim = (spec: object = {}) => ({
  metadata: { name: "data", namespace: "default" },
  spec: { accessModes: ["ReadWriteOnce"], resources: requests("1Gi"), ...spec },
});
const volume = (spec: object = {}) => ({
  metadata: { name: "pv" },
  spec: { accessModes: ["ReadWriteOnce"], capacity: { storage: "1Gi" }, hostPath: { path: "/data" }, ...spec },
});

describe("PersistentVolumeClaim", () => {
  test("is protected, and waits", () => {
    const object = stored("PersistentVolumeClaim", claim());
    expect(object).toMatchObject({
      metadata: { finalizers: ["kubernetes.io/pvc-protection"] },
      spec: { volumeMode: "Filesystem" },
      status: { phase: "Pending" },
    });
    expect(tableCells("PersistentVolumeClaim", object)).toMatchObject({ Status: "Pending", Volume: "", Capacity: "", "Access Modes": "" });
  });

  test("a bound one shows its volume", () => {
    const object: KubeObject = {
      ...stored("PersistentVolumeClaim", claim({ volumeName: "pv", storageClassName: "standard" })),
      ...{ status: { phase: "Bound", capacity: { storage: "2Gi" }, accessModes: ["ReadWriteOnce", "ReadOnlyMany"] } },
    };
    expect(tableCells("PersistentVolumeClaim", object)).toMatchObject({
      Status: "Bound",
      Volume: "pv",
      Capacity: "2Gi",
      "Access Modes": "RWO,ROX",
      StorageClass: "standard",
      VolumeAttributesClass: "<unset>",
    });
  });

  test.each([
    ["no access mode", { accessModes: [] }, "spec.accessModes: Required value: at least 1 access mode is required"],
    ["no size", { resources: {} }, "spec.resources[storage]: Required value"],
    ["nothing", { resources: requests("0") }, 'spec.resources[storage]: Invalid value: "0": must be greater than zero'],
    [
      "one pod and more",
      { accessModes: ["ReadWriteOnce", "ReadWriteOncePod"] },
      "spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes",
    ],
  ])("refuses %s", (_, spec, fault) => {
    expect(faults("PersistentVolumeClaim", claim(spec))).toEqual([fault]);
  });

  test("may be bound and get a class once; only a bound one grows", () => {
    const old = stored("PersistentVolumeClaim", claim());
    const immutable =
      "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
    expect(faults("PersistentVolumeClaim", claim({ volumeName: "pv", storageClassName: "standard" }), old)).toEqual([]);
    expect(faults("PersistentVolumeClaim", claim({ resources: requests("2Gi") }), old)).toEqual([immutable]);
    const bound = { ...old, status: { phase: "Bound" } } as KubeObject;
    expect(faults("PersistentVolumeClaim", claim({ resources: requests("2Gi") }), bound)).toEqual([]);
    expect(faults("PersistentVolumeClaim", claim({ resources: requests("1Mi") }), bound)).toEqual([
      "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity",
    ]);
    const named = stored("PersistentVolumeClaim", claim({ volumeName: "pv" }));
    expect(faults("PersistentVolumeClaim", claim({ volumeName: "other" }), named)).toEqual([immutable]);
  });
});

describe("PersistentVolume", () => {
  test("defaults and columns", () => {
    const object = stored("PersistentVolume", volume({ claimRef: { namespace: "default", name: "data" } }));
    expect(object).toMatchObject({
      metadata: { finalizers: ["kubernetes.io/pv-protection"] },
      spec: { persistentVolumeReclaimPolicy: "Retain", volumeMode: "Filesystem", hostPath: { type: "" } },
    });
    expect(tableCells("PersistentVolume", object)).toMatchObject({ Capacity: "1Gi", "Access Modes": "RWO", Claim: "default/data" });
  });

  test.each([
    ["no source", { hostPath: undefined }, "spec: Required value: must specify a volume type"],
    ["two sources", { nfs: { server: "s", path: "/" } }, "spec.nfs: Forbidden: may not specify more than 1 volume type"],
    ["no size", { capacity: {} }, "spec.capacity: Required value"],
    ["a way out", { hostPath: { path: "/a/../b" } }, "spec.hostPath.path: Invalid value: \"/a/../b\": must not contain '..'"],
    [
      "local, anywhere",
      { hostPath: undefined, local: { path: "/d" } },
      "spec.nodeAffinity: Required value: Local volume requires node affinity",
    ],
  ])("refuses %s", (_, spec, fault) => {
    expect(faults("PersistentVolume", JSON.parse(JSON.stringify(volume(spec))) as object)).toEqual([fault]);
  });

  test("stays where it is", () => {
    const old = stored("PersistentVolume", volume());
    expect(faults("PersistentVolume", volume({ hostPath: { path: "/other" } }), old)).toEqual([
      "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation",
    ]);
  });
});

describe("StorageClass", () => {
  const storageClass = (more: object = {}) => ({
    metadata: { name: "standard", annotations: { "storageclass.kubernetes.io/is-default-class": "true" } },
    provisioner: "fairlead.dev/directory",
    ...more,
  });

  test("shows that it is the default", () => {
    expect(tableCells("StorageClass", stored("StorageClass", storageClass()))).toMatchObject({
      Name: "standard (default)",
      ReclaimPolicy: "Delete",
      VolumeBindingMode: "Immediate",
      AllowVolumeExpansion: false,
    });
  });

  test("stays what it is", () => {
    expect(faults("StorageClass", storageClass({ provisioner: "other" }), stored("StorageClass", storageClass()))).toEqual([
      "provisioner: Forbidden: updates to provisioner are forbidden.",
    ]);
  });
});
