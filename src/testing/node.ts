/**
 * For Node's own test runner: a cluster for the tests of a file or a `describe`.
 *
 *     const cluster = useCluster({ fixtures: "k8s/" });
 *     test("the shop opens", async () => { await cluster().untilReady("service/shop"); });
 */
import { after, before } from "node:test";
import { FairleadError } from "../lib/errors.ts";
import { startCluster, type StartClusterOptions, type TestCluster } from "./index.ts";

/** Started before the first test and stopped after the last one. What it returns throws FL_NOT_RUNNING outside of tests. */
export function useCluster(options: StartClusterOptions = {}): () => TestCluster {
  let running: TestCluster | undefined;
  before(async () => {
    running = await startCluster(options);
  });
  after(async () => {
    await running?.stop();
    running = undefined;
  });
  return () => {
    if (running === undefined)
      throw new FairleadError("FL_NOT_RUNNING", "the cluster runs from the first test to the last: ask for it inside a test");
    return running;
  };
}
