/** Our schema against upstream's published one (shared acceptance data), type by type, where it is at hand. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { kinds } from "../kinds/index.ts";
import { openApiV2 } from "./v2.ts";

const file = join(import.meta.dirname, "../../../../shared/data/kubernetes-1.36-schema.json");

interface Schema {
  readonly type?: string;
  readonly format?: string;
  readonly $ref?: string;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly additionalProperties?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly [extension: `x-kubernetes-${string}`]: unknown;
}

/** Upstream's names of values that may be any JSON; ours has one name for all of them. */
const freeForm =
  /(RawExtension|FieldsV1|JSON|JSONSchemaPropsOrArray|JSONSchemaPropsOrBool|JSONSchemaPropsOrStringArray|CustomResourceSubresourceStatus)$/;

/** What both must say of a field, with the names of types and every marker of merging. */
function facts(schema: Schema): object {
  const { type, format, $ref, items, additionalProperties } = schema;
  const markers = Object.entries(schema).filter(([key]) => key.startsWith("x-kubernetes-") && key !== "x-kubernetes-unions");
  return {
    ...(type === undefined ? {} : { type }),
    ...(format === undefined ? {} : { format }),
    ...($ref === undefined ? {} : { $ref: freeForm.test($ref) ? "any" : $ref }),
    ...(items === undefined ? {} : { items: facts(items) }),
    ...(additionalProperties === undefined ? {} : { values: facts(additionalProperties) }),
    ...Object.fromEntries(markers),
  };
}

function differences(name: string, ours: Schema, theirs: Schema): string[] {
  const found: string[] = [];
  const say = (field: string, a: unknown, b: unknown) => {
    const [left, right] = [JSON.stringify(a), JSON.stringify(b)];
    if (left !== right) found.push(`${name}.${field}: ours ${left}, theirs ${right}`);
  };
  const sorted = (facts: object | undefined) => facts && Object.fromEntries(Object.entries(facts).sort(([a], [b]) => (a < b ? -1 : 1)));
  for (const field of new Set([...Object.keys(ours.properties ?? {}), ...Object.keys(theirs.properties ?? {})])) {
    const [own, other] = [ours.properties?.[field], theirs.properties?.[field]];
    say(field, own && sorted(facts(own)), other && sorted(facts(other)));
  }
  say("required", [...(ours.required ?? [])].sort(), [...(theirs.required ?? [])].sort());
  return found;
}

test("every type of our kinds has upstream's fields, types, formats, required fields and merge markers", (context) => {
  if (!existsSync(file)) return context.skip("the shared acceptance data is not at hand");
  const upstream = (JSON.parse(readFileSync(file, "utf8")) as { definitions: Record<string, Schema> }).definitions;
  const ours = openApiV2(kinds, "v1.36.0")["definitions"] as Record<string, Schema>;
  const common = Object.keys(ours).filter((name) => upstream[name] !== undefined);
  expect(common.length).toBeGreaterThan(300);
  expect(common.flatMap((name) => differences(name, ours[name] as Schema, upstream[name] as Schema))).toEqual([]);
});
