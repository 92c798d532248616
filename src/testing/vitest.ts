/**
 * For Vitest: a test that is given a cluster.
 *
 *     const test = clusterTest({ fixtures: "k8s/" });
 *     test("the shop opens", async ({ cluster }) => { … });
 */
import { test as base, type TestAPI } from "vitest";
import { startCluster, type StartClusterOptions, type TestCluster } from "./index.ts";

export interface ClusterFixture {
  readonly cluster: TestCluster;
}

export interface ClusterTestOptions extends StartClusterOptions {
  /** `test` (default): each test has its own, started only where a test names it. `file`: the tests of a file share one. */
  readonly scope?: "test" | "file";
}

/** Vitest's `test`, extended; clusters are stopped by themselves. */
export function clusterTest({ scope = "test", ...options }: ClusterTestOptions = {}): TestAPI<ClusterFixture> {
  return base.extend<ClusterFixture>({
    cluster: [
      // Vitest reads which fixtures this one needs from the pattern.
      // oxlint-disable-next-line no-empty-pattern
      async ({}, use) => {
        const cluster = await startCluster(options);
        try {
          await use(cluster);
        } finally {
          await cluster.stop();
        }
      },
      { scope },
    ],
  });
}
