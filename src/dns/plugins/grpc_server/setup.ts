import type { PluginEntry } from "../../plugin.ts";

const properties = { max_streams: "maxStreams", max_connections: "maxConnections" } as const;

export const grpcServer: PluginEntry = {
  name: "grpc_server",
  setup(reader, { listening }) {
    reader.next();
    if (reader.args().length > 0) throw reader.argumentError();
    while (reader.nextInBlock()) {
      const property = reader.value;
      if (property !== "max_streams" && property !== "max_connections") {
        throw reader.error(`unknown property '${property}'; expected max_streams or max_connections`);
      }
      const key = properties[property];
      if (listening[key] !== undefined) throw reader.error(`${property} already defined for this server block`);
      const [text = ""] = reader.exactly(1);
      if (!/^\d+$/.test(text)) throw reader.error(`invalid ${property} value '${text}'; 0 means without limit`);
      listening[key] = Number(text);
    }
    return {};
  },
};
