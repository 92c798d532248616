/**
 * A node loses its power, again and again, under steady traffic through its endpoints:
 *   sh bin/node bench/soak/node-deaths.ts [--deaths 20] [--rate 500] [--grace 5s]
 * Ends with code 1 when the endpoints of a dead node stay longer than the grace period and a second, or a request fails that began later.
 */
import { parseArgs } from "node:util";
import { durationOption } from "../../src/cli/options.ts";
import { ways } from "../../test/support/modes.ts";
import { failNode, startLoad, startServers, startTrafficCluster } from "../../test/support/traffic-cluster.ts";

const { values } = parseArgs({
  options: {
    deaths: { type: "string", default: "20" },
    rate: { type: "string", default: "500" },
    grace: { type: "string", default: "5s" },
  },
});
const way = ways.find(({ mode, missing }) => mode === "namespaces" && missing === undefined);
if (way === undefined) throw new Error("this machine allows no namespaces: a node is this whole machine");
const rate = Number(values.rate);
const limitMs = durationOption(values.grace) + 1000;
let faults = 0;

for (let death = 1; death <= Number(values.deaths); death++) {
  const cluster = await startTrafficCluster(way, "soak-deaths", ["--nodes", "3", "--node-monitor-grace-period", values.grace]);
  try {
    await startServers(cluster, 9);
    await startLoad(cluster, rate, "node-1");
    const { goneAfterMs, outcomes, lastFailureMs } = await failNode(cluster, "node-2", rate * 2);
    const late = lastFailureMs > limitMs;
    const last = outcomes.failures.reduce((a, b) => (b.at > a.at ? b : a));
    if (late || goneAfterMs > limitMs) faults++;
    console.log(
      `${death}: endpoints gone after ${goneAfterMs} ms; of ${outcomes.sent} requests at ${outcomes.rate}/s ${outcomes.failures.length} failed, the last began after ${lastFailureMs} ms (${last.error})${late ? ": TOO LATE" : ""}`,
    );
  } finally {
    await cluster.stop();
  }
}
console.log(
  faults === 0 ? `no request that began after ${limitMs} ms failed` : `${faults} of ${values.deaths} deaths were noticed too late`,
);
process.exitCode = faults === 0 ? 0 : 1;
