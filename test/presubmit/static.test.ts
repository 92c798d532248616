/** Format, lint and types, as tests: one command shows everything. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");
const run = promisify(execFile);

async function output(command: string, ...args: string[]): Promise<string> {
  try {
    await run(process.execPath, [join(root, "node_modules", command), ...args], { cwd: root, maxBuffer: 1 << 24 });
    return "";
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    return `${stdout}${stderr}` || String(error);
  }
}

test("types", { timeout: 120_000 }, async () => {
  expect(await output("typescript/bin/tsc", "-p", ".")).toBe("");
});

test("types of the console's page, which has a browser's", { timeout: 120_000 }, async () => {
  expect(await output("typescript/bin/tsc", "-p", "web")).toBe("");
});

test("lint", { timeout: 60_000 }, async () => {
  expect(await output("oxlint/bin/oxlint", "--deny-warnings")).toBe("");
});

test("format (mend with `npm run format`)", { timeout: 60_000 }, async () => {
  expect(await output("oxfmt/bin/oxfmt", "--check", ".")).toBe("");
});
