import type { TokenReader } from "../../corefile/reader.ts";
import type { PluginEntry } from "../../plugin.ts";
import { rewriteHandler } from "./handler.ts";
import { RuleError } from "./match.ts";
import { readRule, type Rule } from "./rules.ts";

export const rewrite: PluginEntry = {
  name: "rewrite",
  setup(reader) {
    const rules: Rule[] = [];
    while (reader.next()) rules.push(read(reader));
    return { handlers: [rewriteHandler(rules)] };
  },
};

/** A rule on one line, or in braces over several: all words count as one. */
function read(reader: TokenReader): Rule {
  const words = reader.args();
  if (words.length < 2) while (reader.nextInBlock()) words.push(reader.value);
  try {
    return readRule(words);
  } catch (error) {
    throw error instanceof RuleError ? reader.error(error.message, error) : error;
  }
}
