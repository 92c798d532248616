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
}

export interface Definition {
  /** The OpenAPI prefix: `io.k8s.api.core.v1`. */
  readonly package: string;
  readonly fields: Readonly<Record<string, FieldSchema>>;
  readonly required?: readonly string[];
  readonly mapType?: "atomic";
}

export const definitions: Readonly<Record<string, Definition>> = definitionsJson as unknown as Readonly<Record<string, Definition>>;

/** The definition of a type by its short name (`ServiceSpec`); throws when there is none: a fault of ours. */
export function definition(name: string): Definition {
  const found = definitions[name];
  if (found === undefined) throw new Error(`no definition of ${name}`);
  return found;
}
