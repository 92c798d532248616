import { rcodes, recordTypes } from "../../../decide/dns/records.ts";
import { after, type Handler, type PluginEntry } from "../../plugin.ts";
import type { Message } from "../../wire/message.ts";

export const minimal: PluginEntry = {
  name: "minimal",
  setup(reader) {
    reader.next();
    if (reader.args().length > 0 || reader.nextInBlock()) throw reader.argumentError();
    return { handlers: [handler] };
  },
};

const handler: Handler = {
  name: "minimal",
  repeatable: true,
  serveDNS: (request, next) =>
    after(next(request), (outcome) => (outcome.kind === "reply" ? { ...outcome, message: minimize(outcome.message) } : outcome)),
};

/** Only what the client asked for: denials keep their SOA, referrals their servers. */
export function minimize(message: Message): Message {
  const answers = message.rcode === rcodes.NOERROR && message.answers.length > 0;
  const zone = message.answers.some(({ type }) => type === recordTypes.SOA) && message.answers.length > 1;
  return answers && !zone ? { ...message, authorities: [], additionals: [] } : message;
}
