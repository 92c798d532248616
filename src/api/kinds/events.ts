/** Events (core/v1). */
import { age } from "../duration.ts";
import { invalid, required, type FieldError } from "../field-error.ts";
import { dns1123Subdomain, qualifiedName } from "../names.ts";
import { events } from "../resources.ts";
import type { Event } from "../types.ts";
import { validateText } from "../validation/values.ts";
import { defineKind, integer, nameColumn, text, wide } from "./define.ts";

/** Events made since 1.19 carry `eventTime` and must say more (`pkg/apis/core/validation/events.go`). */
function validate(event: Event): FieldError[] {
  const namespace = event.metadata.namespace ?? "";
  const modern = event.eventTime !== undefined && event.eventTime !== "";
  const errors = modern ? validateModern(event, namespace) : validateNamespace(event, namespace);
  return [...errors, ...validateText("namespace", namespace, dns1123Subdomain)];
}

function validateNamespace({ involvedObject }: Event, namespace: string): FieldError[] {
  const about = involvedObject.namespace ?? "";
  const agrees = about === "" ? namespace === "" || namespace === "default" : about === namespace;
  return agrees ? [] : [invalid("involvedObject.namespace", about, "does not match event.namespace")];
}

function validateModern(event: Event, namespace: string): FieldError[] {
  const { reportingComponent = "", reportingInstance = "", action = "", reason = "", message = "" } = event;
  const about = event.involvedObject.namespace ?? "";
  const errors: FieldError[] = [];
  if (about === "" && namespace !== "default" && namespace !== "kube-system") {
    errors.push(invalid("involvedObject.namespace", about, "does not match event.namespace"));
  }
  if (reportingComponent === "") errors.push(required("reportingComponent"));
  errors.push(...validateText("reportingComponent", reportingComponent, qualifiedName));
  for (const [field, value] of Object.entries({ reportingInstance, action, reason })) {
    if (value === "") errors.push(required(field));
    if (value.length > 128) errors.push(invalid(field, "", "can have at most 128 characters"));
  }
  if (message.length > 1024) errors.push(invalid("message", "", "can have at most 1024 characters"));
  return errors;
}

const firstSeen = (event: Event): string | undefined => event.firstTimestamp || event.eventTime;
const lastSeen = (event: Event): string | undefined => event.series?.lastObservedTime || event.lastTimestamp || firstSeen(event);
const timesSeen = (event: Event): number => event.series?.count ?? (event.count || 1);

function target({ involvedObject: { kind = "", name = "" } }: Event): string {
  return name === "" ? kind.toLowerCase() : `${kind.toLowerCase()}/${name}`;
}

function source({ source, reportingComponent, reportingInstance }: Event): string {
  const component = source?.component || reportingComponent || "";
  const host = source?.host || reportingInstance || "";
  return host === "" ? component : `${component}, ${host}`;
}

export const eventKind = defineKind<Event>({
  resource: events,
  definition: "Event",
  singular: "event",
  shortNames: ["ev"],
  categories: [],
  subresources: [],
  nameRule: "pathSegment",
  createOnUpdate: true,
  applyDefaults: (event) => {
    event.involvedObject ??= {};
  },
  validate,
  rowOrder: (a, b) => Date.parse(lastSeen(a) ?? "") - Date.parse(lastSeen(b) ?? "") || 0,
  selectableFields: {
    "involvedObject.kind": ({ involvedObject }) => involvedObject.kind ?? "",
    "involvedObject.namespace": ({ involvedObject }) => involvedObject.namespace ?? "",
    "involvedObject.name": ({ involvedObject }) => involvedObject.name ?? "",
    "involvedObject.uid": ({ involvedObject }) => involvedObject.uid ?? "",
    "involvedObject.apiVersion": ({ involvedObject }) => involvedObject.apiVersion ?? "",
    "involvedObject.resourceVersion": ({ involvedObject }) => involvedObject.resourceVersion ?? "",
    "involvedObject.fieldPath": ({ involvedObject }) => involvedObject.fieldPath ?? "",
    reason: ({ reason }) => reason ?? "",
    reportingComponent: ({ reportingComponent }) => reportingComponent ?? "",
    source: ({ source, reportingComponent }) => source?.component || reportingComponent || "",
    type: ({ type }) => type ?? "",
  },
  columns: [
    text("Last Seen", "Time since it happened last.", (event, now) => age(lastSeen(event), now)),
    text("Type", "Normal or Warning.", ({ type }) => type ?? ""),
    text("Reason", "Why, in one word.", ({ reason }) => reason ?? ""),
    text("Object", "What it is about.", target),
    wide(text("Subobject", "Which part of it.", ({ involvedObject }) => involvedObject.fieldPath ?? "")),
    wide(text("Source", "Who says so.", source)),
    text("Message", "What happened.", ({ message }) => (message ?? "").trim()),
    wide(text("First Seen", "Time since it happened first.", (event, now) => age(firstSeen(event), now))),
    wide(integer("Count", "How often it happened.", timesSeen)),
    wide(nameColumn),
  ],
});
