import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findProgram } from "./find-program.ts";

let root = "";
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "find-program-"));
  for (const folder of ["a", "b"]) mkdirSync(join(root, folder));
  for (const [file, mode] of [
    ["a/data", 0o644],
    ["b/data", 0o755],
    ["b/tool", 0o755],
  ] as const) {
    writeFileSync(join(root, file), "");
    chmodSync(join(root, file), mode);
  }
  mkdirSync(join(root, "a/tool"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

test.each([
  ["tool", "b/tool"],
  ["data", "b/data"],
  ["./b/tool", "b/tool"],
  ["b/tool", "b/tool"],
  ["./a/data", undefined],
  ["a/tool", undefined],
  ["none", undefined],
  ["", undefined],
])("%s", (word, found) => {
  const path = ["a", "b"].map((folder) => join(root, folder)).join(":");
  expect(findProgram(word, path, root)).toBe(found === undefined ? undefined : join(root, found));
});
