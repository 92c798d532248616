import { expect, test } from "vitest";
import type { Event } from "../../api/types.ts";
import { expiredEvents } from "./reconcile.ts";

const now = Date.parse("2026-01-01T02:00:00Z");
const event = (name: string, more: object): Event => ({ metadata: { name }, involvedObject: {}, ...more });

test("an Event is over an hour after it was last seen", () => {
  const events = [
    event("old", { lastTimestamp: "2026-01-01T00:59:59Z" }),
    event("young", { lastTimestamp: "2026-01-01T01:00:01Z" }),
    event("seen-again", { eventTime: "2026-01-01T00:00:00Z", series: { count: 2, lastObservedTime: "2026-01-01T01:30:00Z" } }),
    event("by-creation", { metadata: { name: "by-creation", creationTimestamp: "2026-01-01T00:10:00Z" } }),
    event("timeless", {}),
  ];
  expect(expiredEvents(events, 3_600_000, now).map(({ metadata }) => metadata.name)).toEqual(["old", "by-creation"]);
});
