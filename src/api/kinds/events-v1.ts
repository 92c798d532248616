/**
 * Events of events.k8s.io/v1: the same objects as core/v1's under newer names (`pkg/apis/events/v1/conversion.go`). Stored once, as core/v1.
 */
import type { Column, KindSpec } from "../kind.ts";
import type { KubeObject } from "../object.ts";
import { events, eventsV1 } from "../resources.ts";
import type { Event } from "../types.ts";
import { validateStrictEvent } from "../validation/events-v1.ts";
import { eventKind } from "./events.ts";

/** Name in core/v1 → name in events.k8s.io/v1. */
const renamed = {
  involvedObject: "regarding",
  message: "note",
  source: "deprecatedSource",
  firstTimestamp: "deprecatedFirstTimestamp",
  lastTimestamp: "deprecatedLastTimestamp",
  count: "deprecatedCount",
  reportingComponent: "reportingController",
} as const;
const back = Object.fromEntries(Object.entries(renamed).map(([old, modern]) => [modern, old]));

function withNames(object: KubeObject, names: Readonly<Record<string, string>>, apiVersion: string): KubeObject {
  const entries = Object.entries(object).map(([key, value]): [string, unknown] => [
    Object.hasOwn(names, key) ? (names[key] as string) : key,
    value,
  ]);
  return { ...Object.fromEntries(entries), apiVersion } as unknown as KubeObject;
}

export const toEventsV1 = (object: KubeObject): KubeObject => withNames(object, renamed, "events.k8s.io/v1");
export const toCoreEvent = (object: KubeObject): KubeObject => withNames(object, back, "v1");

const columnOf = (column: Column): Column => ({ ...column, cell: (object, now) => column.cell(toCoreEvent(object), now) });

const selectable = Object.entries(eventKind.selectableFields ?? {}).map(([field, value]) => [
  field.replace(/^involvedObject/, "regarding").replace(/^reportingComponent$/, "reportingController"),
  (object: KubeObject) => value(toCoreEvent(object)),
]);

export const eventsV1Kind: KindSpec = {
  ...eventKind,
  resource: eventsV1,
  definition: "EventsEvent",
  alias: { of: events, toServed: toEventsV1, toStored: toCoreEvent },
  applyDefaults: (object) => {
    const event = object as { regarding?: object };
    event.regarding ??= {};
  },
  validate: (object, old, context) => {
    const [event, before] = [toCoreEvent(object), old === undefined ? undefined : toCoreEvent(old)];
    const lenient = eventKind.validate?.(event, before, context) ?? [];
    const named = lenient.map((error) => (error.field === "reportingComponent" ? { ...error, field: "reportingController" } : error));
    return [...named, ...validateStrictEvent(event as Event, before as Event | undefined)];
  },
  rowOrder: (a, b) => eventKind.rowOrder?.(toCoreEvent(a), toCoreEvent(b)) ?? 0,
  selectableFields: Object.fromEntries(selectable) as NonNullable<KindSpec["selectableFields"]>,
  columns: eventKind.columns.map(columnOf),
};
