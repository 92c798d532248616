import type { TokenReader } from "../../corefile/reader.ts";
import type { HttpLease, PluginEntry } from "../../plugin.ts";
import { prometheusHandler } from "./handler.ts";
import { registerRuntimeMetrics } from "./runtime-metrics.ts";

export const prometheus: PluginEntry = {
  name: "prometheus",
  setup(reader, { zones, environment, instances }) {
    reader.next();
    const [address = "localhost:9153", ...more] = reader.args();
    if (more.length > 0) throw reader.argumentError();
    if (!/:\d+$/.test(address)) throw reader.error(`address ${address}: missing port in address`);
    while (reader.nextInBlock()) readProperty(reader);
    registerRuntimeMetrics(environment.metrics);
    const enabled = environment.metrics.gauge(
      "coredns_plugin_enabled",
      "A metric that indicates whether a plugin is enabled on per server and zone basis.",
      ["server", "zone", "view", "name"],
    );
    let lease: HttpLease | undefined;
    return {
      handlers: [prometheusHandler(zones, environment)],
      async start() {
        for (const zone of zones) for (const { plugin } of instances()) enabled.labels("", zone, "", plugin).set(1);
        lease = await environment.http.open(address, "/metrics", () => ({
          status: 200,
          body: environment.metrics.text(),
          type: "text/plain; version=0.0.4; charset=utf-8",
        }));
      },
      stop: () => lease?.release(),
    };
  },
};

/** `runtime_metrics` is on always: there is nothing that it costs. */
function readProperty(reader: TokenReader): void {
  if (reader.value === "tls") throw reader.error("property 'tls' of prometheus is not supported here: bind it to a private address");
  if (reader.value !== "runtime_metrics") throw reader.error(`unknown property '${reader.value}'; expected runtime_metrics`);
  reader.exactly(0);
}
