import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tarOf } from "./tar.ts";

test("what tar unpacks is what went in", () => {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-tar-"));
  try {
    const long = "x".repeat(1537);
    writeFileSync(
      join(directory, "a.tar"),
      tarOf(
        [
          { name: "a.txt", content: Buffer.from("hello") },
          { name: "deep/b.txt", content: Buffer.from(long) },
          { name: "empty", content: Buffer.alloc(0) },
        ],
        1_700_000_000,
      ),
    );
    execFileSync("tar", ["xf", "a.tar"], { cwd: directory });
    expect(readFileSync(join(directory, "a.txt"), "utf8")).toBe("hello");
    expect(readFileSync(join(directory, "deep/b.txt"), "utf8")).toBe(long);
    expect(statSync(join(directory, "empty"))).toMatchObject({ size: 0, mtimeMs: 1_700_000_000_000 });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test("a name that the format cannot hold is refused", () => {
  expect(() => tarOf([{ name: "x".repeat(101), content: Buffer.alloc(0) }], 0)).toThrow(RangeError);
});
