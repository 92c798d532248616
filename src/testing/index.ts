/**
 * `import { startCluster } from "fairlead/testing"`: a real API server, controllers, proxy, DNS and a node in this process, for
 * tests. Objects live in memory, pods are functions (or processes), nothing listens outside loopback, and `stop` (or
 * `await using`) gives everything back. Many clusters may run side by side in one process. docs/testing.md tells more.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCluster } from "../cmd/cluster.ts";
import { clusterPaths } from "../cli/paths.ts";
import { silentLogger } from "../lib/log.ts";
import { createFaults } from "./faults/index.ts";
import { createRest } from "./rest.ts";
import { createTestClock } from "./test-clock.ts";
import { createTestCluster, testUser } from "./test-cluster.ts";
import type { StartClusterOptions, TestCluster } from "./types.ts";

/** What a client is asked for: `cluster.client.list(resources.configMaps)`. */
export * as resources from "../api/resources.ts";
export type { PodFunction, PodFunctionContext } from "../cmd/cluster-options.ts";
export type { Explanation, Question } from "../decide/explain/explanation.ts";
export type { Client } from "../client/client.ts";
export type { Faults } from "./faults/index.ts";
export type { ApiClient, From, Partition, SlowWatch } from "./faults/api.ts";
export type { DnsFault } from "./faults/dns.ts";
export type { EndpointFault } from "./faults/endpoints.ts";
export type { Fault } from "./faults/fault.ts";
export type { FetchInit } from "./fetch.ts";
export type { TestClock } from "./test-clock.ts";
export type { StartClusterOptions, TestCluster } from "./types.ts";
export type { UntilReadyOptions } from "./until-ready.ts";

/** Resolves when the API, DNS and the node are ready and `manifests` and `fixtures` are applied. Throws FL_MANIFEST for those that are wrong. */
export async function startCluster(options: StartClusterOptions = {}): Promise<TestCluster> {
  const root = mkdtempSync(join(tmpdir(), "fairlead-test-"));
  const rest = createRest();
  const clock = createTestClock({ settle: rest.settle });
  const { faults, interference, attach } = createFaults({ clock, rest, ownUser: testUser });
  const discard = () => {
    clock.close();
    rmSync(root, { recursive: true, force: true });
  };
  try {
    const cluster = await createCluster({
      name: "test",
      paths: clusterPaths(root),
      clock,
      log: options.log ?? silentLogger,
      storage: options.storage ?? "memory",
      encode: options.encode ?? false,
      apiPort: 0,
      listen: false,
      smallNetwork: true,
      interference,
      disable: options.disable ?? [],
      runtime: options.runtime === "process" ? { kind: "process" } : { kind: "function", functions: options.functions ?? {} },
    });
    attach(cluster.informers);
    const test = createTestCluster({ cluster, clock, faults, discard });
    await withFixtures(test, options);
    return test;
  } catch (error) {
    discard();
    throw error;
  }
}

async function withFixtures(test: TestCluster, { manifests, fixtures = [] }: StartClusterOptions): Promise<void> {
  try {
    if (manifests !== undefined) await test.apply(manifests);
    if (fixtures.length > 0) await test.applyFiles(...[fixtures].flat());
  } catch (error) {
    await test.stop();
    throw error;
  }
}
