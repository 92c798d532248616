/** The kinds that this server serves, found by group, version and plural. */
import type { KindSpec } from "../api/kind.ts";
import { groupResource } from "../api/resources.ts";

export interface KindTable {
  readonly kinds: readonly KindSpec[];
  find(group: string, version: string, plural: string): KindSpec | undefined;
  /** `""` first, then in order of the list. */
  readonly groups: readonly { readonly name: string; readonly versions: readonly string[] }[];
  ofVersion(group: string, version: string): readonly KindSpec[];
}

export function kindTable(kinds: readonly KindSpec[]): KindTable {
  const byPath = new Map(kinds.map((kind) => [`${kind.resource.version}/${groupResource(kind.resource)}`, kind]));
  const groups = new Map<string, Set<string>>();
  for (const { resource } of kinds) {
    const versions = groups.get(resource.group) ?? new Set<string>();
    groups.set(resource.group, versions.add(resource.version));
  }
  return {
    kinds,
    find: (group, version, plural) => byPath.get(`${version}/${groupResource({ group, plural })}`),
    groups: [...groups].map(([name, versions]) => ({ name, versions: [...versions] })),
    ofVersion: (group, version) => kinds.filter(({ resource }) => resource.group === group && resource.version === version),
  };
}
