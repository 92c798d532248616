/** Discovery as every client knows it: `/api`, `/apis`, `/apis/GROUP`, and the resources of one version. */
import type { KindSpec } from "../../api/kind.ts";
import { apiVersionOf } from "../../api/resources.ts";
import type { KindTable } from "../kind-table.ts";
import { subresourceShapes, verbsOf } from "./resources.ts";

/** `/api`: the versions of the core group. */
export function apiVersions(table: KindTable, serverAddress: string): object {
  const core = table.groups.find(({ name }) => name === "");
  return {
    kind: "APIVersions",
    versions: core?.versions ?? [],
    serverAddressByClientCIDRs: [{ clientCIDR: "0.0.0.0/0", serverAddress }],
  };
}

/** `/apis` */
export function apiGroupList(table: KindTable): object {
  const groups = table.groups.filter(({ name }) => name !== "").map(groupOf);
  return { kind: "APIGroupList", apiVersion: "v1", groups };
}

/** `/apis/GROUP`; undefined when there is none. */
export function apiGroup(table: KindTable, name: string): object | undefined {
  const group = table.groups.find((one) => one.name === name);
  return group === undefined || name === "" ? undefined : { kind: "APIGroup", apiVersion: "v1", ...groupOf(group) };
}

function groupOf({ name, versions }: KindTable["groups"][number]) {
  const all = versions.map((version) => ({ groupVersion: apiVersionOf({ group: name, version }), version }));
  return { name, versions: all, preferredVersion: all[0] };
}

/** `/api/v1`, `/apis/apps/v1`; undefined when there is none. */
export function apiResourceList(table: KindTable, group: string, version: string): object | undefined {
  const kinds = table.ofVersion(group, version);
  if (kinds.length === 0) return undefined;
  return { kind: "APIResourceList", apiVersion: "v1", groupVersion: apiVersionOf({ group, version }), resources: kinds.flatMap(entriesOf) };
}

function entriesOf(kind: KindSpec): object[] {
  const { resource, singular, shortNames, categories } = kind;
  const { plural, namespaced } = resource;
  const own = {
    name: plural,
    singularName: singular,
    namespaced,
    kind: resource.kind,
    verbs: verbsOf(kind),
    ...(shortNames.length === 0 ? {} : { shortNames }),
    ...(categories.length === 0 ? {} : { categories }),
  };
  const subresources = kind.subresources.map((name) => {
    const { verbs, ...type } = subresourceShapes[name];
    return { name: `${plural}/${name}`, singularName: "", namespaced, kind: resource.kind, ...type, verbs };
  });
  return [own, ...subresources];
}
