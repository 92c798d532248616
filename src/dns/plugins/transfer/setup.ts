import { formatIp, parseIp } from "../../../lib/ip.ts";
import { parseServer } from "../../corefile/servers.ts";
import { zonesOrBlock } from "../../corefile/zones.ts";
import type { TokenReader } from "../../corefile/reader.ts";
import type { PluginEntry } from "../../plugin.ts";
import { Notifier } from "./notify.ts";
import { transferHandler, type TransferRule } from "./handler.ts";

type Draft = { -readonly [K in keyof TransferRule]: TransferRule[K] };

export const transfer: PluginEntry = {
  name: "transfer",
  setup(reader, block) {
    const rules: TransferRule[] = [];
    while (reader.next()) {
      const draft: Draft = { zones: zonesOrBlock(reader.args(), block.zones), to: [], source: undefined };
      if (draft.zones.length === 0) throw reader.error("no zone of this transfer can be read");
      while (reader.nextInBlock()) readProperty(reader, draft);
      if (draft.to.length === 0) throw reader.error("'to' is required");
      rules.push(draft);
    }
    const sources = () =>
      block.instances().flatMap(({ plugin, instance }) => (instance.zones === undefined ? [] : [{ plugin, zones: instance.zones }]));
    const notifier = new Notifier(rules, block.environment);
    const stops: (() => void)[] = [];
    return {
      handlers: [transferHandler(rules, sources, block.environment.log)],
      start() {
        for (const { zones } of sources()) {
          const stop = zones.onChange?.((origin) => notifier.changed(origin, zones.records(origin)?.[0]));
          if (stop !== undefined) stops.push(stop);
        }
      },
      stop() {
        for (const stop of stops.splice(0)) stop();
        notifier.stop();
      },
    };
  },
};

function readProperty(reader: TokenReader, draft: Draft): void {
  const args = (): readonly string[] => {
    const words = reader.args();
    if (words.length === 0) throw reader.argumentError();
    return words;
  };
  switch (reader.value) {
    case "to":
      draft.to = [...draft.to, ...args().map((text) => (text === "*" ? "*" : server(reader, text)))];
      return;
    case "source": {
      const ip = parseIp(reader.exactly(1)[0] ?? "");
      if (ip === undefined) throw reader.error("source must be an IP address");
      draft.source = formatIp(ip);
      return;
    }
    default:
      throw reader.error(`unknown property '${reader.value}'; expected to or source`);
  }
}

function server(reader: TokenReader, text: string): { readonly host: string; readonly port: number } {
  const address = parseServer(text.replace(/%[^\]:]+/, ""));
  if (address === undefined) throw reader.error(`'${text}' is no IP address, with or without a port, and not *`);
  return address;
}
