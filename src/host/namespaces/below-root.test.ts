import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { withPlaceBelow, type Missing } from "./below-root.ts";

let outer: string;
let root: string;

beforeEach(() => {
  outer = realpathSync(mkdtempSync(join(tmpdir(), "fairlead-below-")));
  root = join(outer, "root");
  mkdirSync(join(root, "a/b"), { recursive: true });
  mkdirSync(join(outer, "outside"));
  writeFileSync(join(root, "a/file"), "inside");
  writeFileSync(join(outer, "outside/file"), "outside");
});
afterEach(() => rmSync(outer, { recursive: true }));

const needsProc = process.platform === "linux" ? undefined : "needs /proc: Linux";
const find = (path: string, missing: Missing) => withPlaceBelow(root, path, missing, (place) => realpathSync(place).replace(outer, ""));

describe("a place below the root", () => {
  beforeEach((ctx) => {
    if (needsProc !== undefined) ctx.skip(needsProc);
  });

  test.each([
    ["/a/b", "/root/a/b"],
    ["a//b/.", "/root/a/b"],
    ["a/../a/file", "/root/a/file"],
    ["../../../a", "/root/a"],
    ["/", "/root"],
  ])("%s is %s", (path, expected) => {
    expect(find(path, "leave")).toBe(expected);
  });

  test.each<[string, string]>([
    ["an absolute link", "/a"],
    ["a link upwards", "../../../../a"],
    ["a link beside it", "a"],
  ])("%s leads to the root's own", (_, target) => {
    symlinkSync(target, join(root, "link"));
    expect(find("link/file", "leave")).toBe("/root/a/file");
    expect(find("link/new/deep", "directory")).toBe("/root/a/new/deep");
  });

  test("a link out of the root ends inside, and nothing is made outside", () => {
    symlinkSync(join(outer, "outside"), join(root, "a/b/trap"));
    expect(find("a/b/trap/planted", "file")).toBe(`/root${outer}/outside/planted`);
    expect(existsSync(join(outer, "outside/planted"))).toBe(false);
    symlinkSync("../../../outside/file", join(root, "a/b/other"));
    expect(find("a/b/other", "leave")).toBeUndefined();
    expect(readFileSync(join(outer, "outside/file"), "utf8")).toBe("outside");
  });

  test("what is missing is made, as a file or a directory, or left", () => {
    expect(find("x/y/z", "leave")).toBeUndefined();
    expect(existsSync(join(root, "x"))).toBe(false);
    expect(find("x/y/z", "file")).toBe("/root/x/y/z");
    expect(statSync(join(root, "x/y/z")).isFile()).toBe(true);
    expect(find("x/d/", "directory")).toBe("/root/x/d");
  });

  test("links in a circle end", () => {
    symlinkSync("two", join(root, "one"));
    symlinkSync("one", join(root, "two"));
    expect(() => find("one/x", "directory")).toThrow(expect.objectContaining({ code: "ELOOP" }) as Error);
  });

  test("a file on the way is an error", () => {
    expect(() => find("a/file/x", "directory")).toThrow(expect.objectContaining({ code: "ENOTDIR" }) as Error);
  });

  test("no descriptor is left open", () => {
    const open = () => (needsProc === undefined ? statSync("/proc/self/fd").size : 0);
    const before = open();
    for (let i = 0; i < 50; i++) {
      find("a/b", "leave");
      expect(() => find("a/file/x", "leave")).toThrow();
    }
    expect(open()).toBe(before);
  });
});
