/** What the files of the kinds share: typed definition, and the columns that every table has. */
import { age } from "../duration.ts";
import type { Column, KindSpec } from "../kind.ts";
import type { KubeObject } from "../object.ts";

/** Forgets the object's type, so that kinds of all types stand in one list; each gets only objects of its own kind. */
export function defineKind<T extends KubeObject>(spec: KindSpec<T>): KindSpec {
  return spec as unknown as KindSpec;
}

export const nameColumn: Column = {
  name: "Name",
  type: "string",
  format: "name",
  priority: 0,
  description: "Name of the object, unique in its namespace and kind.",
  cell: (object) => object.metadata.name ?? "",
};

export const ageColumn: Column = {
  name: "Age",
  type: "string",
  priority: 0,
  description: "Time since the object was created.",
  cell: (object, now) => age(object.metadata.creationTimestamp, now),
};

type Cell<T extends KubeObject> = Column<T>["cell"];

/** A column of text, shown by plain `kubectl get`. */
export const text = <T extends KubeObject>(name: string, description: string, cell: Cell<T>): Column<T> => ({
  name,
  type: "string",
  priority: 0,
  description,
  cell,
});

export const integer = <T extends KubeObject>(name: string, description: string, cell: Cell<T>): Column<T> => ({
  name,
  type: "integer",
  priority: 0,
  description,
  cell,
});

/** Shown by `-o wide` only. */
export const wide = <T extends KubeObject>(column: Column<T>): Column<T> => ({ ...column, priority: 1 });

export const orNone = (value: string | undefined): string => (value === undefined || value === "" ? "<none>" : value);

/** `a=b,c=d`, sorted; `<none>` when empty (apimachinery `labels.FormatLabels`). */
export function labelsText(labels: Readonly<Record<string, string>> | undefined): string {
  const pairs = Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`);
  return orNone(pairs.sort().join(","));
}

/** At most three items, then how many more there are. */
export function shortList(items: readonly string[], empty: string): string {
  const shown = items.slice(0, 3).join(",");
  if (items.length > 3) return `${shown} + ${items.length - 3} more...`;
  return shown === "" ? empty : shown;
}
