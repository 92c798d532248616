import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { collectLeavingLinks } from "./leaving-links.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("links are named together, some time after the first one, and once", () => {
  const taken: (readonly number[])[] = [];
  const leaving = collectLeavingLinks((links) => taken.push(links));
  leaving.add(1);
  vi.advanceTimersByTime(1500);
  leaving.add(2);
  expect(taken).toEqual([]);
  vi.advanceTimersByTime(5000);
  expect(taken).toEqual([[1, 2]]);
  leaving.add(3);
  vi.advanceTimersByTime(5000);
  expect(taken).toEqual([[1, 2], [3]]);
});

test("many are named in pieces, so that nothing else waits long", () => {
  const taken: (readonly number[])[] = [];
  const leaving = collectLeavingLinks((links) => taken.push(links));
  for (let i = 0; i < 1200; i++) leaving.add(i);
  vi.advanceTimersByTime(5000);
  expect(taken.map((links) => links.length)).toEqual([500, 500, 200]);
});

test("nothing is named after close", () => {
  const taken: (readonly number[])[] = [];
  const leaving = collectLeavingLinks((links) => taken.push(links));
  leaving.add(1);
  leaving.close();
  vi.advanceTimersByTime(5000);
  expect(taken).toEqual([]);
});
