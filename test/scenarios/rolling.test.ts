/** A rolling update under steady traffic, in every way that a machine may run a cluster: no request fails. `bench/kubelet/traffic.ts` does it at 500/s. */
import { describe, expect, test } from "vitest";
import { ways } from "../support/modes.ts";
import { rollOut, startLoad, startServers, startTrafficCluster } from "../support/traffic-cluster.ts";

const replicas = 10;
/** What a busy machine holds as well; the figure that counts is that none fails. */
const rate = 50;

describe.each(ways)("$name", (way) => {
  test(`all of ${replicas} replicas are replaced, and every request is answered`, { timeout: 300_000 }, async (context) => {
    if (way.missing !== undefined) return context.skip(way.missing);
    const nodes = way.mode === "namespaces" ? ["--nodes", "2"] : [];
    const cluster = await startTrafficCluster(way, "rolling", nodes);
    try {
      await startServers(cluster, replicas);
      await startLoad(cluster, rate);
      const { outcomes } = await rollOut(cluster, replicas);
      expect(outcomes.failures).toEqual([]);
      expect(outcomes.answered).toBe(outcomes.sent);
      // Old and new ones have answered.
      expect(Object.keys(outcomes.by).length).toBeGreaterThan(replicas);
    } finally {
      await cluster.stop();
    }
  });
});
