/** Documents that repeat what the code says are held to it. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { version } from "../../src/cli/version.ts";
import { errorTable } from "../../src/lib/errors.ts";

const root = join(import.meta.dirname, "../..");
const text = (path: string) => readFileSync(join(root, path), "utf8");

test("docs/errors.md lists exactly the error table", () => {
  const rows = [...text("docs/errors.md").matchAll(/^\| `(FL_\w+)` \| (.*) \|$/gm)].map((match) => [match[1], match[2]]);
  expect(rows).toEqual(Object.entries(errorTable));
});

test("the program's version is the package's", () => {
  expect(version).toBe((JSON.parse(text("package.json")) as { version: string }).version);
});

test("links between documents lead somewhere", () => {
  const documents = globSync("**/*.md", { cwd: root, exclude: (name) => name === "node_modules" || name === "dist" });
  const broken = documents.flatMap((file) =>
    [...text(file).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)]
      .map((match) => match[1] as string)
      .flatMap((link) => (existsSync(join(root, dirname(file), link)) ? [] : [`${file}: ${link}`])),
  );
  expect(documents.length).toBeGreaterThan(5);
  expect(broken).toEqual([]);
});

test("every runtime dependency has its reason", () => {
  const { dependencies, optionalDependencies } = JSON.parse(text("package.json")) as Record<string, Record<string, string>>;
  const listed = text("docs/dependencies.md");
  expect(Object.keys({ ...dependencies, ...optionalDependencies }).filter((name) => !listed.includes(`\`${name}\``))).toEqual([]);
});
