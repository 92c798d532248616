import { matchZone } from "../../../decide/dns/name.ts";
import { zonesOrBlock } from "../../corefile/zones.ts";
import type { BlockContext, Handler, PluginEntry } from "../../plugin.ts";

export const metadata: PluginEntry = {
  name: "metadata",
  setup(reader, block) {
    reader.next();
    const zones = zonesOrBlock(reader.args(), block.zones);
    if (reader.nextInBlock()) throw reader.error(`unexpected property '${reader.value}'`);
    return { handlers: [handler(zones, block.instances)] };
  },
};

/** `plugin/label`, both not empty. */
export const isLabel = (text: string): boolean => /^[^/]+(\/[^/]+)+$/.test(text);

/** Collects what the plugins of the block tell about the query; values are worked out only where one is read. */
function handler(zones: readonly string[], instances: BlockContext["instances"]): Handler {
  return {
    name: "metadata",
    serveDNS(request, next) {
      if (matchZone(zones, request.name) === undefined) return next(request);
      const labels = new Map(request.labels);
      for (const { instance } of instances()) for (const [label, value] of instance.labels?.(request) ?? []) labels.set(label, value);
      return next({ ...request, labels });
    },
  };
}
