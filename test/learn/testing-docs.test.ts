/** The examples of `docs/testing.md` run: one program of its first three, a test file of that for node:test (`src/testing/vitest.test.ts` has Vitest's). */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { repository, runProgram } from "../support/program.ts";

const examples = [...readFileSync(join(repository, "docs/testing.md"), "utf8").matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(
  ([, code = ""]) => code,
);
const directory = mkdtempSync(join(tmpdir(), "fairlead-docs-"));

/** As if the package were installed: from its sources. */
function installed(code: string): string {
  return code.replace(/"fairlead\/testing(?:\/(\w+))?"/g, (_, part: string = "index") =>
    JSON.stringify(join(repository, `src/testing/${part}.ts`)),
  );
}

beforeAll(() => {
  mkdirSync(join(directory, "k8s"));
  writeFileSync(
    join(directory, "k8s/web.yaml"),
    `
apiVersion: v1
kind: Pod
metadata: { name: web-1, labels: { app: web } }
spec: { containers: [{ name: web, image: shop/web, ports: [{ containerPort: 8080 }] }] }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ port: 80, targetPort: 8080 }] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: shop }
spec: { replicas: 0, selector: { matchLabels: { app: shop } }, template: { metadata: { labels: { app: shop } }, spec: { containers: [{ name: shop, image: shop/web }] } } }
`,
  );
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

test("a cluster, its clock, its faults", { timeout: 120_000 }, async () => {
  const [first = "", clock = "", faults = ""] = examples;
  const shown = "console.log(await response.text(), new Set([down, dns, cut, slow]).size, cluster.clock.isFrozen);\n";
  writeFileSync(join(directory, "example.ts"), installed(`${first}${clock}${faults}${shown}`));
  const run = await runProgram(process.execPath, ["example.ts"], { cwd: directory });
  expect([run.code, run.stdout, run.stderr]).toEqual([0, "hello from web-1 4 false\n", expect.not.stringContaining("Error")]);
});

test("for node:test", { timeout: 120_000 }, async () => {
  const code = examples.find((example) => example.includes("testing/node")) ?? "";
  writeFileSync(join(directory, "example.test.ts"), installed(`import { test } from "node:test";\n${code}`));
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const run = await runProgram(process.execPath, ["--test", "--test-reporter=tap", "example.test.ts"], { cwd: directory, env });
  expect([run.code, run.stdout]).toEqual([0, expect.stringMatching(/^# pass 1$/m)]);
});
