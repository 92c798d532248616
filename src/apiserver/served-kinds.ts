/**
 * What this server serves at the moment: the built-in kinds and those of CustomResourceDefinitions. A definition that is stored is served from
 * the next request on, without anybody watching for it: each look-up compares one number.
 */
import { customKinds } from "../api/crd/kind.ts";
import type { KindSpec } from "../api/kind.ts";
import { apiVersionOf, customResourceDefinitions, groupResource, type Resource } from "../api/resources.ts";
import { addDefinitions, definitionPrefix } from "../api/schema/schema.ts";
import type { CustomResourceDefinition } from "../api/types.ts";
import { convertedStore, versionedStore } from "./converted-store.ts";
import { kindTable, type KindTable } from "./kind-table.ts";
import type { Registry } from "./registry/registry.ts";
import type { ResourceStore, Store } from "./store.ts";

export interface ServedKindsOptions {
  readonly builtIn: readonly KindSpec[];
  /** Served without a registry: reviews. */
  readonly others: readonly KindSpec[];
  readonly store: Pick<Store, "resource">;
  readonly registry: (kind: KindSpec, store: ResourceStore) => Registry;
}

/** What one definition, in one state of it, brought. */
interface Custom {
  readonly revision: number;
  readonly kinds: readonly KindSpec[];
  readonly registries: ReadonlyMap<string, Registry>;
  readonly forget: () => void;
}

export class ServedKinds {
  readonly #options: ServedKindsOptions;
  readonly #builtIn: ReadonlyMap<string, Registry>;
  readonly #watches: boolean;
  readonly #custom = new Map<string, Custom>();
  #table: KindTable;
  #changed = -1;

  constructor(options: ServedKindsOptions) {
    this.#options = options;
    const { builtIn, store, registry } = options;
    this.#builtIn = new Map(builtIn.map((kind) => [keyOf(kind.resource), registry(kind, storeOf(kind, store))]));
    this.#watches = this.#builtIn.has(keyOf(customResourceDefinitions));
    this.#table = this.#makeTable();
  }

  /** Another object whenever something else is served. */
  table(): KindTable {
    this.#refresh();
    return this.#table;
  }

  registryOf(group: string, version: string, plural: string): Registry | undefined {
    const key = keyOf({ group, version, plural });
    const found = this.#builtIn.get(key);
    if (found !== undefined) return found;
    this.#refresh();
    for (const { registries } of this.#custom.values()) {
      const custom = registries.get(key);
      if (custom !== undefined) return custom;
    }
    return undefined;
  }

  #refresh(): void {
    if (!this.#watches) return;
    const definitions = this.#options.store.resource(customResourceDefinitions);
    if (definitions.changed === this.#changed) return;
    this.#changed = definitions.changed;
    const items = definitions.items();
    const present = new Set(items.map(({ key }) => key));
    for (const [name, custom] of this.#custom) if (!present.has(name)) this.#drop(name, custom);
    for (const { key, revision, object } of items.map((item) => ({
      key: item.key,
      revision: item.revision,
      object: () => item.object(),
    }))) {
      const before = this.#custom.get(key);
      if (before?.revision === revision) continue;
      if (before !== undefined) this.#drop(key, before);
      this.#custom.set(key, this.#read(object() as CustomResourceDefinition, revision));
    }
    this.#table = this.#makeTable();
  }

  #drop(name: string, custom: Custom): void {
    this.#custom.delete(name);
    custom.forget();
  }

  #read(definition: CustomResourceDefinition, revision: number): Custom {
    const { store, registry } = this.#options;
    const read = customKinds(definition, definitionPrefix());
    const forgets = read.map(({ definitions }) => addDefinitions(definitions.all));
    const registries = read.map(({ spec, storageVersion }) => {
      const { resource } = spec;
      const storage = apiVersionOf({ group: resource.group, version: storageVersion });
      return [keyOf(resource), registry(spec, versionedStore(store.resource(resource), apiVersionOf(resource), storage))] as const;
    });
    return {
      revision,
      kinds: read.map(({ spec }) => spec),
      registries: new Map(registries),
      forget: () => {
        for (const forget of forgets) forget();
      },
    };
  }

  #makeTable(): KindTable {
    const { builtIn, others } = this.#options;
    return kindTable([...builtIn, ...others, ...[...this.#custom.values()].flatMap(({ kinds }) => kinds)]);
  }
}

function storeOf({ resource, alias }: KindSpec, store: Pick<Store, "resource">): ResourceStore {
  return alias === undefined ? store.resource(resource) : convertedStore(store.resource(alias.of), alias);
}

const keyOf = (resource: Pick<Resource, "group" | "version" | "plural">): string => `${resource.version}/${groupResource(resource)}`;
