import type { PluginEntry } from "../../plugin.ts";
import { loadbalanceHandler } from "./handler.ts";

export const loadbalance: PluginEntry = {
  name: "loadbalance",
  setup(reader, { environment }) {
    reader.next();
    const [policy = "round_robin", ...more] = reader.args();
    if (policy === "weighted") throw reader.error("policy 'weighted' is not supported here; expected round_robin");
    if (policy !== "round_robin" || more.length > 0) throw reader.error(`unknown policy: ${[policy, ...more].join(" ")}`);
    if (reader.nextInBlock()) throw reader.error(`unknown property '${reader.value}'`);
    return { handlers: [loadbalanceHandler(environment.random)] };
  },
};
