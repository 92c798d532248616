import { expect, test } from "vitest";
import { RateLimits } from "./rate-limits.ts";

test("the rate and its burst, for each client", () => {
  const limits = new RateLimits();
  const limit = { perSecond: 2, burst: 3 };
  const at = (now: number, key = "a") => limits.allows(key, limit, now);
  expect([at(1000), at(1000), at(1000), at(1000), at(1000)]).toEqual([true, true, true, true, false]);
  expect(at(1000, "b")).toBe(true);
  expect([at(1499), at(1500), at(1500)]).toEqual([false, true, false]);
  expect([at(9000), at(9000), at(9000), at(9000), at(9000)]).toEqual([true, true, true, true, false]);
});
