import { defineConfig } from "vitest/config";

/** Tests that look at the whole machine: nothing else may run beside them. */
const alone = ["test/scenarios/leaks.test.ts"];

const shared = { testTimeout: 20_000, hookTimeout: 20_000 };

export default defineConfig({
  test: {
    // Scenario tests start clusters and processes, and mostly wait for them: three at a time keep two cores busy and starve none of them.
    maxWorkers: 3,
    projects: [
      {
        test: {
          ...shared,
          name: "all",
          include: ["src/**/*.test.ts", "test/**/*.test.ts", "scripts/**/*.test.ts", "web/**/*.test.ts"],
          exclude: alone,
          sequence: { groupOrder: 0 },
        },
      },
      { test: { ...shared, name: "alone", include: alone, fileParallelism: false, sequence: { groupOrder: 1 } } },
    ],
  },
});
