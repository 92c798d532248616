/**
 * What lies in a volume made of API objects: paths → bytes and modes. Pure. As upstream's configmap, secret, downwardapi
 * and projected volume plugins (pkg/volume/…).
 */
import type { ConfigMap, DownwardAPIVolumeFile, KeyToPath, Pod, Secret, Volume, VolumeProjection } from "../../api/types.ts";
import { fieldValue, type PodFacts } from "../pod-fields.ts";
import { resourceValue } from "../resource-fields.ts";
import type { VolumeSources } from "./sources.ts";

export interface VolumeFile {
  readonly bytes: Buffer;
  /** Permission bits. */
  readonly mode: number;
}

export type VolumeFiles = ReadonlyMap<string, VolumeFile>;

export type FilesResult =
  | { readonly kind: "files"; readonly files: VolumeFiles }
  /** The volume cannot be set up now; upstream's text. */
  | { readonly kind: "missing"; readonly message: string };

export interface FilesInput {
  readonly pod: Pod;
  readonly facts: PodFacts;
  readonly sources: VolumeSources;
}

const defaultMode = 0o644;

/** Undefined for volumes that are not made of API objects. */
export function volumeFiles(volume: Volume, input: FilesInput): FilesResult | undefined {
  const { configMap, secret, downwardAPI, projected } = volume;
  try {
    if (configMap !== undefined) return { kind: "files", files: configMapFiles(configMap, configMap.defaultMode ?? defaultMode, input) };
    if (secret !== undefined) {
      return { kind: "files", files: secretFiles({ ...secret, name: secret.secretName }, secret.defaultMode ?? defaultMode, input) };
    }
    if (downwardAPI !== undefined)
      return { kind: "files", files: downwardFiles(downwardAPI.items, downwardAPI.defaultMode ?? defaultMode, input) };
    if (projected !== undefined) {
      const mode = projected.defaultMode ?? defaultMode;
      return { kind: "files", files: new Map((projected.sources ?? []).flatMap((source) => [...projectionFiles(source, mode, input)])) };
    }
    return undefined;
  } catch (error) {
    if (error instanceof MissingObject) return { kind: "missing", message: error.message };
    throw error;
  }
}

class MissingObject extends Error {}

interface ObjectSource {
  readonly name?: string | undefined;
  readonly items?: readonly KeyToPath[] | undefined;
  readonly optional?: boolean | undefined;
}

function configMapFiles(source: ObjectSource, mode: number, { sources }: FilesInput): VolumeFiles {
  const object = sources.configMap(source.name ?? "");
  if (object === undefined && source.optional !== true) throw new MissingObject(`configmap "${source.name}" not found`);
  return chosen(configMapBytes(object), source, mode, `configmap references non-existent config key: `);
}

function secretFiles(source: ObjectSource, mode: number, { sources }: FilesInput): VolumeFiles {
  const object = sources.secret(source.name ?? "");
  if (object === undefined && source.optional !== true) throw new MissingObject(`secret "${source.name}" not found`);
  return chosen(secretBytes(object), source, mode, `references non-existent secret key: `);
}

function configMapBytes(object: ConfigMap | undefined): ReadonlyMap<string, Buffer> {
  const text = Object.entries(object?.data ?? {}).map(([key, value]) => [key, Buffer.from(value)] as const);
  const binary = Object.entries(object?.binaryData ?? {}).map(([key, value]) => [key, Buffer.from(value, "base64")] as const);
  return new Map([...text, ...binary]);
}

function secretBytes(object: Secret | undefined): ReadonlyMap<string, Buffer> {
  return new Map(Object.entries(object?.data ?? {}).map(([key, value]) => [key, Buffer.from(value, "base64")]));
}

function chosen(data: ReadonlyMap<string, Buffer>, source: ObjectSource, mode: number, missing: string): VolumeFiles {
  if (source.items === undefined || source.items.length === 0) {
    return new Map([...data].map(([key, bytes]) => [key, { bytes, mode }]));
  }
  const files = new Map<string, VolumeFile>();
  for (const item of source.items) {
    const bytes = data.get(item.key);
    if (bytes !== undefined) files.set(safePath(item.path), { bytes, mode: item.mode ?? mode });
    else if (source.optional !== true) throw new MissingObject(`${missing}${item.key}`);
  }
  return files;
}

function downwardFiles(items: readonly DownwardAPIVolumeFile[] | undefined, mode: number, { pod, facts }: FilesInput): VolumeFiles {
  return new Map(
    (items ?? []).map((item) => {
      const container = pod.spec?.containers.find(({ name }) => name === item.resourceFieldRef?.containerName);
      const value =
        item.resourceFieldRef === undefined
          ? fieldValue(pod, facts, item.fieldRef?.fieldPath ?? "")
          : resourceValue(pod, container, item.resourceFieldRef, facts);
      if (value === undefined) throw new MissingObject(`unsupported fieldPath: ${item.fieldRef?.fieldPath}`);
      return [safePath(item.path), { bytes: Buffer.from(value), mode: item.mode ?? mode }];
    }),
  );
}

/** Trust bundles are not made by this node (`ignoredFields` says so): their files are left out. */
function projectionFiles(source: VolumeProjection, mode: number, input: FilesInput): VolumeFiles {
  if (source.configMap !== undefined) return configMapFiles(source.configMap, mode, input);
  if (source.secret !== undefined) return secretFiles(source.secret, mode, input);
  if (source.downwardAPI !== undefined) return downwardFiles(source.downwardAPI.items, mode, input);
  const { serviceAccountToken } = source;
  if (serviceAccountToken === undefined) return new Map();
  return new Map([[safePath(serviceAccountToken.path), { bytes: Buffer.from(input.sources.token(serviceAccountToken)), mode }]]);
}

/** Validation refuses such paths; here they must not leave the volume even so. */
function safePath(path: string): string {
  if (path.startsWith("/") || path.split("/").includes("..")) throw new MissingObject(`path ${JSON.stringify(path)} leaves the volume`);
  return path;
}
