import type { PluginEntry } from "../../plugin.ts";
import { LoopDetector } from "./handler.ts";

export const loop: PluginEntry = {
  name: "loop",
  setup(reader, { zones, environment, instances }) {
    reader.next();
    if (reader.args().length > 0) throw reader.argumentError();
    const targets = () => instances().flatMap(({ instance }) => instance.upstreams?.() ?? []);
    const detector = new LoopDetector(zones[0] ?? ".", targets, environment);
    return { handlers: [detector], start: () => detector.begin(), stop: () => detector.end() };
  },
};
