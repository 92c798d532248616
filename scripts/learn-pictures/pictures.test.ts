import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { chapters } from "../../test/learn/chapters.ts";
import { draw } from "./draw.ts";
import { pictureDirectory, pictureFiles } from "./write.ts";

const files = pictureFiles();

test("the pictures are what the script writes (mend with `sh bin/node scripts/learn-pictures/write.ts`)", () => {
  const drawn = readdirSync(pictureDirectory).filter((name) => name.endsWith(".svg"));
  expect(drawn.sort()).toEqual([...files.keys()].sort());
  for (const [name, text] of files) expect(readFileSync(join(pictureDirectory, name), "utf8"), name).toBe(text);
});

test.each(["", "zh-CN"])("each is shown in its chapter, in its language (%s)", (language) => {
  const shown = chapters(language).flatMap(({ text }) =>
    [...text.matchAll(/!\[[^\]]+\]\((?:\.\.\/)?pictures\/([^)]+\.svg)\)/g)].map(([, name]) => name),
  );
  const own = [...files.keys()].filter((name) => name.endsWith(".zh-CN.svg") === (language !== ""));
  expect(shown.sort()).toEqual(own.sort());
});

test("an arrow to nowhere is a mistake", () => {
  expect(() => draw({ title: "", columns: [[{ id: "a", label: "a" }]], arrows: [{ from: "a", to: "b" }] })).toThrow("no box b");
});
