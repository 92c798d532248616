import { relative } from "node:path";
import type { Reporter, TestCase, TestModule } from "vitest/node";

/** Counts tests and collects why some were skipped: `ctx.skip("no kubectl on this machine")`. */
export class SkipReporter implements Reporter {
  passed = 0;
  failed = 0;
  skipped = 0;
  readonly #reasons = new Map<string, string[]>();

  onTestCaseResult(test: TestCase): void {
    const result = test.result();
    if (result.state === "passed") this.passed++;
    else if (result.state === "failed") this.failed++;
    else {
      this.skipped++;
      const reason = (result.state === "skipped" ? result.note : undefined) ?? reasonOf(test);
      this.#reasons.set(reason, [
        ...(this.#reasons.get(reason) ?? []),
        `${relative(process.cwd(), test.module.moduleId)} > ${test.fullName}`,
      ]);
    }
  }

  /** A file that cannot be loaded, or a group whose set-up fails, has no failed test, and is a failure all the same. */
  onTestModuleEnd(module: TestModule): void {
    if (module.state() === "failed" && [...module.children.allTests("failed")].length === 0) this.failed++;
  }

  summary(): string {
    const lines = [...this.#reasons].map(
      ([reason, tests]) => `skipped: ${reason} (${tests.length}: ${tests.slice(0, 3).join("; ")}${tests.length > 3 ? "; …" : ""})\n`,
    );
    return `${lines.join("")}${this.passed} passed, ${this.failed} failed, ${this.skipped} skipped\n`;
  }
}

/** Whole groups cannot carry a note: those that need the shared acceptance cases say so in their file's or their own name. */
function reasonOf(test: TestCase): string {
  const needsCases = test.module.moduleId.endsWith("cases.test.ts") || test.fullName.includes("shared/cases");
  return needsCases ? "the shared acceptance cases are not beside this clone" : "no reason given";
}
