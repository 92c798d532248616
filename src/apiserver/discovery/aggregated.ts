/** Discovery in one document per root (KEP-3352, `apidiscovery.k8s.io/v2`): what kubectl 1.27 and newer ask for first. */
import type { KindSpec } from "../../api/kind.ts";
import type { DiscoveryVersion } from "../encode/accept.ts";
import type { KindTable } from "../kind-table.ts";
import { subresourceShapes, verbsOf } from "./resources.ts";

export const aggregatedType = (version: DiscoveryVersion): string =>
  `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;

/** `core`: `/api`, the core group alone; otherwise `/apis`, all the others. */
export function aggregatedDiscovery(table: KindTable, core: boolean, version: DiscoveryVersion): object {
  const groups = table.groups.filter(({ name }) => (name === "") === core);
  const items = groups.map(({ name, versions }) => ({
    metadata: { ...(name === "" ? {} : { name }), creationTimestamp: null },
    versions: versions.map((served) => ({
      version: served,
      resources: table.ofVersion(name, served).map(resourceOf),
      freshness: "Current",
    })),
  }));
  return { kind: "APIGroupDiscoveryList", apiVersion: `apidiscovery.k8s.io/${version}`, metadata: {}, items };
}

function resourceOf(spec: KindSpec): object {
  const { group, version, plural, kind, namespaced } = spec.resource;
  const subresources = spec.subresources.map((subresource) => {
    const { verbs, ...type } = subresourceShapes[subresource];
    return { subresource, responseKind: { group, version, kind, ...type }, verbs };
  });
  return {
    resource: plural,
    responseKind: { group, version, kind },
    scope: namespaced ? "Namespaced" : "Cluster",
    singularResource: spec.singular,
    verbs: verbsOf(spec),
    ...(spec.shortNames.length === 0 ? {} : { shortNames: spec.shortNames }),
    ...(spec.categories.length === 0 ? {} : { categories: spec.categories }),
    ...(subresources.length === 0 ? {} : { subresources }),
  };
}
