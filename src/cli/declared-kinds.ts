/** Kinds that CustomResourceDefinitions of the cluster declare, for manifests that come with their own definitions. */
import type { KubeObject } from "../api/object.ts";
import { customResourceDefinitions, type Resource } from "../api/resources.ts";
import type { CustomResourceDefinition } from "../api/types.ts";
import type { Client } from "../client/client.ts";

const patienceMs = 10_000;
const againMs = 20;

/** Waits, for some seconds at most, until every one of `wanted` that a definition declares is served. Gives all kinds that are declared. */
export async function declaredKinds(client: Client, wanted: readonly KubeObject[]): Promise<readonly Resource[]> {
  const until = performance.now() + patienceMs;
  for (;;) {
    const { items } = await client.list(customResourceDefinitions);
    const waiting = items.some((definition) => !isEstablished(definition) && wanted.some((object) => declares(definition, object)));
    if (!waiting || performance.now() > until) return items.filter(isEstablished).flatMap(resourcesOf);
    await new Promise((resolve) => setTimeout(resolve, againMs));
  }
}

function isEstablished({ status }: CustomResourceDefinition): boolean {
  return status?.conditions?.some(({ type, status: is }) => type === "Established" && is === "True") === true;
}

function declares({ spec }: CustomResourceDefinition, { kind, apiVersion }: KubeObject): boolean {
  return spec.names.kind === kind && spec.versions.some(({ name }) => `${spec.group}/${name}` === apiVersion);
}

function resourcesOf({ spec: { group, names, scope, versions } }: CustomResourceDefinition): readonly Resource[] {
  const rest = { group, plural: names.plural, kind: names.kind, namespaced: scope === "Namespaced" };
  return versions.filter(({ served }) => served).map(({ name }) => ({ ...rest, version: name }));
}
