import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { routeReasons } from "./reasons.ts";

test("docs/ingress.md lists every reason with its meaning", () => {
  const text = readFileSync(join(import.meta.dirname, "../../../docs/ingress.md"), "utf8");
  const listed = [...text.matchAll(/^\| `(\w+)` \| (.+) \|$/gm)].map(([, reason, meaning]) => [reason, meaning]);
  expect(listed).toEqual(Object.entries(routeReasons));
});
