/**
 * What a cluster has from its first second: its namespaces, and the Service by which pods reach this server. Idempotent, and
 * what is there stays as it is (`pkg/controlplane/controller/{systemnamespaces,kubernetesservice}`).
 */
import type { Draft, KubeObject } from "../api/object.ts";
import type { UserInfo } from "../api/request.ts";
import { clusterRoleBindings, clusterRoles, endpoints, endpointSlices, namespaces, services, type Resource } from "../api/resources.ts";
import { isAlreadyExists } from "../api/status.ts";
import type { Endpoints, EndpointSlice, Namespace, Service } from "../api/types.ts";
import { parseIp } from "../lib/ip.ts";
import { defaultClusterRoleBindings, defaultClusterRoles } from "./auth/rbac/default-policy.ts";
import { longWork } from "./long-work.ts";
import type { Registry, WriteContext } from "./registry/registry.ts";

const systemNamespaces = ["default", "kube-system", "kube-public", "kube-node-lease"];
const name = "kubernetes";
const namespace = "default";

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Registries that do not ask admission: the namespaces of these objects come into being at the same time. */
export type RegistryOf = (resource: Resource) => Registry;

const user: UserInfo = { name: "system:apiserver", groups: ["system:masters"] };
const context: WriteContext = { user, dryRun: false, manager: "kube-apiserver", warn: () => undefined };

export async function createSystemObjects(registryOf: RegistryOf, clusterIP: string): Promise<void> {
  const spaces = systemNamespaces.map((each) =>
    ensure(registryOf(namespaces), undefined, { metadata: { name: each } } satisfies Namespace),
  );
  await Promise.all([...spaces, ensure(registryOf(services), namespace, kubernetesService(clusterIP))]);
}

/** The default roles. What is there stays as it is, as if every role had `autoupdate: "false"`: only a missing one is made anew. */
export async function createDefaultRoles(registryOf: RegistryOf): Promise<void> {
  await Promise.all([
    ...defaultClusterRoles.map((role) => ensure(registryOf(clusterRoles), undefined, role as KubeObject)),
    ...defaultClusterRoleBindings.map((binding) => ensure(registryOf(clusterRoleBindings), undefined, binding as KubeObject)),
  ]);
}

function kubernetesService(clusterIP: string): Service {
  return {
    metadata: { name, namespace, labels: { component: "apiserver", provider: "kubernetes" } },
    spec: {
      type: "ClusterIP",
      clusterIP,
      sessionAffinity: "None",
      ports: [{ name: "https", protocol: "TCP", port: 443, targetPort: 6443 }],
    },
  };
}

async function ensure(registry: Registry, where: string | undefined, object: KubeObject): Promise<void> {
  if (registry.store.get(where === undefined ? (object.metadata.name ?? "") : `${where}/${object.metadata.name}`) !== undefined) return;
  if (longWork.isOver) await longWork.next();
  try {
    await registry.create(where, { object: typed(registry, object) }, context);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}

function typed({ kind: { resource } }: Registry, object: KubeObject): Draft<KubeObject> {
  const apiVersion = resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
  return structuredClone({ ...object, apiVersion, kind: resource.kind }) as Draft<KubeObject>;
}

/** Points `default/kubernetes` at the listener. */
export async function publishEndpoint(registryOf: RegistryOf, address: Address): Promise<void> {
  await Promise.all([
    replace(registryOf(endpoints), endpointsOf(address)),
    replace(registryOf(endpointSlices), sliceOf(address)),
    retarget(registryOf(services), address.port),
  ]);
}

function endpointsOf({ host, port }: Address): Endpoints {
  return {
    metadata: { name, namespace, labels: { "endpointslice.kubernetes.io/skip-mirror": "true" } },
    subsets: [{ addresses: [{ ip: host }], ports: [{ name: "https", port, protocol: "TCP" }] }],
  };
}

function sliceOf({ host, port }: Address): EndpointSlice {
  return {
    metadata: { name, namespace, labels: { "kubernetes.io/service-name": name } },
    addressType: parseIp(host)?.family === 6 ? "IPv6" : "IPv4",
    endpoints: [{ addresses: [host], conditions: { ready: true } }],
    ports: [{ name: "https", port, protocol: "TCP" }],
  };
}

async function replace(registry: Registry, object: KubeObject): Promise<void> {
  await ensure(registry, namespace, object);
  await registry.update(namespace, name, "main", (current) => ({ object: typed(registry, replaced(current, object)) }), context);
}

function replaced(current: KubeObject, object: KubeObject): KubeObject {
  return { ...current, ...object, metadata: { ...current.metadata, labels: { ...current.metadata.labels, ...object.metadata.labels } } };
}

async function retarget(registry: Registry, port: number): Promise<void> {
  const change = (current: KubeObject) => {
    const next = structuredClone(current) as Draft<Service>;
    for (const one of next.spec?.ports ?? []) if (one.name === "https") one.targetPort = port;
    return { object: next as Draft<KubeObject> };
  };
  await registry.update(namespace, name, "main", change, context);
}
