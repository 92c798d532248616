import type { PluginEntry } from "../../plugin.ts";

export const https: PluginEntry = {
  name: "https",
  setup(reader, { listening }) {
    reader.next();
    if (reader.args().length > 0) throw reader.argumentError();
    while (reader.nextInBlock()) {
      if (reader.value !== "max_connections") throw reader.error(`unknown property '${reader.value}'; expected max_connections`);
      if (listening.maxConnections !== undefined) throw reader.error("max_connections already defined for this server block");
      const [text = ""] = reader.exactly(1);
      if (!/^\d+$/.test(text)) throw reader.error(`invalid max_connections value '${text}'; 0 means without limit`);
      listening.maxConnections = Number(text);
    }
    return {};
  },
};
