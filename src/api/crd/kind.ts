/** A CustomResourceDefinition as kinds: one `KindSpec` for each version that it serves, run by the same registry as every other kind. Pure. */
import { age } from "../duration.ts";
import { ageColumn, nameColumn } from "../kinds/define.ts";
import type { Column, KindSpec } from "../kind.ts";
import type { Draft, KubeObject } from "../object.ts";
import type { CustomResourceColumnDefinition, CustomResourceDefinition, CustomResourceDefinitionVersion } from "../types.ts";
import { applySchemaDefaults } from "./defaulting.ts";
import { definitionsOf, type CustomDefinitions } from "./definitions.ts";
import { parseJsonPath, valuesAt, type JsonPath } from "./json-path.ts";
import type { JsonSchema } from "./json-schema.ts";
import { readSchema } from "./read-schema.ts";
import { compileRules, validateRules } from "./rules.ts";
import { validateSchema } from "./validate.ts";

export interface CustomKind {
  readonly spec: KindSpec;
  readonly definitions: CustomDefinitions;
  /** The version in which objects are stored. */
  readonly storageVersion: string;
}

/** `prefix` must be used for no other definition of this process. */
export function customKinds(definition: CustomResourceDefinition, prefix: string): readonly CustomKind[] {
  const { versions } = definition.spec;
  const storageVersion = versions.find(({ storage }) => storage)?.name ?? "";
  return versions
    .filter(({ served }) => served)
    .map((version) => ({ ...kindOf(definition, version, `${prefix}/${version.name}`), storageVersion }));
}

function kindOf(
  { spec }: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
  prefix: string,
): Omit<CustomKind, "storageVersion"> {
  const { group, names, scope } = spec;
  const schema = readSchema(version.schema?.openAPIV3Schema);
  const reversed = group.split(".").reverse().join(".");
  const definitions = definitionsOf(prefix, `${reversed}.${version.name}.${names.kind}`, schema);
  const { subresources } = version;
  const hasStatus = subresources?.status !== undefined;
  const shape = withoutMetadata(schema);
  const { tree } = compileRules(schema);
  // Rules count on values that fit the schema.
  const validate = (object: KubeObject, old: KubeObject | undefined) => {
    const errors = validateSchema(withoutMeta(object), shape, "");
    return errors.length > 0 || tree === undefined ? errors : validateRules(tree, object, old);
  };
  const scale = subresources?.scale;
  const kind: KindSpec = {
    resource: { group, version: version.name, plural: names.plural, kind: names.kind, namespaced: scope === "Namespaced" },
    definition: definitions.root,
    singular: names.singular ?? names.kind.toLowerCase(),
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    subresources: [...(hasStatus ? (["status"] as const) : []), ...(scale === undefined ? [] : (["scale"] as const))],
    custom: true,
    nameRule: "dns1123Subdomain",
    applyDefaults: (object) => applySchemaDefaults(object, shape),
    prepareForCreate: (object) => {
      object.metadata.generation = 1;
      if (!hasStatus) return;
      delete (object as WithStatus).status;
      // What a schema says of a status that nobody has written yet.
      applySchemaDefaults(object, shape);
    },
    prepareForUpdate: (object, old) => {
      if (hasStatus) keepStatus(object, old);
      const changed = JSON.stringify(content(object as KubeObject, hasStatus)) !== JSON.stringify(content(old, hasStatus));
      object.metadata.generation = (old.metadata.generation ?? 0) + (changed ? 1 : 0);
    },
    validate,
    validateStatus: validate,
    ...(version.deprecated === true ? { warnings: () => [deprecation(group, version, names.kind)] } : {}),
    selectableFields: Object.fromEntries(
      (version.selectableFields ?? []).map(({ jsonPath }) => [jsonPath.replace(/^\./, ""), fieldText(parseJsonPath(jsonPath))]),
    ),
    columns: [nameColumn, ...columnsOf(version)],
    ...(scale === undefined
      ? {}
      : { scale: { replicas: scale.specReplicasPath, statusReplicas: scale.statusReplicasPath, selector: scale.labelSelectorPath } }),
  };
  return { spec: kind, definitions };
}

/** Its fields are every object's, whatever a schema says of them. */
function withoutMetadata(schema: JsonSchema): JsonSchema {
  const { metadata: _m, apiVersion: _a, kind: _k, ...properties } = schema.properties ?? {};
  return { ...schema, properties };
}

function withoutMeta({ metadata: _m, apiVersion: _a, kind: _k, ...rest }: KubeObject): object {
  return rest;
}

type WithStatus = Draft<KubeObject> & { status?: unknown };

function keepStatus(object: Draft<KubeObject>, old: KubeObject): void {
  const { status } = old as KubeObject & { readonly status?: unknown };
  if (status === undefined) delete (object as WithStatus).status;
  else (object as WithStatus).status = status;
}

/** What a generation counts changes of: everything but metadata and a status that is written by itself. */
function content(object: KubeObject, hasStatus: boolean): object {
  const { status, ...rest } = withoutMeta(object) as { readonly status?: unknown };
  return hasStatus || status === undefined ? rest : { ...rest, status };
}

function deprecation(group: string, { name, deprecationWarning }: CustomResourceDefinitionVersion, kind: string): string {
  return deprecationWarning ?? `${group}/${name} ${kind} is deprecated`;
}

/** Without columns of its own a kind shows its age. */
function columnsOf({ additionalPrinterColumns = [] }: CustomResourceDefinitionVersion): readonly Column[] {
  return additionalPrinterColumns.length === 0 ? [ageColumn] : additionalPrinterColumns.map(columnOf);
}

function columnOf({ name, type, format = "", description = "", priority = 0, jsonPath }: CustomResourceColumnDefinition): Column {
  const path = parseJsonPath(jsonPath);
  return {
    name,
    type: type as Column["type"],
    format,
    description,
    priority: priority > 0 ? 1 : 0,
    cell: (object, now) => cellOf(path === undefined ? [] : valuesAt(object, path), type, now),
  };
}

function cellOf(values: readonly unknown[], type: string, now: number): string | number | boolean {
  const [first] = values;
  if (first === undefined) return "";
  if (type === "date") return typeof first === "string" ? age(first, now) : "<unknown>";
  if (type === "integer" || type === "number" || type === "boolean") return first as number | boolean;
  return values.map((value) => (typeof value === "string" ? value : JSON.stringify(value))).join(",");
}

function fieldText(path: JsonPath | undefined): (object: KubeObject) => string {
  return (object) => {
    const [value] = path === undefined ? [] : valuesAt(object, path);
    return value === undefined ? "" : String(value);
  };
}
