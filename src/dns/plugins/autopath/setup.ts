import { zonesOrBlock } from "../../corefile/zones.ts";
import { nameServersAndSearch } from "./resolv-conf.ts";
import { blockPath } from "../../corefile/sources.ts";
import { errorMessage } from "../../../lib/errors.ts";
import type { DnsRequest, PluginEntry } from "../../plugin.ts";
import { autopathHandler, type SearchPath } from "./handler.ts";

export const autopath: PluginEntry = {
  name: "autopath",
  setup(reader, block) {
    reader.next();
    const args = reader.args();
    const source = args.pop();
    if (source === undefined) throw reader.error("no resolv-conf specified");
    const zones = zonesOrBlock(args, block.zones);
    if (args.length > 0 && zones.length === 0) throw reader.error(`unable to normalize '${args.join(" ")}'`);
    if (reader.nextInBlock()) throw reader.error(`unknown property '${reader.value}'`);
    const count = block.environment.metrics.counter("coredns_autopath_success_total", "Counter of requests that did autopath.", ["server"]);
    const handler = (path: SearchPath) => autopathHandler({ zones, path, shortened: (server) => count.labels(server).inc() });
    if (!source.startsWith("@")) {
      try {
        const search = nameServersAndSearch(block.environment.sources.readFile(blockPath(block, source))).search;
        return { handlers: [handler(() => [...search, ""])] };
      } catch (error) {
        throw reader.error(`failed to parse '${source}': ${errorMessage(error)}`, error);
      }
    }
    const plugin = source.slice(1);
    const path = (request: DnsRequest) =>
      block
        .instances()
        .find((one) => one.plugin === plugin)
        ?.instance.searchPath?.(request);
    return {
      handlers: [handler(path)],
      start() {
        if (block.instances().some((one) => one.plugin === plugin && one.instance.searchPath !== undefined)) return;
        throw reader.error(`no plugin '${plugin}' of this server block knows search paths`);
      },
    };
  },
};
