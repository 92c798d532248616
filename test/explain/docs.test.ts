/** docs/explain.md lists exactly the codes, in their order. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { explainCodes } from "../../src/decide/explain/explain.ts";

test("docs/explain.md has the codes of explain", () => {
  const text = readFileSync(join(import.meta.dirname, "../../docs/explain.md"), "utf8");
  const [, codes = ""] = /## Codes\n(.*?)(?:\n## |$)/s.exec(text) ?? [];
  const rows = [...codes.matchAll(/^\| `(\w+)` \| (\w+) \| (.*) \|$/gm)].map(([, code, kind, meaning]) => ({ code, kind, meaning }));
  expect(rows).toEqual(Object.entries(explainCodes).map(([code, { kind, meaning }]) => ({ code, kind, meaning })));
});
