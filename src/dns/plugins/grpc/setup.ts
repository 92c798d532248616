import { isWithin } from "../../../decide/dns/name.ts";
import type { TokenReader } from "../../corefile/reader.ts";
import { blockPath } from "../../corefile/sources.ts";
import { parseServer, type ServerAddress } from "../../corefile/servers.ts";
import { zonesOf, zonesOrBlock } from "../../corefile/zones.ts";
import type { BlockContext, PluginEntry } from "../../plugin.ts";
import { nameServersAndSearch } from "../autopath/resolv-conf.ts";
import { readTls } from "../etcd/setup.ts";
import { GrpcClient } from "./client.ts";
import { grpcHandler, type GrpcPolicy } from "./handler.ts";

const policies: readonly GrpcPolicy[] = ["random", "round_robin", "sequential"];
const maxServers = 15;

interface Settings {
  except: readonly string[];
  tls: ReturnType<typeof readTls> | undefined;
  serverName: string;
  policy: GrpcPolicy;
  fallthrough: readonly string[] | undefined;
}

export const grpc: PluginEntry = {
  name: "grpc",
  setup(reader, block) {
    const handlers = [];
    const clients: GrpcClient[] = [];
    while (reader.next()) {
      const [from, ...to] = reader.args();
      if (from === undefined || to.length === 0) throw reader.argumentError();
      const zones = zonesOf(from);
      if (zones.length === 0) throw reader.error(`unable to normalize '${from}'`);
      const servers = to.flatMap((text) => serversOf(reader, block, text));
      const settings: Settings = { except: [], tls: undefined, serverName: "", policy: "random", fallthrough: undefined };
      while (reader.nextInBlock()) readProperty(reader, settings, block);
      if (servers.length > maxServers) throw reader.error(`more than ${maxServers} TOs configured: ${servers.length}`);
      const { tls, serverName } = settings;
      const secured =
        tls === undefined && serverName === "" ? undefined : { ...tls, ...(serverName === "" ? {} : { servername: serverName }) };
      const own = servers.map((server) => new GrpcClient(server, secured));
      clients.push(...own);
      const { except, policy, fallthrough } = settings;
      const concerns = (name: string) => zones.some((zone) => isWithin(zone, name)) && !except.some((zone) => isWithin(zone, name));
      const through = (name: string) => fallthrough?.some((zone) => isWithin(zone, name)) === true;
      handlers.push(grpcHandler({ clients: own, concerns, policy, through, environment: block.environment }));
    }
    return { handlers, stop: () => clients.forEach((client) => client.stop()) };
  },
};

function serversOf(reader: TokenReader, block: BlockContext, text: string): readonly ServerAddress[] {
  const server = parseServer(text, 443);
  if (server !== undefined) return [server];
  try {
    return nameServersAndSearch(block.environment.sources.readFile(blockPath(block, text))).servers.flatMap(
      (one) => parseServer(one, 443) ?? [],
    );
  } catch (error) {
    throw reader.error(`not an IP address or file: "${text}"`, error);
  }
}

function readProperty(reader: TokenReader, settings: Settings, block: BlockContext): void {
  switch (reader.value) {
    case "except":
      settings.except = [...settings.except, ...reader.args().flatMap(zonesOf)];
      if (settings.except.length === 0) throw reader.argumentError();
      return;
    case "tls":
      settings.tls = readTls(reader, block, reader.args());
      return;
    case "tls_servername":
      settings.serverName = reader.exactly(1)[0] ?? "";
      return;
    case "policy": {
      const [name = ""] = reader.exactly(1);
      const policy = policies.find((one) => one === name);
      if (policy === undefined) throw reader.error(`unknown policy '${name}'; expected ${policies.join(", ")}`);
      settings.policy = policy;
      return;
    }
    case "fallthrough":
      settings.fallthrough = zonesOrBlock(reader.args(), ["."]);
      return;
    default:
      throw reader.error(`unknown property '${reader.value}'; expected except, tls, tls_servername, policy or fallthrough`);
  }
}
