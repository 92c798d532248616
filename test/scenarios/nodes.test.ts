/** A node that dies: noticed within the grace period, out of service, and back when it has power again. `bench/kubelet/traffic.ts` has the times. */
import { describe, expect, test } from "vitest";
import { ways } from "../support/modes.ts";
import { failNode, startLoad, startServers, startTrafficCluster } from "../support/traffic-cluster.ts";

const way = ways.find(({ mode, missing }) => mode === "namespaces" && missing === undefined);

describe("a node that loses its power", () => {
  test("its endpoints leave, no request fails after, and they come back", { timeout: 300_000 }, async (context) => {
    if (way === undefined) return context.skip("this machine allows no namespaces: a node is this whole machine");
    const cluster = await startTrafficCluster(way, "nodes", ["--nodes", "3", "--node-monitor-grace-period", "3s"]);
    try {
      await startServers(cluster, 6);
      await startLoad(cluster, 30, "node-1");
      const { lastFailureMs, goneAfterMs, outcomes } = await failNode(cluster, "node-2", 60);
      // The proxies hear of it when we do; a busy machine may be a little behind.
      expect(lastFailureMs).toBeLessThan(goneAfterMs + 1500);
      // Nobody knew before: a node is given its grace, less the time since its last sign of life.
      expect(goneAfterMs).toBeGreaterThan(3000 - 3000 / 5 - 200);
      expect(outcomes.answered).toBe(outcomes.sent - outcomes.failures.length);
    } finally {
      await cluster.stop();
    }
  });
});
