/** What the console follows, and whether this cluster lets it. */
import type { KubeObject } from "../api/object.ts";
import { configMaps, events, type Resource } from "../api/resources.ts";
import { isNotFound, StatusError } from "../api/status.ts";
import type { Client } from "../client/client.ts";
import { decidingResources } from "../decide/explain/resources.ts";
import { gatewayGroup } from "../decide/routes/gateway-api/index.ts";
import type { FollowedKind, Lack } from "./wire.ts";

const ownKinds: readonly Resource[] = [...decidingResources, events, configMaps];

const gatewayKinds: ReadonlySet<string> = new Set<FollowedKind>([
  "GatewayClass",
  "Gateway",
  "ListenerSet",
  "HTTPRoute",
  "GRPCRoute",
  "TLSRoute",
  "TCPRoute",
  "UDPRoute",
  "ReferenceGrant",
  "BackendTLSPolicy",
]);

/** The newest first: a kind is followed in the first of these that serves it. */
const gatewayVersions = ["v1", "v1beta1", "v1alpha3", "v1alpha2"];

/** Of ConfigMaps only the Corefile's is looked at. */
export const selectors = { configmaps: { fieldSelector: "metadata.name=coredns" } } as const;

export function isShown(kind: string, { metadata }: KubeObject): boolean {
  return kind !== "ConfigMap" || (metadata.namespace === "kube-system" && metadata.name === "coredns");
}

export interface Followable {
  readonly resources: readonly Resource[];
  readonly lacking: readonly Lack[];
}

/** Asks for one object of each kind. Throws what is neither a missing kind nor a missing right: FL_CONNECT. */
export async function followable(client: Client): Promise<Followable> {
  const answers = await Promise.all(ownKinds.map(async (resource) => ({ resource, why: await whyNot(client, resource) })));
  return {
    resources: answers.filter(({ why }) => why === undefined).map(({ resource }) => resource),
    lacking: answers.flatMap(({ resource, why }) => (why === undefined ? [] : [{ what: resource.plural, why }])),
  };
}

async function whyNot(client: Client, resource: Resource): Promise<string | undefined> {
  try {
    await client.list(resource, { limit: 1 });
    return undefined;
  } catch (error) {
    if (isNotFound(error)) return "this cluster does not serve them";
    if (error instanceof StatusError && (error.code === 401 || error.code === 403)) return error.message;
    throw error;
  }
}

interface ServedResource {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly verbs?: readonly string[];
}

/** The Gateway API's kinds that are installed. Users may install them at any time, so this is asked again. */
export async function gatewayResources(client: Client): Promise<readonly Resource[]> {
  const found = new Map<string, Resource>();
  for (const version of gatewayVersions) {
    for (const { name, kind, namespaced } of await servedIn(client, version)) {
      if (gatewayKinds.has(kind) && !name.includes("/") && !found.has(kind))
        found.set(kind, { group: gatewayGroup, version, plural: name, kind, namespaced });
    }
  }
  return [...found.values()];
}

async function servedIn(client: Client, version: string): Promise<readonly ServedResource[]> {
  try {
    const list = (await client.raw(`/apis/${gatewayGroup}/${version}`)) as { readonly resources?: readonly ServedResource[] };
    return list.resources ?? [];
  } catch {
    // Not installed in that version.
    return [];
  }
}
