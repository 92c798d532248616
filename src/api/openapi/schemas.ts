/** The schema as OpenAPI: definitions in the dialect of `/openapi/v2` or `/openapi/v3`, with Kubernetes' extensions. */
import type { KindSpec } from "../kind.ts";
import { apiVersionOf } from "../resources.ts";
import { definition, definitions, type Definition, type FieldSchema } from "../schema/schema.ts";

export type OpenApiObject = Readonly<Record<string, unknown>>;

/** `ServiceSpec` → `io.k8s.api.core.v1.ServiceSpec`: the names that upstream gives them. */
export function openApiName(name: string): string {
  const custom = definition(name).openApi;
  if (custom !== undefined) return custom.name;
  const plain = plainNames[name] ?? name;
  return `${definition(name).package}.${plain}`;
}

/** Ours differ where two packages have a type of one name. */
const plainNames: Readonly<Record<string, string>> = {
  AdmissionregistrationServiceReference: "ServiceReference",
  AdmissionregistrationWebhookClientConfig: "WebhookClientConfig",
  DiscoveryEndpointPort: "EndpointPort",
  EventsEvent: "Event",
  EventsEventList: "EventList",
  EventsEventSeries: "EventSeries",
};

const meta = "io.k8s.apimachinery.pkg.apis.meta.v1";
const timeName = `${meta}.Time`;
const microTimeName = `${meta}.MicroTime`;
const quantityName = "io.k8s.apimachinery.pkg.api.resource.Quantity";
const intOrStringName = "io.k8s.apimachinery.pkg.util.intstr.IntOrString";
const anyName = "io.k8s.apimachinery.pkg.runtime.RawExtension";
const fieldsName = `${meta}.FieldsV1`;

const scalarDefinitions: Readonly<Record<string, OpenApiObject>> = {
  [timeName]: { type: "string", format: "date-time" },
  [microTimeName]: { type: "string", format: "date-time" },
  [anyName]: { type: "object" },
  [fieldsName]: { type: "object" },
};

export interface Dialect {
  /** `#/definitions/` or `#/components/schemas/` */
  readonly prefix: string;
  /** v3 forbids siblings of `$ref`, which then goes into `allOf`. */
  readonly wrapRefs: boolean;
  /** Values that are a text or a number: v2 has no way to say so. */
  readonly unions: Readonly<Record<string, OpenApiObject>>;
}

export const v2Dialect: Dialect = {
  prefix: "#/definitions/",
  wrapRefs: false,
  unions: { [quantityName]: { type: "string" }, [intOrStringName]: { type: "string", format: "int-or-string" } },
};
export const v3Dialect: Dialect = {
  prefix: "#/components/schemas/",
  wrapRefs: true,
  unions: {
    [quantityName]: { oneOf: [{ type: "string" }, { type: "number" }] },
    [intOrStringName]: { oneOf: [{ type: "integer" }, { type: "string" }], format: "int-or-string" },
  },
};

/** Everything that the kinds are made of, by OpenAPI name. */
export function schemasOf(kinds: readonly KindSpec[], extra: readonly string[], dialect: Dialect): OpenApiObject {
  const reached = new Set<string>();
  const queue = [...kinds.flatMap(({ definition: name }) => [name]), ...extra];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (reached.has(name)) continue;
    reached.add(name);
    // A custom resource brings its whole schema along; only its metadata is of a type that others share.
    if (definition(name).openApi !== undefined) queue.push("ObjectMeta");
    else for (const field of Object.values(definition(name).fields)) queue.push(...refsOf(field));
  }
  const out: Record<string, unknown> = { ...scalarDefinitions, ...dialect.unions };
  for (const name of [...reached].sort()) out[openApiName(name)] = structSchema(definition(name), kindsOf(kinds, name), dialect);
  for (const kind of kinds) out[`${openApiName(kind.definition)}List`] ??= listSchema(kind, dialect);
  return out;
}

function refsOf(field: FieldSchema): readonly string[] {
  if (field.ref !== undefined) return [field.ref];
  const inner = field.items ?? field.values;
  return inner === undefined ? [] : refsOf(inner);
}

function kindsOf(kinds: readonly KindSpec[], name: string): readonly OpenApiObject[] {
  const own = kinds.filter((kind) => kind.definition === name).map(gvk);
  if (name === "DeleteOptions" || name === "Status") return [{ group: "", kind: name, version: "v1" }];
  if (name === "Scale") return [scaleGvk];
  return own;
}

export function gvk({ resource }: Pick<KindSpec, "resource">): OpenApiObject {
  return { group: resource.group, kind: resource.kind, version: resource.version };
}

/** Whatever it scales, the subresource speaks of this kind. */
export const scaleGvk: OpenApiObject = { group: "autoscaling", kind: "Scale", version: "v1" };

