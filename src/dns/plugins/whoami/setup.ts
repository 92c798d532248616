import { isDomainName, under } from "../../../decide/dns/name.ts";
import { addressRecord, classes, recordTypes } from "../../../decide/dns/records.ts";
import { reply, type PluginEntry } from "../../plugin.ts";
import { createReply } from "../../wire/message.ts";

export const whoami: PluginEntry = {
  name: "whoami",
  setup(reader) {
    reader.next();
    if (reader.args().length > 0) throw reader.argumentError();
    return {
      handlers: [
        {
          name: "whoami",
          serveDNS({ message, question, client }) {
            const port = { priority: 0, weight: 0, port: client.port, target: "." };
            const owner = under(`_${client.protocol}`, question.name);
            const srv = {
              name: owner,
              type: recordTypes.SRV,
              class: classes.IN,
              ttl: 0,
              data: { kind: "srv", ...port } as const,
            };
            return reply(
              "whoami",
              createReply(message, {
                authoritative: true,
                additionals: [addressRecord(question.name, 0, client.address), ...(isDomainName(owner) ? [srv] : [])],
              }),
            );
          },
        },
      ],
    };
  },
};
