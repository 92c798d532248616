/** For tests: any value that a type of the schema can have, as it is stored: canonical, and without what `omitEmpty` would drop. */
import * as fc from "fast-check";
import { definition, type FieldSchema } from "./schema.ts";

export interface ArbitraryOptions {
  /** Levels at which there are still structs, lists and maps. Default 4. */
  readonly depth?: number;
  /** Fields of one struct below the first level. Default 4. */
  readonly width?: number;
  /** Every field of the type itself, if not of those below. Default false. */
  readonly whole?: boolean;
  /** Words that texts and keys are made of: few, so that two values have something in common. Default: any text. */
  readonly words?: readonly string[];
  /** Paths of types (`ServiceSpec.ports`) that are left out. */
  readonly without?: readonly string[];
}

type Json = Record<string, unknown>;

export function arbitraryObject(type: string, options: ArbitraryOptions = {}): fc.Arbitrary<Json> {
  return objects(type, 0, options);
}

const times = fc.date({ min: new Date("1970-01-01"), max: new Date("2200-01-01"), noInvalidDate: true }).map((date) => date.toISOString());

/** As JSON has it: no undefined, no -0. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value)) as unknown;

const isZero = (value: unknown): boolean => value === "" || value === 0 || value === false;

function texts({ words }: ArbitraryOptions, maxLength: number): fc.Arbitrary<string> {
  return words === undefined ? fc.string({ unit: "grapheme", maxLength }) : fc.constantFrom(...words);
}

function values(schema: FieldSchema, depth: number, options: ArbitraryOptions): fc.Arbitrary<unknown> {
  const whole = (bits: number) =>
    options.words === undefined ? fc.integer({ min: -(2 ** bits), max: 2 ** bits - 1 }) : fc.integer({ min: 1, max: 3 });
  switch (schema.type) {
    case "string":
      return texts(options, 12);
    case "bytes":
      return fc.uint8Array({ maxLength: 9 }).map((bytes) => Buffer.from(bytes).toString("base64"));
    case "boolean":
      return fc.boolean();
    case "int32":
      return whole(31);
    case "int64":
      return whole(52);
    case "double":
      return fc.double({ noNaN: true });
    case "time":
      return times.map((text) => `${text.slice(0, 19)}Z`);
    case "microTime":
      return fc.tuple(times, fc.nat(999_999)).map(([text, micros]) => `${text.slice(0, 19)}.${String(micros).padStart(6, "0")}Z`);
    case "intOrString":
      return fc.oneof(whole(31), texts(options, 8));
    case "quantity":
      return fc.constantFrom("0", "100m", "1Gi", "-5", "3e3");
    case "any":
      // Without null where values are patches, too: there it takes a key away.
      return fc
        .dictionary(texts(options, 5), options.words === undefined ? fc.jsonValue({ maxDepth: 1 }) : texts(options, 5), {
          minKeys: 1,
          maxKeys: 3,
        })
        .map(plain);
    case "object":
      return objects(schema.ref as string, depth + 1, options);
    case "list":
      return lists(schema, depth, options);
    case "map":
      return fc
        .uniqueArray(fc.tuple(texts(options, 6), values(schema.values as FieldSchema, depth, options)), {
          minLength: 1,
          maxLength: 3,
          selector: ([key]) => key,
        })
        .map((entries) => Object.fromEntries(entries));
    default:
      return schema.type satisfies never;
  }
}

/** Items of a keyed list have their keys, and no two the same. */
function lists(schema: FieldSchema, depth: number, options: ArbitraryOptions): fc.Arbitrary<unknown> {
  const items = schema.items as FieldSchema;
  const keys = [...(schema.listType === "map" ? (schema.mapKeys ?? []) : []), ...(schema.mergeKey === undefined ? [] : [schema.mergeKey])];
  const one = values(items, depth, options);
  if (keys.length === 0 || items.ref === undefined)
    return fc.uniqueArray(one, { minLength: 1, maxLength: 3, selector: (item) => JSON.stringify(item) });
  const { fields } = definition(items.ref);
  const keyed = fc
    .tuple(one, ...keys.map((key) => values(fields[key] as FieldSchema, 9, options).filter((value) => !isZero(value))))
    .map(([item, ...given]) => ({ ...(item as Json), ...Object.fromEntries(keys.map((key, i) => [key, given[i]])) }));
  // Of each way to tell items apart, server-side apply's keys and the merge key, every one holds.
  return fc.uniqueArray(keyed, {
    minLength: 1,
    maxLength: 3,
    selector: (item: Json) => JSON.stringify(item[schema.mergeKey ?? ""] ?? keys.map((key) => item[key])),
  });
}

function objects(type: string, depth: number, options: ArbitraryOptions): fc.Arbitrary<Json> {
  const { fields } = definition(type);
  const named = Object.entries(fields).filter(
    ([name]) => name !== "apiVersion" && name !== "kind" && !(options.without ?? []).includes(`${type}.${name}`),
  );
  // Deep down only what is flat; and of each level a few fields, so that every one of them is tried in the end.
  const { depth: most = 4, width = 4 } = options;
  const offered = named.filter(([, { type: kind }]) => depth < most || (kind !== "object" && kind !== "list" && kind !== "map"));
  const some =
    depth === 0 && options.whole === true
      ? fc.constant(offered)
      : fc.subarray(offered, { maxLength: depth === 0 ? offered.length : Math.min(width, offered.length) });
  return some.chain((chosen) =>
    fc
      .tuple(...chosen.map(([, schema]) => values(schema, depth, options)))
      .map((all) => chosen.map(([name], i) => [name, all[i]] as const))
      .map((entries) => Object.fromEntries(entries.filter(([name, value]) => !(fields[name]?.omitEmpty === true && isZero(value))))),
  );
}
