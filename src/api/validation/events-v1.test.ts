import { expect, test } from "vitest";
import { fieldErrorText } from "../field-error.ts";
import type { Event } from "../types.ts";
import { validateStrictEvent } from "./events-v1.ts";

const event: Event = {
  metadata: { name: "e", namespace: "default" },
  involvedObject: { kind: "Pod", name: "p", namespace: "default" },
  eventTime: "2026-01-01T00:00:00.000000Z",
  type: "Normal",
  reason: "Started",
  action: "Start",
  reportingComponent: "example.com/c",
  reportingInstance: "i",
};
const faults = (change: Partial<Event>, old?: Event) => validateStrictEvent({ ...event, ...change }, old).map(fieldErrorText);

test.each<[string, Partial<Event>, string[]]>([
  ["a whole one", {}, []],
  ["no time", { eventTime: undefined }, ["eventTime: Required value"]],
  ["a type of its own", { type: "Notice" }, ['type: Invalid value: "": has invalid value: Notice']],
  ["a count", { count: 2 }, ['count: Invalid value: "": needs to be unset']],
  ["a source", { source: { component: "c" } }, ['source: Invalid value: "": needs to be unset']],
  [
    "a series of one",
    { series: { count: 1 } },
    ['series.count: Invalid value: "": should be at least 2', "series.lastObservedTime: Required value"],
  ],
])("new: %s", (_, change, wanted) => expect(faults(change)).toEqual(wanted));

test("what was does not change; the series goes on", () => {
  const series = { count: 3, lastObservedTime: "2026-01-01T00:00:01.000000Z" };
  expect(faults({ series }, event)).toEqual([]);
  expect(faults({ action: "Stop", reportingInstance: "j" }, event)).toEqual([
    'action: Invalid value: "Stop": field is immutable',
    'reportingInstance: Invalid value: "j": field is immutable',
  ]);
});
