/** What steady traffic notices of a rolling update, and of a node that dies; see README.md beside this file. Exits 0 whatever the figures are. */
import { parseArgs } from "node:util";
import { ways } from "../../test/support/modes.ts";
import { failNode, rollOut, startLoad, startServers, startTrafficCluster } from "../../test/support/traffic-cluster.ts";

const { values } = parseArgs({
  options: {
    rate: { type: "string", default: "500" },
    replicas: { type: "string", default: "10" },
    grace: { type: "string", default: "5s" },
  },
});
const [rate, replicas] = [Number(values.rate), Number(values.replicas)];

for (const way of ways) {
  if (way.missing !== undefined) {
    console.log(`${way.name}: skipped: ${way.missing}`);
    continue;
  }
  const cluster = await startTrafficCluster(way, "bench-rolling", way.mode === "namespaces" ? ["--nodes", "2"] : []);
  try {
    await startServers(cluster, replicas);
    await startLoad(cluster, rate);
    const { outcomes, seconds } = await rollOut(cluster, replicas);
    const { sent, failures } = outcomes;
    console.log(
      `rolling update, ${way.name}: ${replicas} replicas in ${seconds.toFixed(1)} s; ${sent} requests at ${outcomes.rate}/s, ${failures.length} failed`,
    );
    for (const failure of failures.slice(0, 5)) console.log(`  ${failure.error}`);
  } finally {
    await cluster.stop();
  }
}

const way = ways.find(({ mode, missing }) => mode === "namespaces" && missing === undefined);
if (way === undefined) console.log("node failure: skipped: this machine allows no namespaces");
else {
  const cluster = await startTrafficCluster(way, "bench-failure", ["--nodes", "3", "--node-monitor-grace-period", values.grace]);
  try {
    await startServers(cluster, 9);
    await startLoad(cluster, rate, "node-1");
    const { goneAfterMs, backAfterMs, lastFailureMs, outcomes } = await failNode(cluster, "node-2", rate * 2);
    const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;
    console.log(
      `node failure, grace ${values.grace}: endpoints gone after ${seconds(goneAfterMs)}; the last of ${outcomes.failures.length} requests that failed began after ${seconds(lastFailureMs)}, of ${outcomes.sent} at ${outcomes.rate}/s; all endpoints back ${seconds(backAfterMs)} after its power`,
    );
  } finally {
    await cluster.stop();
  }
}
