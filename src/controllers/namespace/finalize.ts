/** Empties a namespace and lets it go. */
import type { KubeObject } from "../../api/object.ts";
import { namespaces, type Resource } from "../../api/resources.ts";
import { isNotFound } from "../../api/status.ts";
import type { Namespace, NamespaceStatus } from "../../api/types.ts";
import type { Client } from "../../client/client.ts";
import { semanticEqual } from "../../decide/endpoints/equal.ts";
import { errorMessage } from "../../lib/errors.ts";
import { deletableNamespacedResources } from "../discovery.ts";
import { namespaceFinalizer, type Content, type NamespaceFacts } from "./reconcile.ts";

/** Deletes all that is not being deleted yet, and says what is left after that. */
export async function emptyNamespace(client: Client, namespace: string): Promise<NamespaceFacts> {
  let resources: readonly Resource[];
  try {
    resources = await deletableNamespacedResources(client);
  } catch (error) {
    return { contents: [], discoveryFailures: [errorMessage(error)], deletionFailures: [] };
  }
  const results = await Promise.all(resources.map((resource) => emptyResource(client, resource, namespace)));
  return {
    contents: results.map(({ content }) => content),
    discoveryFailures: [],
    deletionFailures: results.flatMap(({ failures }) => failures),
  };
}

async function emptyResource(
  client: Client,
  resource: Resource,
  namespace: string,
): Promise<{ readonly content: Content; readonly failures: readonly string[] }> {
  try {
    const before = await client.list(resource, { namespace });
    if (before.items.length === 0) return { content: { resource, objects: [] }, failures: [] };
    const failures = await deleteAll(client, resource, before.items);
    const after = await client.list(resource, { namespace });
    return { content: { resource, objects: after.items }, failures };
  } catch (error) {
    return { content: { resource, objects: [] }, failures: [`${resource.plural}: ${errorMessage(error)}`] };
  }
}

async function deleteAll(client: Client, resource: Resource, objects: readonly KubeObject[]): Promise<readonly string[]> {
  const living = objects.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const results = await Promise.allSettled(
    living.map(({ metadata: { namespace, name = "" } }) =>
      client.delete(resource, { namespace, name }, { propagationPolicy: "Background" }),
    ),
  );
  return results.flatMap((result) =>
    result.status === "rejected" && !isNotFound(result.reason) ? [`${resource.plural}: ${errorMessage(result.reason)}`] : [],
  );
}

export async function writeStatus(client: Client, namespace: Namespace, status: NamespaceStatus): Promise<void> {
  if (!semanticEqual(namespace.status, status)) await client.updateStatus(namespaces, { ...namespace, status });
}

/** Takes our finalizer away; the server then removes the namespace. */
export async function letGo(client: Client, namespace: Namespace): Promise<void> {
  const finalizers = (namespace.spec?.finalizers ?? []).filter((finalizer) => finalizer !== namespaceFinalizer);
  try {
    await client.update(namespaces, { ...namespace, spec: { ...namespace.spec, finalizers } }, { subresource: "finalize" });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
