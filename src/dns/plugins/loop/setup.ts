import type { PluginEntry } from "../../plugin.ts";
import { LoopDetector } from "./handler.ts";

export const loop: PluginEntry = {
  name: "loop",
  setup(reader, { zones, environment }) {
    reader.next();
    if (reader.args().length > 0) throw reader.argumentError();
    const detector = new LoopDetector(zones[0] ?? ".", environment);
    return { handlers: [detector], start: () => detector.begin(), stop: () => detector.end() };
  },
};
