/** What reading and writing protocol buffers have in common: the envelope, and the numbers of each type's fields. */
import type { FieldSchema } from "../../api/schema/schema.ts";
import { protobufFields } from "./protobuf-fields.ts";
import type { UnionType } from "./protobuf-unions.ts";

export const protobufType = "application/vnd.kubernetes.protobuf";

/** What precedes the envelope `runtime.Unknown` (apimachinery `pkg/runtime/serializer/protobuf`). */
export const magic: Buffer = Buffer.from("k8s\0");

export interface FieldPlan {
  readonly number: number;
  readonly mark: "=" | "~" | ">";
  /** The name in JSON; of `>` the type. */
  readonly name: string;
  /** What its value is on the wire where JSON has either of two forms. */
  readonly union?: UnionType;
}

const plans = new Map<string, readonly FieldPlan[] | undefined>();

/** The fields of a type in the order of their numbers; undefined: the type is not known. */
export function planOf(type: string): readonly FieldPlan[] | undefined {
  if (!plans.has(type)) plans.set(type, Object.hasOwn(protobufFields, type) ? parsed(protobufFields[type] as string) : undefined);
  return plans.get(type);
}

function parsed(text: string): readonly FieldPlan[] {
  const fields = text
    .split(" ")
    .filter((token) => token !== "")
    .map((token) => /^(\d+)([=~>])([\w$-]+)(?::(\w+))?$/.exec(token) as RegExpExecArray)
    .map(([, number, mark, name, union]) => ({
      number: Number(number),
      mark: mark as FieldPlan["mark"],
      name: name as string,
      ...(union === undefined ? {} : { union: union as UnionType }),
    }));
  return fields.sort((a, b) => a.number - b.number);
}

/** A field's form in JSON, marked with what it is on the wire: of a map, what its values are. */
export function onTheWire(schema: FieldSchema, { union }: FieldPlan): FieldSchema {
  if (union === undefined) return schema;
  return schema.type === "map" ? { ...schema, values: { type: "any", ref: union } } : { type: "any", ref: union };
}

/** The name of a kind's type: one kind's name stands for two types. */
export function typeOfKind(apiVersion: string, kind: string): string {
  return apiVersion === "events.k8s.io/v1" && kind === "Event" ? "EventsEvent" : kind;
}