function structSchema({ fields, required, mapType, openApi }: Definition, gvks: readonly OpenApiObject[], dialect: Dialect): OpenApiObject {
  if (openApi !== undefined) return { ...customSchema(openApi.schema, dialect), "x-kubernetes-group-version-kind": gvks };
  return {
    type: "object",
    ...(required === undefined ? {} : { required }),
    properties: Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, fieldSchema(field, dialect)])),
    ...(mapType === undefined ? {} : { "x-kubernetes-map-type": mapType }),
    ...(gvks.length === 0 ? {} : { "x-kubernetes-group-version-kind": gvks }),
  };
}

/** What each dialect can say of a custom resource's schema: the second version knows neither alternatives nor null. */
function customSchema(schema: object, dialect: Dialect): OpenApiObject {
  const { properties = {}, ...rest } = customPart(schema, dialect) as { readonly properties?: OpenApiObject };
  return { ...rest, properties: { ...properties, metadata: reference(openApiName("ObjectMeta"), dialect) } };
}

const onlyInV3: ReadonlySet<string> = new Set(["allOf", "anyOf", "oneOf", "not", "nullable", "default"]);

function customPart(value: unknown, dialect: Dialect): unknown {
  if (Array.isArray(value)) return value.map((one) => customPart(one, dialect));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== "x-kubernetes-validations" && (dialect === v3Dialect || !onlyInV3.has(key)))
      .map(([key, child]) => [key, customChild(key, child, dialect)]),
  );
}

/** Values stay as they are, and what a property is called is not what a schema says. */
function customChild(key: string, child: unknown, dialect: Dialect): unknown {
  if (key === "default" || key === "enum") return child;
  if (key !== "properties") return customPart(child, dialect);
  return Object.fromEntries(Object.entries(child as object).map(([name, schema]) => [name, customPart(schema, dialect)]));
}

function listSchema(kind: KindSpec, dialect: Dialect): OpenApiObject {
  return {
    type: "object",
    required: ["items"],
    properties: {
      apiVersion: { type: "string" },
      items: { type: "array", items: { $ref: `${dialect.prefix}${openApiName(kind.definition)}` } },
      kind: { type: "string" },
      metadata: reference(openApiName("ListMeta"), dialect),
    },
    "x-kubernetes-group-version-kind": [{ group: kind.resource.group, kind: `${kind.resource.kind}List`, version: kind.resource.version }],
  };
}

function reference(name: string, dialect: Dialect): OpenApiObject {
  const ref = { $ref: `${dialect.prefix}${name}` };
  return dialect.wrapRefs ? { allOf: [ref], default: {} } : ref;
}

function fieldSchema(field: FieldSchema, dialect: Dialect): OpenApiObject {
  return { ...typeSchema(field, dialect), ...markers(field) };
}

function typeSchema(field: FieldSchema, dialect: Dialect): OpenApiObject {
  switch (field.type) {
    case "string":
    case "boolean":
      return { type: field.type };
    case "bytes":
      return { type: "string", format: "byte" };
    case "int32":
    case "int64":
      return { type: "integer", format: field.type };
    case "double":
      return { type: "number", format: "double" };
    case "time":
      return { $ref: `${dialect.prefix}${timeName}` };
    case "microTime":
      return { $ref: `${dialect.prefix}${microTimeName}` };
    case "quantity":
      return { $ref: `${dialect.prefix}${quantityName}` };
    case "intOrString":
      return { $ref: `${dialect.prefix}${intOrStringName}` };
    case "any":
      return { $ref: `${dialect.prefix}${anyName}` };
    case "object":
      return reference(openApiName(field.ref as string), dialect);
    case "list":
      return { type: "array", items: typeSchema(field.items as FieldSchema, dialect) };
    case "map":
      return { type: "object", additionalProperties: typeSchema(field.values as FieldSchema, dialect) };
    default:
      return field.type satisfies never;
  }
}

function markers({ listType, mapKeys, mapType, mergeKey, patchStrategy }: FieldSchema): OpenApiObject {
  return {
    ...(listType === undefined ? {} : { "x-kubernetes-list-type": listType }),
    ...(mapKeys === undefined ? {} : { "x-kubernetes-list-map-keys": mapKeys }),
    ...(mapType === undefined ? {} : { "x-kubernetes-map-type": mapType }),
    ...(mergeKey === undefined ? {} : { "x-kubernetes-patch-merge-key": mergeKey }),
    ...(patchStrategy === undefined ? {} : { "x-kubernetes-patch-strategy": patchStrategy.join(",") }),
  };
}

/** Types beside the kinds that the paths speak of. */
export const extraTypes: readonly string[] = [
  "DeleteOptions",
  "Status",
  "ListMeta",
  "Scale",
  "WatchEvent",
  "APIResourceList",
  "APIGroupList",
  "APIVersions",
  "APIGroup",
].filter((name) => name in definitions);

export function groupVersions(kinds: readonly KindSpec[]): readonly string[] {
  return [...new Set(kinds.map(({ resource }) => apiVersionOf(resource)))];
}
