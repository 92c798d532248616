import { expect, test } from "vitest";
import { age, humanDuration } from "./duration.ts";

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

test.each<[number, string]>([
  [-3 * second, "<invalid>"],
  [-1500, "0s"],
  [0, "0s"],
  [119.9 * second, "119s"],
  [2 * minute, "2m"],
  [2 * minute + 5 * second, "2m5s"],
  [10 * minute + 30 * second, "10m"],
  [179 * minute, "179m"],
  [3 * hour, "3h"],
  [3 * hour + 20 * minute, "3h20m"],
  [8 * hour + 59 * minute, "8h"],
  [47 * hour, "47h"],
  [2 * day, "2d"],
  [2 * day + 4 * hour, "2d4h"],
  [8 * day + 4 * hour, "8d"],
  [729 * day, "729d"],
  [730 * day, "2y"],
  [765 * day, "2y35d"],
  [9 * 365 * day, "9y"],
])("%i ms is %s", (ms, text) => expect(humanDuration(ms)).toBe(text));

test("ages", () => {
  expect(age("2026-01-01T00:00:00Z", Date.UTC(2026, 0, 1, 0, 1))).toBe("60s");
  expect(age(undefined, 0)).toBe("<unknown>");
  expect(age("yesterday", 0)).toBe("<unknown>");
});
