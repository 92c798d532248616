import type { TokenReader } from "../../corefile/reader.ts";
import { zonesOf } from "../../corefile/zones.ts";
import type { PluginEntry } from "../../plugin.ts";
import { commonFormat, parseFormat } from "./format.ts";
import { logHandler, type LogClass, type LogRule } from "./handler.ts";

const classes: readonly LogClass[] = ["all", "success", "denial", "error"];

export const log: PluginEntry = {
  name: "log",
  setup(reader, { environment }) {
    const rules: LogRule[] = [];
    while (reader.next()) rules.push(readRule(reader));
    return { handlers: [logHandler(rules, environment)] };
  },
};

/** [ZONES...] [FORMAT] */
function readRule(reader: TokenReader): LogRule {
  const args = reader.args();
  const at = args.findIndex((arg) => arg.includes("{"));
  const named = at < 0 ? args : args.slice(0, at);
  const format = at < 0 ? commonFormat : args.slice(at).join(" ");
  const told = new Set<LogClass>();
  while (reader.nextInBlock()) {
    if (reader.value !== "class") throw reader.error(`unknown property '${reader.value}'; expected class`);
    const words = reader.args();
    if (words.length === 0) throw reader.argumentError();
    for (const word of words) {
      const known = classes.find((one) => one === word);
      if (known === undefined) throw reader.error(`invalid class: ${word}; expected ${classes.join(", ")}`);
      told.add(known);
    }
  }
  const zones = named.length === 0 ? ["."] : named.flatMap(zonesOf);
  return { zones, format: parseFormat(format), classes: told.size === 0 ? new Set(["all"]) : told };
}
