import { expect, test } from "vitest";
import { Sessions } from "./session.ts";

test("only the token begins a session, and only both halves of one are known", () => {
  const sessions = new Sessions();
  expect(sessions.begin("")).toBeUndefined();
  expect(sessions.begin(`${sessions.token}x`)).toBeUndefined();
  const [one, two] = [sessions.begin(sessions.token), sessions.begin(sessions.token)];
  if (one === undefined || two === undefined) throw new Error("the token was refused");
  expect(new Set([sessions.token, one.cookie, one.key, two.cookie, two.key]).size).toBe(5);
  expect(sessions.token.length).toBeGreaterThanOrEqual(43); // 32 bytes
  expect(sessions.holds(one)).toBe(true);
  expect(sessions.holds({ cookie: one.cookie, key: two.key })).toBe(false);
  expect(sessions.holds({ cookie: one.cookie, key: "" })).toBe(false);
  expect(sessions.holds({ cookie: "", key: one.key })).toBe(false);
});

test("sessions are bounded: the one begun first goes", () => {
  const sessions = new Sessions({ most: 2 });
  const all = [1, 2, 3].map(() => sessions.begin(sessions.token)).filter((session) => session !== undefined);
  expect(all.map((session) => sessions.holds(session))).toEqual([false, true, true]);
});
