import type { HttpLease, PluginEntry } from "../../plugin.ts";
import { prometheusHandler } from "./handler.ts";

export const prometheus: PluginEntry = {
  name: "prometheus",
  setup(reader, { zones, environment }) {
    reader.next();
    const [address = "localhost:9153", ...more] = reader.args();
    if (more.length > 0) throw reader.argumentError();
    if (!address.includes(":")) throw reader.error(`address ${address}: missing port in address`);
    if (reader.nextInBlock()) throw reader.error(`property '${reader.value}' of prometheus is not supported here`);
    let lease: HttpLease | undefined;
    return {
      handlers: [prometheusHandler(zones, environment)],
      async start() {
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
