/** What events.k8s.io/v1 asks of an Event beyond core/v1 (`pkg/apis/core/validation/events.go`); the fields have core/v1's names there, too. */
import { equalSemantics } from "../equality.ts";
import { invalid, required, type FieldError } from "../field-error.ts";
import { dns1123Subdomain } from "../names.ts";
import type { Event } from "../types.ts";
import { validateText } from "./values.ts";

export function validateStrictEvent(event: Event, old: Event | undefined): FieldError[] {
  return old === undefined ? validateNew(event) : validateChange(event, old);
}

function validateNew(event: Event): FieldError[] {
  const { type = "", source = {} } = event;
  const unset = (field: string, value: unknown) => (value === undefined || value === 0 ? [] : [invalid(field, "", "needs to be unset")]);
  return [
    ...validateText("metadata.name", event.metadata.name, dns1123Subdomain),
    ...validateSeries(event),
    ...(event.eventTime === undefined ? [required("eventTime")] : []),
    ...(type === "Normal" || type === "Warning" ? [] : [invalid("type", "", `has invalid value: ${type}`)]),
    ...unset("firstTimestamp", event.firstTimestamp),
    ...unset("lastTimestamp", event.lastTimestamp),
    ...unset("count", event.count),
    ...unset("source", (source.component ?? "") + (source.host ?? "") === "" ? undefined : source),
  ];
}

function validateSeries({ series }: Event): FieldError[] {
  if (series === undefined) return [];
  return [
    ...((series.count ?? 0) < 2 ? [invalid("series.count", "", "should be at least 2")] : []),
    ...(series.lastObservedTime === undefined ? [required("series.lastObservedTime")] : []),
  ];
}

/** An Event tells of what was; only its series goes on. */
const fixed = [
  "involvedObject",
  "reason",
  "message",
  "source",
  "firstTimestamp",
  "lastTimestamp",
  "count",
  "reason",
  "type",
  "eventTime",
  "action",
  "related",
] as const;

function validateChange(event: Event, old: Event): FieldError[] {
  const kept = (field: string, now: unknown, before: unknown) =>
    equalSemantics(now, before) ? [] : [invalid(field, now ?? null, "field is immutable")];
  return [
    ...(equalSemantics(event.series, old.series) ? [] : validateSeries(event)),
    ...fixed.flatMap((field) => kept(field, event[field], old[field])),
    ...kept("reportingController", event.reportingComponent, old.reportingComponent),
    ...kept("reportingInstance", event.reportingInstance, old.reportingInstance),
  ];
}
