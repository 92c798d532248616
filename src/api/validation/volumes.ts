/** Volumes of a pod (validation.go `ValidateVolumes`): the kinds that need no driver are looked into. */
import { duplicate, forbidden, invalid, required, type FieldError } from "../field-error.ts";
import { dns1123Label } from "../names.ts";
import type { DownwardAPIVolumeFile, KeyToPath, ProjectedVolumeSource, Volume } from "../types.ts";
import { validateFieldRef } from "./environment.ts";
import { validateOptionalEnum, validateText } from "./values.ts";

const downwardFields: readonly string[] = [
  "metadata.annotations",
  "metadata.labels",
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
];

const hostPathTypes: readonly string[] = [
  "",
  "BlockDevice",
  "CharDevice",
  "Directory",
  "DirectoryOrCreate",
  "File",
  "FileOrCreate",
  "Socket",
];

export function validateVolumes(volumes: readonly Volume[], path: string): FieldError[] {
  const names = volumes.map(({ name }) => name);
  return volumes.flatMap((volume, index) => {
    const item = `${path}[${index}]`;
    const errors = validateVolumeSource(volume, item);
    if ((volume.name ?? "") === "") return [...errors, required(`${item}.name`)];
    errors.push(...validateText(`${item}.name`, volume.name, dns1123Label));
    return names.indexOf(volume.name) < index ? [...errors, duplicate(`${item}.name`, volume.name)] : errors;
  });
}

function validateVolumeSource(volume: Volume, path: string): FieldError[] {
  const sources = Object.keys(volume).filter((field) => field !== "name" && volume[field as keyof Volume] !== undefined);
  if (sources.length === 0) return [required(path, "must specify a volume type")];
  const extra = sources.slice(1).map((source) => forbidden(`${path}.${source}`, "may not specify more than 1 volume type"));
  return [...validateKnownSource(volume, path), ...extra];
}

function validateKnownSource(volume: Volume, path: string): FieldError[] {
  const { hostPath, secret, configMap, projected, downwardAPI, persistentVolumeClaim } = volume;
  const errors: FieldError[] = [];
  if (hostPath !== undefined) {
    errors.push(
      ...((hostPath.path ?? "") === "" ? [required(`${path}.hostPath.path`)] : noParent(`${path}.hostPath.path`, hostPath.path)),
      ...validateOptionalEnum(`${path}.hostPath.type`, hostPath.type, hostPathTypes),
    );
  }
  if (secret !== undefined) {
    if ((secret.secretName ?? "") === "") errors.push(required(`${path}.secret.secretName`));
    errors.push(
      ...validateMode(`${path}.secret.defaultMode`, secret.defaultMode),
      ...validateItems(secret.items ?? [], `${path}.secret.items`),
    );
  }
  if (configMap !== undefined) {
    if ((configMap.name ?? "") === "") errors.push(required(`${path}.configMap.name`));
    const { defaultMode, items = [] } = configMap;
    errors.push(...validateMode(`${path}.configMap.defaultMode`, defaultMode), ...validateItems(items, `${path}.configMap.items`));
  }
  if (projected !== undefined) errors.push(...validateProjected(projected, `${path}.projected`));
  if (downwardAPI !== undefined) errors.push(...validateDownward(downwardAPI.items ?? [], `${path}.downwardAPI.items`));
  if (persistentVolumeClaim !== undefined && (persistentVolumeClaim.claimName ?? "") === "") {
    errors.push(required(`${path}.persistentVolumeClaim.claimName`));
  }
  return errors;
}

function validateProjected({ defaultMode, sources = [] }: ProjectedVolumeSource, path: string): FieldError[] {
  return [
    ...validateMode(`${path}.defaultMode`, defaultMode),
    ...sources.flatMap(({ secret, configMap, downwardAPI, serviceAccountToken }, index) => {
      const item = `${path}.sources[${index}]`;
      return [
        ...(secret !== undefined && (secret.name ?? "") === "" ? [required(`${item}.secret.name`)] : []),
        ...validateItems(secret?.items ?? [], `${item}.secret.items`),
        ...(configMap !== undefined && (configMap.name ?? "") === "" ? [required(`${item}.configMap.name`)] : []),
        ...validateItems(configMap?.items ?? [], `${item}.configMap.items`),
        ...validateDownward(downwardAPI?.items ?? [], `${item}.downwardAPI.items`),
        ...(serviceAccountToken === undefined ? [] : validateFilePath(`${item}.serviceAccountToken.path`, serviceAccountToken.path)),
      ];
    }),
  ];
}

function validateItems(items: readonly KeyToPath[], path: string): FieldError[] {
  return items.flatMap(({ key = "", path: file, mode }, index) => [
    ...(key === "" ? [required(`${path}[${index}].key`)] : []),
    ...validateFilePath(`${path}[${index}].path`, file),
    ...validateMode(`${path}[${index}].mode`, mode),
  ]);
}

function validateDownward(items: readonly DownwardAPIVolumeFile[], path: string): FieldError[] {
  return items.flatMap(({ path: file, fieldRef, mode }, index) => [
    ...validateFilePath(`${path}[${index}].path`, file),
    ...(fieldRef === undefined ? [] : validateFieldRef(fieldRef, downwardFields, `${path}[${index}].fieldRef`)),
    ...validateMode(`${path}[${index}].mode`, mode),
  ]);
}

function validateFilePath(path: string, file: string | undefined): FieldError[] {
  if (file === undefined || file === "") return [required(path)];
  const errors = validateRelativePath(path, file);
  return file.startsWith("..") && !file.startsWith("../") && file !== ".."
    ? [...errors, invalid(path, file, "must not start with '..'")]
    : errors;
}

/** A path that stays below where it starts. */
export function validateRelativePath(path: string, file: string): FieldError[] {
  return [...(file.startsWith("/") ? [invalid(path, file, "must be a relative path")] : []), ...noParent(path, file)];
}

function noParent(path: string, file: string): FieldError[] {
  return file.split("/").includes("..") ? [invalid(path, file, "must not contain '..'")] : [];
}

function validateMode(path: string, mode: number | undefined): FieldError[] {
  if (mode === undefined || (mode >= 0 && mode <= 0o777)) return [];
  return [invalid(path, mode, "must be a number between 0 and 0777 (octal), both inclusive")];
}
