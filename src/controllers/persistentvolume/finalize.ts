/** Binds, makes and lets go of volumes. */
import { join } from "node:path/posix";
import { keyOf } from "../../api/object.ts";
import { claimFinalizer, volumeFinalizer } from "../../api/kinds/persistent-volumes.ts";
import { persistentVolumeClaims, persistentVolumes } from "../../api/resources.ts";
import { isAlreadyExists, isNotFound } from "../../api/status.ts";
import type { ObjectReference, PersistentVolume, PersistentVolumeClaim, StorageClass } from "../../api/types.ts";
import type { Client } from "../../client/client.ts";
import type { EventRecorder } from "../../client/event-recorder.ts";
import { semanticEqual } from "../../decide/endpoints/equal.ts";
import { rfc3339 } from "../../lib/clock.ts";
import { directoryProvisioner } from "../systemobjects/reconcile.ts";
import { provisionedBy, type ClaimPlan, type VolumePlan } from "./reconcile.ts";

export interface VolumeWriter {
  readonly client: Client;
  readonly recorder: EventRecorder;
  /** Where new volumes are made. */
  readonly directory: string | undefined;
  /** Removes a volume's directory with all that is in it. */
  readonly removeDirectory: (path: string) => Promise<void>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export async function writeClaim(writer: VolumeWriter, claim: PersistentVolumeClaim, plan: ClaimPlan): Promise<void> {
  const { client, recorder } = writer;
  switch (plan.kind) {
    case "none":
      return;
    case "setClass":
      return void (await client.update(persistentVolumeClaims, { ...claim, spec: { ...claim.spec, storageClassName: plan.name } }));
    case "bind":
      return bind(client, claim, plan.volume);
    case "provision":
      return provision(writer, claim, plan.storageClass);
    case "report":
      return report(client, claim, plan.volume);
    case "lost":
      recorder.event(claim, "Warning", "ClaimLost", plan.message);
      return writeClaimStatus(client, claim, { phase: "Lost" });
    case "wait":
      return recorder.event(claim, plan.type, plan.reason, plan.message);
    case "release":
      return void (await client.update(persistentVolumeClaims, withoutFinalizer(claim, claimFinalizer)));
    default:
      return plan satisfies never;
  }
}

const boundByController = "pv.kubernetes.io/bound-by-controller";
const bindCompleted = "pv.kubernetes.io/bind-completed";

/** The volume first: two claims that want it race for its version, and one wins. */
async function bind(client: Client, claim: PersistentVolumeClaim, volume: PersistentVolume): Promise<void> {
  const annotations = { ...volume.metadata.annotations, [boundByController]: "yes" };
  const reserved = { ...volume, metadata: { ...volume.metadata, annotations }, spec: { ...volume.spec, claimRef: referenceTo(claim) } };
  await client.update(persistentVolumes, reserved);
  await client.update(persistentVolumeClaims, {
    ...claim,
    metadata: { ...claim.metadata, annotations: { ...claim.metadata.annotations, [bindCompleted]: "yes" } },
    spec: { ...claim.spec, volumeName: volume.metadata.name ?? "" },
  });
}

function referenceTo({ metadata }: PersistentVolumeClaim): ObjectReference {
  const { name = "", namespace = "", uid = "", resourceVersion = "" } = metadata;
  return { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name, uid, resourceVersion };
}

async function provision(writer: VolumeWriter, claim: PersistentVolumeClaim, storageClass: StorageClass): Promise<void> {
  const { client, recorder, directory } = writer;
  if (directory === undefined) return;
  const name = `pvc-${claim.metadata.uid}`;
  try {
    await client.create(persistentVolumes, newVolume(claim, storageClass, name, join(directory, name)));
    recorder.event(claim, "Normal", "ProvisioningSucceeded", `Successfully provisioned volume ${name}`);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}

function newVolume(claim: PersistentVolumeClaim, storageClass: StorageClass, name: string, path: string): PersistentVolume {
  const { accessModes = [], volumeMode = "Filesystem", resources } = claim.spec ?? {};
  return {
    metadata: { name, annotations: { [provisionedBy]: directoryProvisioner } },
    spec: {
      accessModes,
      capacity: { storage: resources?.requests?.["storage"] ?? "0" },
      claimRef: referenceTo(claim),
      hostPath: { path, type: "DirectoryOrCreate" },
      persistentVolumeReclaimPolicy: storageClass.reclaimPolicy ?? "Delete",
      storageClassName: storageClass.metadata.name ?? "",
      volumeMode,
    },
  };
}

function report(client: Client, claim: PersistentVolumeClaim, { spec }: PersistentVolume): Promise<void> {
  const { accessModes = [], capacity = {} } = spec ?? {};
  return writeClaimStatus(client, claim, { phase: "Bound", accessModes, capacity });
}

async function writeClaimStatus(
  client: Client,
  claim: PersistentVolumeClaim,
  status: NonNullable<PersistentVolumeClaim["status"]>,
): Promise<void> {
  const next = { ...claim.status, ...status };
  if (!semanticEqual(claim.status, next)) await client.updateStatus(persistentVolumeClaims, { ...claim, status: next });
}

export async function writeVolume(writer: VolumeWriter, volume: PersistentVolume, plan: VolumePlan): Promise<void> {
  const { client, now } = writer;
  switch (plan.kind) {
    case "none":
      return;
    case "phase": {
      const status = { ...volume.status, phase: plan.phase, lastPhaseTransitionTime: rfc3339(now()) };
      return void (await client.updateStatus(persistentVolumes, { ...volume, status }));
    }
    case "reclaim":
      return reclaim(writer, volume);
    case "release":
      return void (await client.update(persistentVolumes, withoutFinalizer(volume, volumeFinalizer)));
    default:
      return plan satisfies never;
  }
}

/** Only what was made here, under its own name: a path that somebody wrote into an object is never deleted. */
async function reclaim({ client, directory, removeDirectory }: VolumeWriter, volume: PersistentVolume): Promise<void> {
  const { name = "" } = volume.metadata;
  const path = directory === undefined ? undefined : join(directory, name);
  if (path !== undefined && /^pvc-[0-9a-f-]{36}$/.test(name) && volume.spec?.hostPath?.path === path) await removeDirectory(path);
  try {
    await client.delete(persistentVolumes, { name });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

function withoutFinalizer<T extends PersistentVolume | PersistentVolumeClaim>(object: T, finalizer: string): T {
  const finalizers = (object.metadata.finalizers ?? []).filter((one) => one !== finalizer);
  return { ...object, metadata: { ...object.metadata, finalizers } };
}

export const claimKey = ({ spec }: PersistentVolume): string | undefined =>
  spec?.claimRef === undefined ? undefined : keyOf(spec.claimRef.namespace, spec.claimRef.name ?? "");
