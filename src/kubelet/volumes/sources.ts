/** What volumes are made of, gathered from the API before any of them is written. */
import { persistentVolumeClaims, persistentVolumes } from "../../api/resources.ts";
import { isNotFound } from "../../api/status.ts";
import type { PersistentVolume, Pod, ServiceAccountTokenProjection } from "../../api/types.ts";
import type { Client } from "../../client/client.ts";
import { errorMessage } from "../../lib/errors.ts";
import type { PodSources } from "../environment.ts";
import type { PodTokens } from "./tokens.ts";

export type ClaimAnswer =
  | { readonly kind: "bound"; readonly path: string }
  /** It may come; upstream's text where it has one. */
  | { readonly kind: "missing"; readonly message: string };

export interface VolumeSources extends PodSources {
  token(projection: ServiceAccountTokenProjection): string;
  /** Where the volume of a claim lies on this machine. */
  claim(name: string): ClaimAnswer;
}

export interface LoadedVolumes {
  readonly sources: VolumeSources;
  /** When the first token wants to be replaced, ms since the epoch. */
  readonly refreshAt?: number;
}

export interface VolumeLoader {
  readonly client: Client;
  readonly tokens: PodTokens;
  /** ConfigMaps and Secrets of the pod. */
  readonly objects: (pod: Pod) => Promise<PodSources>;
}

/** Rejects when a token cannot be had. */
export async function loadVolumes(pod: Pod, { client, tokens, objects }: VolumeLoader): Promise<LoadedVolumes> {
  const known = await objects(pod);
  const found = new Map<ServiceAccountTokenProjection, string>();
  let refreshAt: number | undefined;
  for (const projection of tokenProjections(pod)) {
    const { text, refreshAt: due } = await tokens.token(pod, projection);
    found.set(projection, text);
    refreshAt = Math.min(refreshAt ?? due, due);
  }
  const claims = new Map<string, ClaimAnswer>();
  for (const name of claimNames(pod)) claims.set(name, await claimAnswer(client, pod.metadata.namespace, name));
  const sources: VolumeSources = {
    ...known,
    token: (projection) => found.get(projection) ?? "",
    claim: (name) => claims.get(name) ?? { kind: "missing", message: `persistentvolumeclaim ${JSON.stringify(name)} not found` },
  };
  return { sources, ...(refreshAt === undefined ? {} : { refreshAt }) };
}

function tokenProjections(pod: Pod): readonly ServiceAccountTokenProjection[] {
  return (pod.spec?.volumes ?? [])
    .flatMap(({ projected }) => projected?.sources ?? [])
    .flatMap(({ serviceAccountToken }) => serviceAccountToken ?? []);
}

/** A generic ephemeral volume's claim is named after pod and volume (KEP-1698). */
export function claimNameOf(pod: Pod, volume: NonNullable<NonNullable<Pod["spec"]>["volumes"]>[number]): string | undefined {
  if (volume.ephemeral !== undefined) return `${pod.metadata.name}-${volume.name}`;
  return volume.persistentVolumeClaim?.claimName;
}

function claimNames(pod: Pod): readonly string[] {
  return (pod.spec?.volumes ?? []).flatMap((volume) => claimNameOf(pod, volume) ?? []);
}

async function claimAnswer(client: Client, namespace: string | undefined, name: string): Promise<ClaimAnswer> {
  try {
    const claim = await client.get(persistentVolumeClaims, { namespace, name });
    const volumeName = claim.spec?.volumeName ?? "";
    if (claim.status?.phase !== "Bound" || volumeName === "") return { kind: "missing", message: `PVC ${namespace}/${name} is not bound` };
    return placeOf(await client.get(persistentVolumes, { name: volumeName }));
  } catch (error) {
    if (isNotFound(error)) return { kind: "missing", message: errorMessage(error) };
    throw error;
  }
}

function placeOf({ metadata, spec }: PersistentVolume): ClaimAnswer {
  const path = spec?.local?.path ?? spec?.hostPath?.path;
  if (path === undefined)
    return { kind: "missing", message: `volume ${metadata.name}: only local and hostPath volumes are supported by this node` };
  return { kind: "bound", path };
}
