/** ConfigMaps (core/v1). */
import { forbidden, invalid, tooLong, type FieldError } from "../field-error.ts";
import { equalSemantics } from "../equality.ts";
import { configMapKey } from "../names.ts";
import { configMaps } from "../resources.ts";
import type { ConfigMap } from "../types.ts";
import { maxDataBytes, base64Bytes, validateImmutableData } from "../validation/data.ts";
import { ageColumn, defineKind, integer, nameColumn } from "./define.ts";

function validate(map: ConfigMap, old: ConfigMap | undefined): FieldError[] {
  const { data = {}, binaryData = {} } = map;
  const errors: FieldError[] = [];
  let size = 0;
  for (const [key, value] of Object.entries(data)) {
    errors.push(...configMapKey(key).map((fault) => invalid(`data[${key}]`, key, fault)));
    if (Object.hasOwn(binaryData, key)) errors.push(invalid(`data[${key}]`, key, "duplicate of key present in binaryData"));
    size += Buffer.byteLength(value);
  }
  for (const [key, value] of Object.entries(binaryData)) {
    errors.push(...configMapKey(key).map((fault) => invalid(`binaryData[${key}]`, key, fault)));
    size += base64Bytes(value);
  }
  if (size > maxDataBytes) errors.push(tooLong("", maxDataBytes));
  if (old === undefined) return errors;
  const binaryChanged = old.immutable === true && !equalSemantics(map.binaryData, old.binaryData);
  return [
    ...validateImmutableData(map, old),
    ...(binaryChanged ? [forbidden("binaryData", "field is immutable when `immutable` is set")] : []),
    ...errors,
  ];
}

export const configMapKind = defineKind<ConfigMap>({
  resource: configMaps,
  definition: "ConfigMap",
  singular: "configmap",
  shortNames: ["cm"],
  categories: [],
  subresources: [],
  nameRule: "dns1123Subdomain",
  validate,
  columns: [
    nameColumn,
    integer(
      "Data",
      "How many entries it has.",
      ({ data, binaryData }) => Object.keys(data ?? {}).length + Object.keys(binaryData ?? {}).length,
    ),
    ageColumn,
  ],
});
