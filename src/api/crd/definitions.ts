/**
 * A structural schema as definitions of our own schema, so that decoding, pruning and server-side apply treat a custom resource as they
 * treat a built-in kind. Scalars become `any`: their types are for validation, which answers 422 with a path as upstream does. Pure.
 */
import type { Definition, FieldSchema } from "../schema/schema.ts";
import type { JsonSchema } from "./json-schema.ts";

export interface CustomDefinitions {
  /** The name of the kind's own definition. */
  readonly root: string;
  readonly all: ReadonlyMap<string, Definition>;
}

const any: FieldSchema = { type: "any", nullable: true };

/** `prefix` keeps the names apart from those of every other kind; `openApiName`: `io.k8s.networking.gateway.v1.Gateway`. */
export function definitionsOf(prefix: string, openApiName: string, schema: JsonSchema): CustomDefinitions {
  const all = new Map<string, Definition>();
  const root = structOf(schema, prefix, all);
  const meta: Readonly<Record<string, FieldSchema>> = {
    apiVersion: { type: "string" },
    kind: { type: "string" },
    metadata: { type: "object", ref: "ObjectMeta" },
  };
  all.set(root, {
    ...(all.get(root) as Definition),
    fields: { ...all.get(root)?.fields, ...meta },
    openApi: { name: openApiName, schema },
  });
  return { root, all };
}

function structOf(schema: JsonSchema, name: string, all: Map<string, Definition>): string {
  const fields = Object.entries(schema.properties ?? {}).map(([key, child]) => [key, fieldOf(child, `${name}.${key}`, all)] as const);
  const preserves = schema["x-kubernetes-preserve-unknown-fields"] === true || schema["x-kubernetes-embedded-resource"] === true;
  all.set(name, {
    package: "custom",
    fields: Object.fromEntries(fields),
    ...(preserves ? { preserveUnknown: true } : {}),
    ...(schema["x-kubernetes-map-type"] === "atomic" ? { mapType: "atomic" } : {}),
  });
  return name;
}

function fieldOf(schema: JsonSchema, name: string, all: Map<string, Definition>): FieldSchema {
  const common: Pick<FieldSchema, "lenient" | "nullable"> = {
    lenient: true,
    ...(schema.nullable === true ? ({ nullable: true } as const) : {}),
  };
  if (schema["x-kubernetes-int-or-string"] === true) return any;
  if (schema.type === "array" && schema.items !== undefined) {
    const [listType, mapKeys] = [schema["x-kubernetes-list-type"], schema["x-kubernetes-list-map-keys"]];
    return {
      type: "list",
      items: fieldOf(schema.items, `${name}[]`, all),
      ...(listType === undefined ? {} : { listType }),
      ...(mapKeys === undefined ? {} : { mapKeys }),
      ...common,
    };
  }
  if (schema.type !== "object") return any;
  const mapType = schema["x-kubernetes-map-type"] === "atomic" ? ({ mapType: "atomic" } as const) : {};
  if (schema.properties === undefined && typeof schema.additionalProperties === "object")
    return { type: "map", values: fieldOf(schema.additionalProperties, `${name}{}`, all), ...mapType, ...common };
  if (schema.properties === undefined && (schema["x-kubernetes-preserve-unknown-fields"] === true || schema.additionalProperties === true))
    return any;
  return { type: "object", ref: structOf(schema, name, all), ...mapType, ...common };
}
