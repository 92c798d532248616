import { describe, expect, test } from "vitest";
import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from "../../api/types.ts";
import { replicaPod } from "../testing.ts";
import { planClaim, planVolume, provisionedBy, type ClaimInput } from "./reconcile.ts";

const claim = (
  spec: PersistentVolumeClaim["spec"] = {},
  metadata: object = {},
  status: PersistentVolumeClaim["status"] = {},
): PersistentVolumeClaim => ({
  metadata: { name: "data", namespace: "default", uid: "uid-data", ...metadata },
  spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } }, storageClassName: "standard", ...spec },
  status,
});

const volume = (name: string, spec: PersistentVolume["spec"] = {}, metadata: object = {}): PersistentVolume => ({
  metadata: { name, ...metadata },
  spec: { accessModes: ["ReadWriteOnce"], capacity: { storage: "1Gi" }, storageClassName: "standard", ...spec },
});

const ours = { annotations: { [provisionedBy]: "fairlead.dev/directory" } };
const mine = { claimRef: { namespace: "default", name: "data", uid: "uid-data" } };

const storageClass = (name: string, more: Partial<StorageClass> = {}): StorageClass => ({
  metadata: { name, annotations: { "storageclass.kubernetes.io/is-default-class": "true" }, creationTimestamp: "2026-01-01T00:00:00Z" },
  provisioner: "fairlead.dev/directory",
  ...more,
});

const plan = (object: PersistentVolumeClaim, input: Partial<ClaimInput> = {}) =>
  planClaim({ claim: object, volumes: [], classes: [storageClass("standard")], users: [], provisions: true, ...input });

const bound = (object: PersistentVolumeClaim, volumes: readonly PersistentVolume[]) => {
  const found = plan(object, { volumes });
  return found.kind === "bind" ? found.volume.metadata.name : found.kind;
};

describe("a claim", () => {
  test.each<readonly [string, PersistentVolumeClaim, readonly PersistentVolume[], string]>([
    ["a volume that is enough", claim(), [volume("a")], "a"],
    [
      "the smallest of them",
      claim(),
      [volume("big", { capacity: { storage: "9Gi" } }), volume("small", { capacity: { storage: "2Gi" } })],
      "small",
    ],
    ["none that is too small", claim(), [volume("a", { capacity: { storage: "1023Mi" } })], "provision"],
    ["none of another class", claim(), [volume("a", { storageClassName: "fast" })], "provision"],
    ["none with less access", claim({ accessModes: ["ReadWriteMany"] }), [volume("a")], "provision"],
    ["none that is a device", claim(), [volume("a", { volumeMode: "Block" })], "provision"],
    ["by labels", claim({ selector: { matchLabels: { disk: "b" } } }), [volume("a"), volume("b", {}, { labels: { disk: "b" } })], "b"],
    ["none that another one has", claim(), [volume("a", { claimRef: { namespace: "x", name: "data" } })], "provision"],
    [
      "one that is kept for it, whatever it is like",
      claim(),
      [volume("a"), volume("kept", { claimRef: { namespace: "default", name: "data" }, capacity: { storage: "1Mi" } })],
      "kept",
    ],
    ["none that was kept for its predecessor", claim(), [volume("old", { claimRef: { ...mine.claimRef, uid: "before" } })], "provision"],
    ["the one that it names", claim({ volumeName: "a" }), [volume("a"), volume("b")], "a"],
  ])("gets %s", (_, object, volumes, wanted) => {
    expect(bound(object, volumes)).toBe(wanted);
  });

  test("without a class gets the youngest default", () => {
    const young = storageClass("young", { metadata: { ...storageClass("young").metadata, creationTimestamp: "2026-01-02T00:00:00Z" } });
    const unnamed = claim({ storageClassName: undefined });
    expect(plan(unnamed, { classes: [storageClass("old"), young] })).toEqual({ kind: "setClass", name: "young" });
    expect(plan(unnamed, { classes: [] })).toMatchObject({ reason: "FailedBinding" });
    // The empty name asks for a volume without class.
    expect(plan(claim({ storageClassName: "" }))).toMatchObject({ kind: "wait" });
  });

  test.each<readonly [string, Partial<ClaimInput>, string]>([
    ["for a class that is not there", { classes: [] }, "ProvisioningFailed"],
    ["for somebody else's provisioner", { classes: [storageClass("standard", { provisioner: "ebs" })] }, "ExternalProvisioning"],
    ["where there is no place for volumes", { provisions: false }, "ExternalProvisioning"],
    ["for its first pod", { classes: [storageClass("standard", { volumeBindingMode: "WaitForFirstConsumer" })] }, "WaitForFirstConsumer"],
  ])("waits %s", (_, input, reason) => {
    expect(plan(claim(), input)).toMatchObject({ kind: "wait", reason });
  });

  test("whose pod has come is made one", () => {
    const classes = [storageClass("standard", { volumeBindingMode: "WaitForFirstConsumer" })];
    expect(plan(claim(), { classes, users: [replicaPod("a")] })).toMatchObject({ kind: "provision" });
  });

  test("that is bound says so; one that lost its volume too", () => {
    const named = claim({ volumeName: "a" }, {}, { phase: "Bound" });
    expect(plan(named, { volumes: [volume("a", mine)] })).toMatchObject({ kind: "report" });
    expect(plan(named)).toMatchObject({ kind: "lost" });
    expect(plan(named, { volumes: [volume("a", { claimRef: { ...mine.claimRef, name: "other" } })] })).toMatchObject({ kind: "wait" });
  });

  test("that is deleted stays while a pod uses it", () => {
    const going = claim({}, { deletionTimestamp: "2026-01-01T00:00:00Z" });
    expect(plan(going, { users: [replicaPod("a")] })).toEqual({ kind: "none" });
    expect(plan(going, { users: [replicaPod("a", { phase: "Succeeded" })] })).toEqual({ kind: "release" });
  });
});

describe("a volume", () => {
  const going = { deletionTimestamp: "2026-01-01T00:00:00Z" };
  test.each<readonly [string, PersistentVolume, PersistentVolumeClaim | undefined, object]>([
    ["free", volume("a"), undefined, { kind: "phase", phase: "Available" }],
    [
      "kept for a claim to come",
      volume("a", { claimRef: { namespace: "default", name: "data" } }),
      undefined,
      { kind: "phase", phase: "Available" },
    ],
    ["bound", volume("a", mine), claim(), { kind: "phase", phase: "Bound" }],
    [
      "its claim is gone",
      volume("a", { ...mine, persistentVolumeReclaimPolicy: "Retain" }, ours),
      undefined,
      { kind: "phase", phase: "Released" },
    ],
    ["its claim was made anew", volume("a", mine), claim({}, { uid: "other" }), { kind: "phase", phase: "Released" }],
    [
      "made for a claim that is gone",
      volume("a", { ...mine, persistentVolumeReclaimPolicy: "Delete" }, ours),
      undefined,
      { kind: "reclaim" },
    ],
    [
      "somebody else's to reclaim",
      volume("a", { ...mine, persistentVolumeReclaimPolicy: "Delete" }),
      undefined,
      { kind: "phase", phase: "Released" },
    ],
    ["deleted while bound", volume("a", mine, going), claim(), { kind: "none" }],
    ["deleted and free", volume("a", {}, going), undefined, { kind: "release" }],
  ])("%s", (_, object, holder, wanted) => {
    expect(planVolume(object, holder)).toEqual(wanted);
  });
});
