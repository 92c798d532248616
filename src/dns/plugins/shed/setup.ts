import type { PluginEntry } from "../../plugin.ts";

/** Beyond so many queries under way a new one waits longer than its client does. */
const underWay = 1024;

export const shed: PluginEntry = {
  name: "shed",
  setup(reader, block) {
    while (reader.next()) if (reader.args().length > 0) throw reader.argumentError();
    const other = block.transports.find((transport) => transport !== "dns");
    if (other !== undefined) throw reader.error(`shed is for plain DNS, and this server block has a ${other}:// key`);
    block.listening.shedAbove = underWay;
    return {};
  },
};
