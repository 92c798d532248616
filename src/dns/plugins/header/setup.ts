import type { TokenReader } from "../../corefile/reader.ts";
import { after, type Handler, type PluginEntry } from "../../plugin.ts";
import type { Message } from "../../wire/message.ts";

type Flags = Partial<Pick<Message, "authoritative" | "recursionAvailable" | "recursionDesired">>;

const flags: Readonly<Record<string, keyof Flags>> = { aa: "authoritative", ra: "recursionAvailable", rd: "recursionDesired" };

export const header: PluginEntry = {
  name: "header",
  setup(reader) {
    const query: Record<string, boolean> = {};
    const response: Record<string, boolean> = {};
    while (reader.next()) {
      if (reader.args().length > 0) throw reader.argumentError();
      while (reader.nextInBlock()) {
        // Without `query` or `response` the old form is meant: flags of the response.
        const target = reader.value === "query" ? query : response;
        const words = reader.value === "query" || reader.value === "response" ? reader.args() : [reader.value, ...reader.args()];
        Object.assign(target, readFlags(reader, words));
      }
    }
    if (Object.keys(query).length + Object.keys(response).length === 0) throw reader.argumentError();
    return { handlers: [handler(query, response)] };
  },
};

/** set|clear FLAG... */
function readFlags(reader: TokenReader, [action = "", ...names]: readonly string[]): Flags {
  if (names.length === 0) throw reader.error("invalid length for flags, at least one should be provided");
  const word = action.toLowerCase();
  if (word !== "set" && word !== "clear") throw reader.error(`unknown flag action=${action}, should be set or clear`);
  return Object.fromEntries(
    names.map((name) => {
      const flag = flags[name.toLowerCase()];
      if (flag === undefined) throw reader.error(`unknown/unsupported flag=${name}; expected ${Object.keys(flags).join(", ")}`);
      return [flag, word === "set"];
    }),
  );
}

function handler(query: Flags, response: Flags): Handler {
  return {
    name: "header",
    repeatable: true,
    serveDNS: (request, next) =>
      after(next({ ...request, message: { ...request.message, ...query } }), (outcome) =>
        outcome.kind === "reply" ? { ...outcome, message: { ...outcome.message, ...response } } : outcome,
      ),
  };
}
