import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Pod } from "../../api/types.ts";
import { diskUsage } from "./disk-usage.ts";
import { limitsStorage, storageEviction } from "./storage-limits.ts";

const pod = (volumes: object, ...limits: readonly (string | undefined)[]): Pod =>
  ({
    metadata: { name: "p" },
    spec: {
      volumes: Object.entries(volumes).map(([name, emptyDir]: [string, object]) => ({ name, emptyDir })),
      containers: limits.map((limit, i) => ({
        name: `c${i}`,
        ...(limit === undefined ? {} : { resources: { limits: { "ephemeral-storage": limit } } }),
      })),
    },
  }) as unknown as Pod;
const used = (volumes: Record<string, number>, containers: Record<string, number>) => ({
  volumes: new Map(Object.entries(volumes)),
  containers: new Map(Object.entries(containers)),
});

test.each([
  ["nothing is limited", pod({ v: {} }, undefined), used({ v: 1e12 }, { c0: 1e12 }), undefined],
  ["as much as it may", pod({ v: { sizeLimit: "1Ki" } }, undefined), used({ v: 1024 }, {}), undefined],
  ["a volume", pod({ v: { sizeLimit: "1Ki" } }, "1Gi"), used({ v: 1025 }, {}), 'Usage of EmptyDir volume "v" exceeds the limit "1Ki". '],
  [
    "a volume in memory is the kernel's affair",
    pod({ v: { sizeLimit: "1Ki", medium: "Memory" } }, undefined),
    used({ v: 9999 }, {}),
    undefined,
  ],
  [
    "the pod with its volumes",
    pod({ v: {} }, "5Mi"),
    used({ v: 3 * 2 ** 20 }, { c0: 3 * 2 ** 20 }),
    "Pod ephemeral local storage usage exceeds the total limit of containers 5Mi. ",
  ],
  [
    "one container of two",
    pod({}, "1Mi", "9Mi"),
    used({}, { c0: 2 * 2 ** 20, c1: 1 }),
    'Container c0 exceeded its local ephemeral storage limit "1Mi". ',
  ],
])("%s", (_, object, usage, message) => {
  expect(storageEviction(object, usage)).toBe(message);
});

test("only pods with limits are measured", () => {
  expect([pod({ v: {} }, undefined), pod({ v: { sizeLimit: "1" } }, undefined), pod({}, "1")].map(limitsStorage)).toEqual([
    false,
    true,
    true,
  ]);
});

test("a directory's files are added up, links are not followed, and what is not there takes nothing", async () => {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-usage-"));
  mkdirSync(join(directory, "a/b"), { recursive: true });
  writeFileSync(join(directory, "a/b/f"), Buffer.alloc(100_000, 1));
  symlinkSync("/", join(directory, "root"));
  const bytes = await diskUsage(directory);
  expect(bytes).toBeGreaterThanOrEqual(100_000);
  expect(bytes).toBeLessThan(200_000);
  expect(await diskUsage(join(directory, "none"))).toBe(0);
  rmSync(directory, { recursive: true });
});
