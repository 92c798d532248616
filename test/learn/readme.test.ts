/** The README in Chinese says what the English one says: the same headings, tables and pictures, commands and links; all links lead somewhere. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { repository } from "../support/program.ts";
import { outline } from "./chapters.ts";

const text = (name: string) => readFileSync(join(repository, name), "utf8");
const [english, chinese] = [text("README.md"), text("README.zh-CN.md")];

/** Indented by four: what is typed, without the remarks behind it. Drawings have words of a language. */
const commands = (of: string) =>
  [...of.matchAll(/^ {4}(.*)$/gm)]
    .map(([, line = ""]) => line.replace(/ +#.*$/, ""))
    .filter((line) => !/[─│▲▼◄►]/.test(line) && !line.startsWith(" "));
const links = (of: string) => [...of.matchAll(/\]\(([^)#]+)[^)]*\)/g)].map(([, target = ""]) => target);
const inOneLanguage = new Set(["README.md", "README.zh-CN.md", "docs/learn/README.md", "docs/learn/zh-CN/README.md"]);
const shared = (of: string) => [...new Set(links(of).filter((link) => !inOneLanguage.has(link)))].sort();

test("the same structure", () => {
  expect(outline({ name: "README.zh-CN.md", text: chinese })).toEqual(outline({ name: "README.md", text: english }));
});

test("the same commands", () => {
  expect(commands(english).length).toBeGreaterThan(10);
  expect(commands(chinese)).toEqual(commands(english));
});

test("the same links", () => {
  expect(shared(chinese)).toEqual(shared(english));
});

const pages = ["README.md", "README.zh-CN.md", "docs/testing.md", ...globSync("docs/learn/**/*.md", { cwd: repository })];

test.each(pages)("links of %s lead to files that are there", (page) => {
  const local = links(text(page)).filter((link) => !/^[a-z]+:/.test(link));
  expect(local.length).toBeGreaterThan(0);
  expect(local.filter((link) => !existsSync(join(repository, dirname(page), link)))).toEqual([]);
});
