/**
 * For Node's own test runner: a cluster for the tests of a file or a `describe`.
 *
 *     const cluster = useCluster({ fixtures: "k8s/" });
 *     test("the shop opens", async () => { await cluster().untilReady("service/shop"); });
 */
import { after, before } from "node:test";
import { FairleadError } from "../lib/errors.ts";
import { startCluster, type StartClusterOptions, type TestCluster } from "./index.ts";

/** What else the tests need: gets the cluster, and may return what ends it. */
export type Begin = (cluster: TestCluster) => Promise<(() => unknown) | void>;

/**
 * Started before the first test, then `begin`; stopped after the last one, in the other order. (Not by hooks of their own: those of
 * a file run at the same time.) What it returns throws FL_NOT_RUNNING outside of tests.
 */
export function useCluster(options: StartClusterOptions = {}, begin: Begin = async () => undefined): () => TestCluster {
  let running: TestCluster | undefined;
  let end: (() => unknown) | void = undefined;
  before(async () => {
    running = await startCluster(options);
    end = await begin(running);
  });
  after(async () => {
    await end?.();
    await running?.stop();
    running = undefined;
  });
  return () => {
    if (running === undefined)
      throw new FairleadError("FL_NOT_RUNNING", "the cluster runs from the first test to the last: ask for it inside a test");
    return running;
  };
}
