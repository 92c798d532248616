import { statSync } from "node:fs";
import { parseIp } from "../../../lib/ip.ts";
import { parseDuration } from "../../corefile/duration.ts";
import type { TokenReader } from "../../corefile/reader.ts";
import { blockPath } from "../../corefile/sources.ts";
import { zonesOrBlock } from "../../corefile/zones.ts";
import type { PluginEntry } from "../../plugin.ts";
import { HostsFile } from "./file.ts";
import { hostsHandler } from "./handler.ts";

export interface HostsSettings {
  ttl: number;
  reverse: boolean;
  reloadMs: number;
  fallthrough: readonly string[] | undefined;
  /** A name that is there, asked for a type that this plugin does not have, goes on too. */
  fallthroughUnsupported: boolean;
  /** Lines of the Corefile itself. */
  readonly inline: string[];
}

const systemFile = "/etc/hosts";

export const hosts: PluginEntry = {
  name: "hosts",
  setup(reader, block) {
    reader.next();
    const args = reader.args();
    const named = args.shift();
    const zones = zonesOrBlock(args, block.zones);
    const settings: HostsSettings = {
      ttl: 3600,
      reverse: true,
      reloadMs: 5000,
      fallthrough: undefined,
      fallthroughUnsupported: false,
      inline: [],
    };
    while (reader.nextInBlock()) readProperty(reader, settings);
    if (settings.fallthroughUnsupported && settings.fallthrough === undefined)
      throw reader.error("fallthrough_unsupported requires fallthrough");
    const path = blockPath(block, named ?? systemFile);
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) block.environment.log.warn(`hosts: ${path} is a directory`);
    const file = new HostsFile(path, settings, block.environment);
    return { handlers: [hostsHandler(() => file.table, zones, settings, file)], start: () => file.start(), stop: () => file.stop() };
  },
};

function readProperty(reader: TokenReader, settings: HostsSettings): void {
  switch (reader.value) {
    case "fallthrough":
      settings.fallthrough = zonesOrBlock(reader.args(), ["."]);
      return;
    case "fallthrough_unsupported":
      reader.exactly(0);
      settings.fallthroughUnsupported = true;
      return;
    case "no_reverse":
      settings.reverse = false;
      return;
    case "ttl": {
      const [text = ""] = reader.exactly(1);
      if (!/^\d+$/.test(text) || Number(text) < 1 || Number(text) > 65_535) throw reader.error(`ttl provided is invalid: '${text}'`);
      settings.ttl = Number(text);
      return;
    }
    case "reload": {
      const [text = ""] = reader.exactly(1);
      const ms = parseDuration(text);
      if (ms === undefined || ms < 0) throw reader.error(`invalid duration for reload '${text}'`);
      settings.reloadMs = ms;
      return;
    }
    default:
      if (parseIp(reader.value) === undefined) throw reader.error(`unknown property '${reader.value}'`);
      settings.inline.push([reader.value, ...reader.args()].join(" "));
  }
}
