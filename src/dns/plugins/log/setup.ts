import type { PluginEntry } from "../../plugin.ts";
import { zonesOrBlock } from "../../corefile/zones.ts";
import { logHandler } from "./handler.ts";

export const log: PluginEntry = {
  name: "log",
  setup(reader, { zones, environment }) {
    reader.next();
    const args = reader.args();
    while (reader.nextInBlock()) throw reader.error(`property '${reader.value}' of log is not supported here`);
    const named = args.filter((arg) => !arg.includes("{"));
    if (named.length !== args.length) throw reader.error("a format of its own is not supported here; expected zones only");
    return { handlers: [logHandler(zonesOrBlock(named, zones), environment)] };
  },
};
