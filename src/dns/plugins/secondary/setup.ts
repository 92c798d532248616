import { parseServer, type ServerAddress } from "../../corefile/servers.ts";
import type { TokenReader } from "../../corefile/reader.ts";
import { zonesOf, zonesOrBlock } from "../../corefile/zones.ts";
import type { PluginEntry } from "../../plugin.ts";
import { zoneHandler } from "../file/zone-handler.ts";
import { ZoneStore } from "../file/zone-store.ts";
import { Catalogs } from "./catalog.ts";
import { Refresher } from "./refresh.ts";

interface SecondarySettings {
  readonly zones: readonly string[];
  from: readonly ServerAddress[];
  fallthrough: readonly string[] | undefined;
  /** Undefined: no catalog; empty: any member. */
  catalog: readonly string[] | undefined;
}

export const secondary: PluginEntry = {
  name: "secondary",
  setup(reader, block) {
    const entries: SecondarySettings[] = [];
    while (reader.next()) entries.push(readEntry(reader, block.zones));
    const store = new ZoneStore();
    const { environment } = block;
    const fallthrough = (origin: string) => entries.find(({ zones }) => zones.includes(origin))?.fallthrough;
    const refreshers = new Map<string, Refresher>();
    const follow = (origin: string, from: readonly ServerAddress[]) => {
      if (refreshers.has(origin)) return;
      const refresher = new Refresher({ origin, from, store, environment });
      refreshers.set(origin, refresher);
      refresher.start();
    };
    const leave = (origin: string) => {
      refreshers.get(origin)?.stop();
      refreshers.delete(origin);
      store.delete(origin);
    };
    const catalogs = new Catalogs({ store, follow, leave, warn: (message) => environment.log.warn(message) });
    const handler = zoneHandler({
      name: "secondary",
      origins: () => [...new Set([...entries.flatMap(({ zones }) => zones), ...refreshers.keys()])],
      zone: (origin) => (refreshers.get(origin)?.expired === true ? undefined : store.get(origin)),
      fallthrough,
      source: store.answers,
      notified: (origin, from) => refreshers.get(origin)?.notified(from) === true,
    });
    return {
      handlers: [handler],
      zones: store,
      start() {
        for (const { zones, from, catalog } of entries) {
          for (const origin of zones) {
            if (catalog !== undefined) catalogs.watch(origin, catalog, from);
            follow(origin, from);
          }
        }
      },
      stop() {
        catalogs.stop();
        for (const refresher of refreshers.values()) refresher.stop();
        refreshers.clear();
      },
    };
  },
};

function readEntry(reader: TokenReader, blockZones: readonly string[]): SecondarySettings {
  const entry: SecondarySettings = { zones: zonesOrBlock(reader.args(), blockZones), from: [], fallthrough: undefined, catalog: undefined };
  while (reader.nextInBlock()) {
    if (reader.value === "transfer") entry.from = [...entry.from, ...readFrom(reader)];
    else if (reader.value === "fallthrough") entry.fallthrough = zonesOrBlock(reader.args(), ["."]);
    else if (reader.value === "catalog") entry.catalog = readCatalog(reader, entry.catalog);
    else throw reader.error(`unknown property '${reader.value}'; expected transfer, catalog or fallthrough`);
  }
  if (entry.from.length === 0) throw reader.error("secondary plugin requires a transfer source, `transfer from ADDRESS`");
  return entry;
}

function readFrom(reader: TokenReader): readonly ServerAddress[] {
  const [word, ...addresses] = reader.args();
  if (word !== "from" || addresses.length === 0) throw reader.error("expected `transfer from ADDRESS...`");
  return addresses.map((text) => {
    const address = parseServer(text);
    if (address === undefined) throw reader.error(`'${text}' is no IP address, with or without a port`);
    return address;
  });
}

/** Once without names every member is taken, whatever else is said. */
function readCatalog(reader: TokenReader, before: readonly string[] | undefined): readonly string[] {
  const names = reader.args();
  const members = names.map((name) => {
    const [zone] = zonesOf(name);
    if (zone === undefined) throw reader.error(`invalid catalog member zone '${name}'`);
    return zone;
  });
  if (names.length === 0 || before?.length === 0) return [];
  return [...new Set([...(before ?? []), ...members])];
}
