/** The examples of `examples/testing`, run as their readers run them. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { repository, runProgram } from "../support/program.ts";
import { missingTools } from "../support/tools.ts";

const examples = join(repository, "examples/testing");
const directory = mkdtempSync(join(tmpdir(), "fairlead-examples-"));
const env = { ...process.env, FAIRLEAD: join(repository, "bin/fairlead"), PYTHONDONTWRITEBYTECODE: "1" };

afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** A copy in a directory of its own, as in a project that has installed what it needs. */
function installed(name: string): string {
  const home = join(directory, name);
  cpSync(join(examples, name), home, { recursive: true });
  mkdirSync(join(home, "node_modules/@kubernetes"), { recursive: true });
  symlinkSync(repository, join(home, "node_modules/fairlead"));
  symlinkSync(join(repository, "node_modules/@kubernetes/client-node"), join(home, "node_modules/@kubernetes/client-node"));
  return home;
}

test("an operator in JavaScript, by node:test", { timeout: 120_000 }, async (context) => {
  if (!existsSync(join(repository, "dist/testing-node.js"))) return context.skip("needs the bundle: npm run build");
  const run = await runProgram(process.execPath, ["--test", "--test-reporter=tap"], { cwd: installed("node"), env: withoutVitest(env) });
  expect(run.stdout).toMatch(/^# pass 3$/m);
  expect(run.code).toBe(0);
});

test("a client in Python", { timeout: 120_000 }, async (context) => {
  const missing = missingTools("python3");
  if (missing !== undefined) return context.skip(missing);
  const run = await runProgram("python3", ["-m", "unittest"], { cwd: join(examples, "python"), env });
  expect([run.code, run.stderr]).toEqual([0, expect.stringContaining("OK")]);
});

test("controller-runtime in Go, in place of envtest", { timeout: 600_000 }, async (context) => {
  const go = process.env["GO_EXAMPLE"];
  if (go === undefined) return context.skip("name the go program with $GO_EXAMPLE: its first build fetches modules and takes minutes");
  const run = await runProgram(go, ["test", "-count=1", "./..."], { cwd: join(examples, "go"), env, timeout: 590_000 });
  expect([run.code, run.stdout, run.stderr]).toEqual([0, expect.stringMatching(/^ok/m), expect.anything()]);
});

/** Else Node believes that it is a part of this run. */
function withoutVitest(of: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(of).filter(([name]) => name !== "NODE_TEST_CONTEXT" && name !== "NODE_OPTIONS"));
}
