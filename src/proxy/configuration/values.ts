/** Values of the configuration's fields by path, read from texts (flags) and from parsed YAML or JSON (files). Pure. */
import { FairleadError } from "../../lib/errors.ts";
import { parseGoDuration } from "../../lib/go-duration.ts";
import type { Field, FieldType, FieldValue } from "./fields.ts";

export type Values = ReadonlyMap<string, FieldValue>;

/** Throws FL_USAGE; `where` names the flag. */
export function valueOfText({ type }: Pick<Field, "type">, text: string, where: string): FieldValue {
  const value = readText(type, text);
  if (value !== undefined) return value;
  throw new FairleadError("FL_USAGE", `${where}: ${JSON.stringify(text)} is no ${typeNames[type]}`);
}

const typeNames: Readonly<Record<FieldType, string>> = {
  bool: "truth value (true, false)",
  int: "whole number",
  number: "number",
  string: "text",
  duration: "duration (500ms, 30s, 1h15m)",
  list: "list",
  gates: "list of NAME=true or NAME=false",
};

/** As strconv.ParseBool. */
const truths: Readonly<Record<string, boolean>> = {
  "1": true,
  t: true,
  T: true,
  true: true,
  TRUE: true,
  True: true,
  "0": false,
  f: false,
  F: false,
  false: false,
  FALSE: false,
  False: false,
};

function readText(type: FieldType, text: string): FieldValue | undefined {
  switch (type) {
    case "bool":
      return Object.hasOwn(truths, text) ? truths[text] : undefined;
    case "int":
      return /^[+-]?\d{1,10}$/.test(text) ? Number(text) : undefined;
    case "number":
      return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined;
    case "string":
      return text;
    case "duration":
      return parseGoDuration(text);
    case "list":
      return text === "" ? [] : text.split(",").map((one) => one.trim());
    case "gates":
      return gatesOf(text);
    default:
      return type satisfies never;
  }
}

function gatesOf(text: string): Readonly<Record<string, boolean>> | undefined {
  const gates: Record<string, boolean> = {};
  for (const pair of text.split(",").map((one) => one.trim())) {
    if (pair === "") continue;
    const [name = "", value = "", ...rest] = pair.split("=");
    const truth = Object.hasOwn(truths, value) ? truths[value] : undefined;
    if (name === "" || truth === undefined || rest.length > 0) return undefined;
    gates[name] = truth;
  }
  return gates;
}

/** Throws FL_CONFIG; `where` names file and field. `null` is as if the field were not there. */
export function valueOfData({ type }: Pick<Field, "type">, data: unknown, where: string): FieldValue | undefined {
  if (data === undefined || data === null) return undefined;
  const value = readData(type, data);
  if (value !== undefined) return value;
  throw new FairleadError("FL_CONFIG", `${where}: ${JSON.stringify(data)} is no ${typeNames[type]}`);
}

function readData(type: FieldType, data: unknown): FieldValue | undefined {
  switch (type) {
    case "bool":
      return typeof data === "boolean" ? data : undefined;
    case "int":
      return Number.isInteger(data) ? (data as number) : undefined;
    case "number":
      return typeof data === "number" ? data : undefined;
    case "string":
      return typeof data === "string" ? data : undefined;
    case "duration":
      return typeof data === "string" ? parseGoDuration(data) : data === 0 ? 0 : undefined;
    case "list":
      return Array.isArray(data) && data.every((one) => typeof one === "string") ? data : undefined;
    case "gates":
      return isGates(data) ? data : undefined;
    default:
      return type satisfies never;
  }
}

function isGates(data: unknown): data is Readonly<Record<string, boolean>> {
  return typeof data === "object" && data !== null && !Array.isArray(data) && Object.values(data).every((one) => typeof one === "boolean");
}
