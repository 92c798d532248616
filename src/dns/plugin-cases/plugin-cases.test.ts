/**
 * CoreDNS's tables of what plugins do, row by row (shared with whoever works on the project; absent in a clone, then skipped), and
 * counted: what is asked, where, and why the rest cannot be. A suite that no list names fails the run, as does a miss.
 */
import { afterAll, describe, expect, test } from "vitest";
import { unsupportedDirectives } from "../plugins.ts";
import { answerSuites } from "./answers.cases.ts";
import { cacheSuites } from "./cache.cases.ts";
import { etcdSuites } from "./etcd.cases.ts";
import { rewriteSuites } from "./rewrite.cases.ts";
import { caseFile, keyOf, type Suite } from "./rows.cases.ts";
import { serverSuites } from "./server.cases.ts";
import { zoneSuites } from "./zones.cases.ts";
import { elsewhere, material, outOfScope } from "./scope.cases.ts";

if (caseFile === undefined) console.log("skipped: CoreDNS's cases are not beside this clone");

const suites: Readonly<Record<string, Suite>> = {
  ...answerSuites,
  ...cacheSuites,
  ...etcdSuites,
  ...rewriteSuites,
  ...serverSuites,
  ...zoneSuites,
};
const tables = caseFile?.tables ?? [];
const own = tables.filter((table) => suites[keyOf(table)] !== undefined);
const tally = { passed: 0, missed: 0, unasked: new Map<string, number>() };

/** What `corefile/cases.test.ts` makes of the rows of setup. */
function setupRows() {
  const all = caseFile?.setup ?? [];
  const refused = all.filter(({ plugin }) => unsupportedDirectives.has(plugin));
  const asked = all.filter((one) => !refused.includes(one) && typeof one.block === "string" && one.shouldErr !== null);
  return { all: all.length, refused: refused.length, asked: asked.length, values: all.length - refused.length - asked.length };
}

describe.skipIf(caseFile === undefined)("CoreDNS's plugin cases", () => {
  const asked = own.flatMap((table) => table.rows.map((row, i) => [`${keyOf(table)} ${i}`, table, row] as const));

  test.each(asked)("%s", async (_, table, row) => {
    tally.missed++;
    const outcome = await suites[keyOf(table)]?.(row as never, tables);
    tally.missed--;
    if (outcome === undefined) tally.passed++;
    else tally.unasked.set(outcome.unasked, (tally.unasked.get(outcome.unasked) ?? 0) + 1);
  });

  test("every suite is asked, or it is said why it cannot be", () => {
    const rows = { elsewhere: 0, material: 0, out: 0 };
    const unknown: string[] = [];
    for (const table of tables.filter((one) => one.rows.length > 0)) {
      const key = keyOf(table);
      const counts = table.rows.length;
      if (suites[key] !== undefined) continue;
      if (elsewhere[key] !== undefined) {
        // A label of a plugin that only upstream's test has.
        const labelled = table.rows.filter((row) => typeof row === "object" && row !== null && "md" in row).length;
        rows.elsewhere += counts - labelled;
        rows.out += labelled;
      } else if (material[key] !== undefined) rows.material += counts;
      else if (outOfScope[key] !== undefined) rows.out += counts;
      else unknown.push(`${key} (${counts})`);
    }
    expect(unknown).toEqual([]);
    const unasked = [...tally.unasked.values()].reduce((sum, one) => sum + one, 0);
    const answered = tally.passed + rows.elsewhere;
    console.log(
      `${answered} of CoreDNS's rows of plugins pass (${tally.passed} here, ${rows.elsewhere} in other tests), ${tally.missed} do not; ` +
        `${rows.material} rows are what others speak of, ${unasked + rows.out} cannot be asked or are out of scope`,
    );
    const setup = setupRows();
    console.log(
      `${setup.asked} of CoreDNS's ${setup.all} blocks of a directive are asked in corefile/cases.test.ts; ${setup.refused} are of directives ` +
        `that are refused by name, ${setup.values} stand for Go values`,
    );
    expect(tally.missed).toBe(0);
    expect(answered / (answered + tally.missed)).toBeGreaterThanOrEqual(0.98);
  });

  afterAll(() => {
    for (const [reason, count] of tally.unasked) console.log(`not asked (${count}): ${reason}`);
  });
});
