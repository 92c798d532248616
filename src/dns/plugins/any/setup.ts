import { recordTypes } from "../../../decide/dns/records.ts";
import { reply, type Handler, type PluginEntry } from "../../plugin.ts";
import { createReply } from "../../wire/message.ts";

const ttl = 8482;

/** RFC 8482 4.2: one record that nobody can use to amplify. */
const handler: Handler = {
  name: "any",
  repeatable: true,
  serveDNS(request, next) {
    const { question, message } = request;
    if (question.type !== recordTypes.ANY) return next(request);
    const data = { kind: "hinfo", cpu: "ANY obsoleted", os: "See RFC 8482" } as const;
    const answers = [{ name: question.name, type: recordTypes.HINFO, class: question.class, ttl, data }];
    return reply("any", createReply(message, { answers }));
  },
};

export const any: PluginEntry = {
  name: "any",
  setup(reader) {
    while (reader.next()) if (reader.args().length > 0) throw reader.argumentError();
    return { handlers: [handler] };
  },
};
