/**
 * Values that JSON has in either of two forms, and protocol buffers as a message with a field for each
 * (apiextensions-apiserver pkg/apis/apiextensions/v1 types_jsonschema.go).
 */
export type UnionType = "JSONSchemaPropsOrArray" | "JSONSchemaPropsOrBool" | "JSONSchemaPropsOrStringArray" | "Empty";

/** What a union's second form is; its first is a schema. */
export interface Union {
  readonly schemaField: number;
  readonly other: { readonly field: number; readonly form: "schemas" | "strings" | "boolean" } | undefined;
}

export const unions: Readonly<Record<UnionType, Union>> = {
  JSONSchemaPropsOrArray: { schemaField: 1, other: { field: 2, form: "schemas" } },
  JSONSchemaPropsOrBool: { schemaField: 2, other: { field: 1, form: "boolean" } },
  JSONSchemaPropsOrStringArray: { schemaField: 1, other: { field: 2, form: "strings" } },
  // `CustomResourceSubresourceStatus` has no fields at all.
  Empty: { schemaField: 0, other: undefined },
};

export const unionOf = (type: string): Union => unions[type as UnionType];
