import { formatIp, parseIp } from "../../../lib/ip.ts";
import type { PluginEntry } from "../../plugin.ts";

export const bind: PluginEntry = {
  name: "bind",
  setup(reader, block) {
    while (reader.next()) {
      const addresses = reader.args();
      if (addresses.length === 0) throw reader.error("at least one address or interface name is expected");
      const hosts = addresses.map((text) => {
        const ip = parseIp(text);
        if (ip === undefined) throw reader.error(`not a valid IP address: ${text}; names of interfaces are not supported here`);
        return formatIp(ip);
      });
      if (reader.nextInBlock()) throw reader.error(`property '${reader.value}' of bind is not supported here`);
      block.bind = [...new Set([...block.bind, ...hosts])];
    }
    return {};
  },
};
