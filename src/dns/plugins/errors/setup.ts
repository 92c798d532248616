import { errorMessage } from "../../../lib/errors.ts";
import { parseDuration } from "../../corefile/duration.ts";
import type { TokenReader } from "../../corefile/reader.ts";
import type { PluginEntry } from "../../plugin.ts";
import { ErrorsHandler, type Consolidation } from "./handler.ts";

const levels: Readonly<Record<string, Consolidation["level"]>> = { warning: "warn", error: "error", info: "info", debug: "debug" };

export const errors: PluginEntry = {
  name: "errors",
  setup(reader, { environment }) {
    reader.next();
    const [output, ...more] = reader.args();
    if (more.length > 0 || (output !== undefined && output !== "stdout")) throw reader.error(`invalid log file: ${output}`);
    const consolidations: Consolidation[] = [];
    while (reader.nextInBlock()) {
      // A fault is always logged with its stack: there is nothing to switch on.
      if (reader.value === "stacktrace") reader.exactly(0);
      else if (reader.value === "consolidate") consolidations.push(readConsolidation(reader));
      else throw reader.error(`unknown property '${reader.value}'; expected consolidate or stacktrace`);
    }
    const handler = new ErrorsHandler(consolidations, environment);
    return { handlers: [handler], stop: () => handler.stop() };
  },
};

/** consolidate DURATION REGEXP [LEVEL] [show_first] */
function readConsolidation(reader: TokenReader): Consolidation {
  const [duration = "", source, ...options] = reader.args();
  const periodMs = parseDuration(duration);
  if (source === undefined || options.length > 2) throw reader.argumentError();
  if (periodMs === undefined || periodMs <= 0) throw reader.error(`invalid duration '${duration}'`);
  const showFirst = options.at(-1) === "show_first";
  const [level = "error", ...rest] = showFirst ? options.slice(0, -1) : options;
  const known = levels[level];
  if (known === undefined || rest.length > 0)
    throw reader.error(`unknown log level argument in consolidate: ${[level, ...rest].join(" ")}`);
  try {
    return { pattern: new RegExp(source), periodMs, level: known, showFirst };
  } catch (error) {
    throw reader.error(errorMessage(error), error);
  }
}
