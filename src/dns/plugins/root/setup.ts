import { statSync } from "node:fs";
import { blockPath } from "../../corefile/sources.ts";
import type { PluginEntry } from "../../plugin.ts";

export const root: PluginEntry = {
  name: "root",
  setup(reader, block) {
    while (reader.next()) {
      const [path = ""] = reader.exactly(1);
      const folder = blockPath(block, path);
      const status = statSync(folder, { throwIfNoEntry: false });
      if (status === undefined) block.environment.log.warn(`root path ${folder} does not exist`);
      else if (!status.isDirectory()) throw reader.error(`root path ${folder} is no directory`);
      block.root = folder;
    }
    return {};
  },
};
