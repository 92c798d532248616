import { parseDuration } from "../../corefile/duration.ts";
import type { TokenReader } from "../../corefile/reader.ts";
import type { BlockContext, PluginEntry } from "../../plugin.ts";

const [least, most] = [1000, 24 * 3_600_000];
const durations = { read: "readMs", write: "writeMs", idle: "idleMs" } as const;

export const timeouts: PluginEntry = {
  name: "timeouts",
  setup(reader, block) {
    reader.next();
    if (reader.args().length > 0) throw reader.argumentError();
    let some = false;
    while (reader.nextInBlock()) {
      some = true;
      readProperty(reader, block);
    }
    if (!some) throw reader.error("block with no timeouts specified");
    return {};
  },
};

function readProperty(reader: TokenReader, { listening }: BlockContext): void {
  const property = reader.value;
  const [text = ""] = reader.exactly(1);
  if (property === "maxtcpqueries") {
    listening.maxTcpQueries = readQueries(reader, text);
    return;
  }
  if (property !== "read" && property !== "write" && property !== "idle") {
    throw reader.error(`unknown option: '${property}'; expected read, write, idle or maxtcpqueries`);
  }
  const ms = parseDuration(text) ?? (/^\d+$/.test(text) ? Number(text) * 1000 : undefined);
  if (ms === undefined) throw reader.error(`failed to parse duration '${text}'`);
  if (ms < least || ms > most) throw reader.error(`timeout provided '${text}' needs to be between 1s and 24h`);
  listening[durations[property]] = ms;
}

function readQueries(reader: TokenReader, text: string): number {
  if (!/^-?\d+$/.test(text)) throw reader.error(`invalid maxtcpqueries '${text}'`);
  const count = Number(text);
  if (count !== -1 && count < 1) throw reader.error(`maxtcpqueries needs to be -1 (no limit) or positive: ${count}`);
  return count;
}
