/** Tables that the server lays out for `kubectl get` (meta.k8s.io/v1 Table). */
import type { Column, KindSpec } from "./kind.ts";
import type { KubeObject } from "./object.ts";
import type { ListMeta, ObjectMeta } from "./types.ts";

export interface TableColumn {
  readonly name: string;
  readonly type: string;
  readonly format: string;
  readonly description: string;
  /** 0: always shown; 1: only with `-o wide`. */
  readonly priority: number;
}

export interface TableRow {
  readonly cells: readonly (string | number | boolean)[];
  readonly object?: object;
}

export interface Table {
  readonly kind: "Table";
  readonly apiVersion: "meta.k8s.io/v1";
  readonly metadata: ListMeta;
  readonly columnDefinitions: readonly TableColumn[];
  readonly rows: readonly TableRow[];
}

export interface TableOptions {
  /** Milliseconds since the epoch, for ages. */
  readonly now: number;
  /** The list's: resourceVersion, continue, remainingItemCount; for one object its resourceVersion. */
  readonly metadata?: ListMeta;
  /** What a row carries besides its cells (`includeObject`). Default `Metadata`. */
  readonly includeObject?: "Metadata" | "Object" | "None";
  /** Leaves the column definitions out: events of a watch after its first. */
  readonly withoutColumns?: boolean;
}

/** Rows of `objects`, with every column; the client picks by priority. */
export function tableOf(kind: KindSpec, objects: readonly KubeObject[], options: TableOptions): Table {
  const ordered = kind.rowOrder === undefined ? objects : [...objects].sort(kind.rowOrder);
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata: options.metadata ?? {},
    columnDefinitions: options.withoutColumns === true ? [] : kind.columns.map(columnDefinition),
    rows: ordered.map((object) => tableRow(kind, object, options)),
  };
}

function columnDefinition({ name, type, format = "", description, priority }: Column): TableColumn {
  return { name, type, format, description, priority };
}

function tableRow(kind: KindSpec, object: KubeObject, { now, includeObject = "Metadata" }: TableOptions): TableRow {
  const cells = kind.columns.map((column) => column.cell(object, now));
  if (includeObject === "None") return { cells };
  return { cells, object: includeObject === "Object" ? object : partialObjectMetadata(object) };
}

export interface PartialObjectMetadata {
  readonly kind: "PartialObjectMetadata";
  readonly apiVersion: "meta.k8s.io/v1";
  readonly metadata: ObjectMeta;
}

/** An object with nothing but its metadata. */
export function partialObjectMetadata(object: KubeObject): PartialObjectMetadata {
  return { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: object.metadata };
}
