/**
 * The shape of the API's types as data: one entry per type, with the merge markers of its fields. Everything that
 * must know a field's type reads it from here: strict decoding, pruning, patches, server-side apply, OpenAPI.
 */
import definitionsJson from "./definitions.json" with { type: "json" };

export interface FieldSchema {
  readonly type:
    | "string"
    | "bytes"
    | "boolean"
    | "int32"
    | "int64"
    | "double"
    | "time"
    | "microTime"
    | "intOrString"
    | "quantity"
    | "any"
    | "object"
    | "list"
    | "map";
  /** `object`: the name of its definition. */
  readonly ref?: string;
  /** `list`: what an item is. */
  readonly items?: FieldSchema;
  /** `map` (string keys): what a value is. */
  readonly values?: FieldSchema;
  /** Server-side apply: how two writers share a list. Without it a list is atomic. */
  readonly listType?: "atomic" | "set" | "map";
  /** `listType: map`: the fields that tell items apart. */
  readonly mapKeys?: readonly string[];
  /** Server-side apply: an atomic map or struct belongs to one writer as a whole. */
  readonly mapType?: "atomic" | "granular";
  /** Strategic merge patch: without `merge` a list is replaced. */
  readonly patchStrategy?: readonly ("merge" | "replace" | "retainKeys")[];
  /** Strategic merge patch: the field that tells items of a merged list apart. */
  readonly mergeKey?: string;
  /** Go's `omitempty` on a field that is no pointer: an empty value is as good as none, and never stored. */
  readonly omitEmpty?: true;
  /** A struct that upstream's type holds by value, or a list without `omitempty`: Go writes it even when nothing in it is set. */
  readonly always?: true;
  /** Custom resources: what has another type is kept as it is, for validation to refuse. */
  readonly lenient?: true;
  /** Custom resources: null is a value. */
  readonly nullable?: true;
}

export interface Definition {
  /** The OpenAPI prefix: `io.k8s.api.core.v1`. */
  readonly package: string;
  readonly fields: Readonly<Record<string, FieldSchema>>;
  readonly required?: readonly string[];
  readonly mapType?: "atomic";
  /** Custom resources: fields that are not listed are kept. */
  readonly preserveUnknown?: true;
  /** Custom resources: the name and schema by which OpenAPI describes the kind. */
  readonly openApi?: { readonly name: string; readonly schema: object };
}

export const definitions: Readonly<Record<string, Definition>> = definitionsJson as unknown as Readonly<Record<string, Definition>>;

/** Definitions of custom resources. Their names are never used twice, so that servers in one process cannot mix them up. */
const added = new Map<string, Definition>();
let lastAdded = 0;

/** A name that begins every definition of one set. */
export const definitionPrefix = (): string => `custom-${++lastAdded}`;

/** Gives the way to take them away again. */
export function addDefinitions(all: ReadonlyMap<string, Definition>): () => void {
  for (const [name, one] of all) added.set(name, one);
  return () => {
    for (const name of all.keys()) added.delete(name);
  };
}

/** The definition of a type by its short name (`ServiceSpec`); throws when there is none: a fault of ours. */
export function definition(name: string): Definition {
  const found = definitions[name] ?? added.get(name);
  if (found === undefined) throw new Error(`no definition of ${name}`);
  return found;
}
