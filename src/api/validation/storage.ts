/** PersistentVolumes, claims and StorageClasses (`pkg/apis/core/validation/validation.go`, `pkg/apis/storage/validation`). */
import { equalSemantics } from "../equality.ts";
import { forbidden, invalid, notSupported, required, tooMany, type FieldError } from "../field-error.ts";
import { dns1123Subdomain, qualifiedName } from "../names.ts";
import { compareQuantities, parseQuantity } from "../quantity.ts";
import type { PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimSpec, PersistentVolumeSpec, StorageClass } from "../types.ts";
import { validateSelectorField } from "./selector.ts";
import { validateOptionalEnum, validateText } from "./values.ts";

const accessModes: readonly string[] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
const volumeModes: readonly string[] = ["Block", "Filesystem"];

function validateAccessModes(modes: readonly string[], path: string, none: string): FieldError[] {
  const alone = modes.includes("ReadWriteOncePod") && modes.length > 1;
  return [
    ...(modes.length === 0 ? [required(path, none)] : []),
    ...modes.flatMap((mode) => (accessModes.includes(mode) ? [] : [notSupported(path, mode, accessModes)])),
    ...(alone ? [forbidden(path, "may not use ReadWriteOncePod with other access modes")] : []),
  ];
}

function validateClassName(name: string | undefined): FieldError[] {
  return name === undefined || name === "" ? [] : validateText("spec.storageClassName", name, dns1123Subdomain);
}

function validateSize(path: string, size: string): FieldError[] {
  const quantity = parseQuantity(size);
  return quantity !== undefined && quantity.nano > 0n ? [] : [invalid(path, size, "must be greater than zero")];
}

export function validateClaim({ spec = {}, status }: PersistentVolumeClaim, old: PersistentVolumeClaim | undefined): FieldError[] {
  const size = spec.resources?.requests?.["storage"];
  const storage = "spec.resources[storage]";
  return [
    ...validateAccessModes(spec.accessModes ?? [], "spec.accessModes", "at least 1 access mode is required"),
    ...validateSelectorField(spec.selector, "spec.selector"),
    ...(size === undefined ? [required(storage)] : validateSize(storage, size)),
    ...validateClassName(spec.storageClassName),
    ...validateOptionalEnum("spec.volumeMode", spec.volumeMode, volumeModes),
    ...(old === undefined ? [] : validateClaimUpdate(spec, old, status)),
  ];
}

/** What a claim may still change: it is bound once, may get the default class, and may ask for more. */
function validateClaimUpdate(
  spec: PersistentVolumeClaimSpec,
  old: PersistentVolumeClaim,
  status: PersistentVolumeClaim["status"],
): FieldError[] {
  const before = old.spec ?? {};
  const bound = status?.phase === "Bound";
  const settable = {
    ...((before.volumeName ?? "") === "" ? { volumeName: before.volumeName } : {}),
    ...(before.storageClassName === undefined ? { storageClassName: undefined } : {}),
    ...(bound ? { resources: { ...spec.resources, requests: before.resources?.requests } } : {}),
    volumeAttributesClassName: before.volumeAttributesClassName,
  };
  if (!equalSemantics({ ...spec, ...settable }, before)) {
    return [forbidden("spec", "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims")];
  }
  const [now, then] = [spec, before].map(({ resources }) => parseQuantity(resources?.requests?.["storage"] ?? ""));
  const shrinks = now !== undefined && then !== undefined && compareQuantities(now, then) < 0;
  return shrinks ? [forbidden("spec.resources.requests.storage", "field can not be less than status.capacity")] : [];
}

const notSources: readonly string[] = [
  "accessModes",
  "capacity",
  "claimRef",
  "mountOptions",
  "nodeAffinity",
  "persistentVolumeReclaimPolicy",
  "storageClassName",
  "volumeAttributesClassName",
  "volumeMode",
];

function sourcesOf(spec: PersistentVolumeSpec): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(spec).filter(([field, value]) => value !== undefined && !notSources.includes(field)));
}

export function validateVolume({ spec = {} }: PersistentVolume, old: PersistentVolume | undefined): FieldError[] {
  const sources = Object.keys(sourcesOf(spec));
  const changed = old !== undefined && !equalSemantics(sourcesOf(spec), sourcesOf(old.spec ?? {}));
  return [
    ...validateAccessModes(spec.accessModes ?? [], "spec.accessModes", ""),
    ...validateCapacity(spec),
    ...(sources.length === 0 ? [required("spec", "must specify a volume type")] : []),
    ...sources.slice(1).map((source) => forbidden(`spec.${source}`, "may not specify more than 1 volume type")),
    ...validateLocal(spec),
    ...validateOptionalEnum("spec.persistentVolumeReclaimPolicy", spec.persistentVolumeReclaimPolicy, ["Delete", "Recycle", "Retain"]),
    ...validateClassName(spec.storageClassName),
    ...validateOptionalEnum("spec.volumeMode", spec.volumeMode, volumeModes),
    ...(changed ? [forbidden("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation")] : []),
  ];
}

function validateCapacity({ capacity = {} }: PersistentVolumeSpec): FieldError[] {
  const path = "spec.capacity";
  const names = Object.keys(capacity);
  if (names.length === 0) return [required(path)];
  if (names.length > 1 || capacity["storage"] === undefined) return [notSupported(path, capacity, ["storage"])];
  return validateSize(`${path}[storage]`, capacity["storage"]);
}

function validateLocal({ local, hostPath, nodeAffinity }: PersistentVolumeSpec): FieldError[] {
  const path = local?.path ?? hostPath?.path;
  const field = local === undefined ? "spec.hostPath.path" : "spec.local.path";
  return [
    ...(local !== undefined && nodeAffinity?.required === undefined
      ? [required("spec.nodeAffinity", "Local volume requires node affinity")]
      : []),
    ...((local ?? hostPath) !== undefined && (path ?? "") === "" ? [required(field)] : []),
    ...(path?.split("/").includes("..") === true ? [invalid(field, path, "must not contain '..'")] : []),
  ];
}

const maxParameters = 512;

export function validateStorageClass(storageClass: StorageClass, old: StorageClass | undefined): FieldError[] {
  const { provisioner = "", parameters = {}, reclaimPolicy, volumeBindingMode } = storageClass;
  const fixed = ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"] as const;
  return [
    ...(provisioner === "" ? [required("provisioner")] : validateText("provisioner", provisioner.toLowerCase(), qualifiedName)),
    ...(Object.keys(parameters).length > maxParameters ? [tooMany("parameters", Object.keys(parameters).length, maxParameters)] : []),
    ...validateOptionalEnum("reclaimPolicy", reclaimPolicy, ["Delete", "Retain"]),
    ...validateOptionalEnum("volumeBindingMode", volumeBindingMode, ["Immediate", "WaitForFirstConsumer"]),
    ...(old === undefined
      ? []
      : fixed.flatMap((field) =>
          equalSemantics(storageClass[field], old[field]) ? [] : [forbidden(field, `updates to ${field} are forbidden.`)],
        )),
  ];
}
