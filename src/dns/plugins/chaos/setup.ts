import { hostname } from "node:os";
import { classes, recordTypes } from "../../../decide/dns/records.ts";
import { reply, type Handler, type PluginEntry } from "../../plugin.ts";
import { createReply } from "../../wire/message.ts";

const defaultVersion = "fairlead";

export const chaos: PluginEntry = {
  name: "chaos",
  setup(reader) {
    reader.next();
    const [version = defaultVersion, ...authors] = reader.args();
    if (reader.nextInBlock()) throw reader.error(`unknown property '${reader.value}'`);
    return { handlers: [handler(version, authors)] };
  },
};

const cut = (text: string): string => text.slice(0, 255);

function handler(version: string, authors: readonly string[]): Handler {
  const texts: Readonly<Record<string, () => readonly string[]>> = {
    "authors.bind.": () => authors,
    "version.bind.": () => [version],
    "version.server.": () => [version],
    "hostname.bind.": () => [hostname()],
    "id.server.": () => [hostname()],
  };
  return {
    name: "chaos",
    serveDNS(request, next) {
      const { question, name, message } = request;
      const found = question.class === classes.CH && question.type === recordTypes.TXT ? texts[name] : undefined;
      if (found === undefined) return next(request);
      const answers = found().map((text) => ({
        name: question.name,
        type: recordTypes.TXT,
        class: classes.CH,
        ttl: 0,
        data: { kind: "txt", strings: [cut(text)] } as const,
      }));
      return reply("chaos", createReply(message, { answers }));
    },
  };
}
