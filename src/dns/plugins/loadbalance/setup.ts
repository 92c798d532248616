import { errorMessage } from "../../../lib/errors.ts";
import type { Timer } from "../../../lib/clock.ts";
import { parseCidr, type Cidr } from "../../../lib/ip.ts";
import { parseDuration } from "../../corefile/duration.ts";
import type { TokenReader } from "../../corefile/reader.ts";
import { blockPath } from "../../corefile/sources.ts";
import type { BlockContext, PluginEntry, PluginInstance } from "../../plugin.ts";
import { loadbalanceHandler, preferring, shuffling, weighting } from "./handler.ts";
import { parseWeights, type Weights } from "./weights.ts";

const defaultReloadMs = 30_000;

export const loadbalance: PluginEntry = {
  name: "loadbalance",
  setup(reader, block) {
    reader.next();
    const [policy = "round_robin", ...args] = reader.args();
    if (policy === "weighted") return weighted(reader, block, args);
    if (policy !== "round_robin" || args.length > 0) throw reader.error(`unknown property: ${[policy, ...args].join(" ")}`);
    const preferred: Cidr[] = [];
    while (reader.nextInBlock()) {
      if (reader.value !== "prefer") throw reader.error(`unknown property '${reader.value}'; expected prefer`);
      preferred.push(...readPreferred(reader));
    }
    const shuffle = shuffling(block.environment.random);
    return { handlers: [loadbalanceHandler(preferred.length === 0 ? shuffle : preferring(preferred, shuffle), preferred.length === 0)] };
  },
};

function readPreferred(reader: TokenReader): readonly Cidr[] {
  const args = reader.args();
  if (args.length === 0) throw reader.argumentError();
  return args.map((text) => {
    const cidr = parseCidr(text);
    if (cidr === undefined) throw reader.error(`invalid CIDR '${text}'`);
    return cidr;
  });
}

/** weighted FILE */
function weighted(reader: TokenReader, block: BlockContext, args: readonly string[]): PluginInstance {
  const [file, ...more] = args;
  if (file === undefined) throw reader.error("missing weight file argument");
  if (more.length > 0) throw reader.error(`unexpected argument '${more.join(" ")}'`);
  let reloadMs = defaultReloadMs;
  while (reader.nextInBlock()) {
    if (reader.value !== "reload") throw reader.error(`unknown property '${reader.value}'; expected reload`);
    const [text] = reader.args();
    if (text === undefined) throw reader.error("reload duration value is missing");
    const ms = parseDuration(text);
    if (ms === undefined || ms < 0) throw reader.error(`invalid reload duration '${text}'`);
    reloadMs = ms;
  }
  const { clock, log, random, sources } = block.environment;
  const path = blockPath(block, file);
  let weights: Weights = new Map();
  let timer: Timer | undefined;
  const load = () => {
    try {
      const parsed = parseWeights(sources.readFile(path));
      if (parsed.kind === "ok") weights = parsed.weights;
      else log.error(`loadbalance: ${path} is not used`, { reason: parsed.reason });
    } catch (error) {
      log.error(`loadbalance: ${path} cannot be read`, { error: errorMessage(error) });
    }
    if (reloadMs > 0) timer = clock.after(reloadMs, load);
  };
  return {
    handlers: [
      loadbalanceHandler(
        weighting(() => weights, random),
        false,
      ),
    ],
    start: load,
    stop: () => timer?.cancel(),
  };
}
