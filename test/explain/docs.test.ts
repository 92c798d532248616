/** docs/explain.md lists exactly the codes and the rules of the audit, in their order. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { auditRules } from "../../src/decide/explain/audit/audit.ts";
import { explainCodes } from "../../src/decide/explain/explain.ts";

/** Rows of a chapter's table: `| \`Code\` | word | meaning |`. */
function rowsOf(chapter: string): readonly (readonly string[])[] {
  const text = readFileSync(join(import.meta.dirname, "../../docs/explain.md"), "utf8");
  const start = text.indexOf(`\n## ${chapter}\n`);
  const end = text.indexOf("\n## ", start + 1);
  const body = text.slice(start, end < 0 ? undefined : end);
  return [...body.matchAll(/^\| `(\w+)` \| (\w+) \| (.*) \|$/gm)].map(([, code = "", word = "", meaning = ""]) => [code, word, meaning]);
}

test("docs/explain.md has the codes of explain", () => {
  expect(rowsOf("Codes")).toEqual(Object.entries(explainCodes).map(([code, { kind, meaning }]) => [code, kind, meaning]));
});

test("docs/explain.md has the rules of the audit", () => {
  expect(rowsOf("The audit")).toEqual(Object.entries(auditRules).map(([rule, { level, meaning }]) => [rule, level, meaning]));
});
