/** For tests of kinds: what a write makes of an object, and what a table shows of it. */
import { expect } from "vitest";
import { deepFreeze } from "../../lib/freeze.ts";
import { decodeObject } from "../decode.ts";
import { fieldErrorText } from "../field-error.ts";
import type { KindSpec } from "../kind.ts";
import type { KubeObject } from "../object.ts";
import { prepare, prepareStatus, type Prepared } from "../prepare.ts";
import { kinds } from "./index.ts";

export const context = { allowLoopbackEndpoints: false, now: 0 };

export function kindOf(definition: string): KindSpec {
  const kind = kinds.find((one) => one.definition === definition);
  if (kind === undefined) throw new Error(`${definition} is not served`);
  return kind;
}

/** A create, or with `old` an update, as the registry does it. */
export function write(definition: string, raw: object, old?: KubeObject): Prepared {
  const kind = kindOf(definition);
  return prepare(kind, decodeObject(kind, raw, "Strict").object, old, context);
}

/** What would be stored; a fault fails the test. */
export function stored(definition: string, raw: object, old?: KubeObject): KubeObject {
  const { object, errors } = write(definition, raw, old);
  expect(errors.map(fieldErrorText)).toEqual([]);
  return deepFreeze(object) as KubeObject;
}

export const faults = (definition: string, raw: object, old?: KubeObject): readonly string[] =>
  write(definition, raw, old).errors.map(fieldErrorText);

export const warnings = (definition: string, raw: object, old?: KubeObject): readonly string[] => write(definition, raw, old).warnings;

/** Faults of an update of `status`. */
export function statusFaults(definition: string, old: KubeObject, status: object): readonly string[] {
  const kind = kindOf(definition);
  const { object } = decodeObject(kind, { ...structuredClone(old), status }, "Strict");
  return prepareStatus(kind, object, old, context).errors.map(fieldErrorText);
}

/** The cells of its row, by column. */
export function tableCells(definition: string, object: KubeObject): Readonly<Record<string, unknown>> {
  return Object.fromEntries(kindOf(definition).columns.map(({ name, cell }) => [name, cell(object, 0)]));
}
