import { expect, test } from "vitest";
import { shows } from "./compare.ts";

test.each<[string, string, string, boolean]>([
  ["the same", "a\nb", "a\nb", true],
  [
    "other blanks, ages, addresses and names that end in random letters",
    "web-7fd8c8754d-vp442   10.244.0.2   2s",
    "web-7fd8c8754d-abcde 10.244.1.17 3m",
    true,
  ],
  ["another number", "4 endpoints", "3 endpoints", false],
  ["another state", "web Ready", "web NotReady", false],
  ["the Service's own address is what is shown", "10.96.80.80", "10.96.80.81", false],
  ["a line less", "a\nb", "a", false],
  ["a line more", "a", "a\nb", false],
  ["anything in a line", "pid … runs", "pid 17 of 3 runs", true],
  ["nothing but the line itself", "pid … runs", "pid 17 stops", false],
  ["any lines", "first\n…\nlast", "first\nsecond\nthird\nlast", true],
  ["no lines", "first\n…\nlast", "first\nlast", true],
  ["lines, but the last is another", "first\n…\nlast", "first\nsecond", false],
  ["signs that mean something in patterns", "a.b (c) [d]", "a.b (c) [d]", true],
  ["and nothing else", "a.b", "axb", false],
])("%s", (_, wanted, got, right) => {
  expect(shows(wanted, got)).toBe(right);
});
