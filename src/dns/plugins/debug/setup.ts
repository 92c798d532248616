import type { PluginEntry } from "../../plugin.ts";

/** A fault in a plugin is always logged with its stack and never ends the program: the directive is there for Corefiles that have it. */
export const debug: PluginEntry = {
  name: "debug",
  setup(reader) {
    while (reader.next()) if (reader.args().length > 0) throw reader.argumentError();
    return {};
  },
};
