import { parseDuration } from "../../corefile/duration.ts";
import type { TokenReader } from "../../corefile/reader.ts";
import { zonesOrBlock } from "../../corefile/zones.ts";
import type { BlockContext, PluginEntry } from "../../plugin.ts";
import { readPem } from "../tls/setup.ts";
import { EtcdClient, type EtcdOptions } from "./client.ts";
import { etcdHandler } from "./handler.ts";

const defaultEndpoint = "http://localhost:2379";
const timeoutMs = 5000;
const [defaultMinLease, defaultMaxLease] = [30, 86_400];

interface Settings {
  endpoints: readonly string[];
  path: string;
  credentials: EtcdOptions["credentials"];
  tls: EtcdOptions["tls"];
  fallthrough: readonly string[] | undefined;
  minLeaseTtl: number;
  maxLeaseTtl: number;
}

export const etcd: PluginEntry = {
  name: "etcd",
  setup(reader, block) {
    reader.next();
    const zones = zonesOrBlock(reader.args(), block.zones);
    const settings: Settings = {
      endpoints: [defaultEndpoint],
      path: "skydns",
      credentials: undefined,
      tls: undefined,
      fallthrough: undefined,
      minLeaseTtl: defaultMinLease,
      maxLeaseTtl: defaultMaxLease,
    };
    while (reader.nextInBlock()) readProperty(reader, settings, block);
    const { endpoints, path, credentials, tls, fallthrough, minLeaseTtl, maxLeaseTtl } = settings;
    const client = new EtcdClient({
      endpoints,
      timeoutMs,
      ...(credentials === undefined ? {} : { credentials }),
      ...(tls === undefined ? {} : { tls }),
    });
    const now = () => block.environment.clock.now() / 1000;
    return { handlers: [etcdHandler({ client, zones, path: path.replace(/^\//, ""), fallthrough, minLeaseTtl, maxLeaseTtl, now })] };
  },
};

function readProperty(reader: TokenReader, settings: Settings, block: BlockContext): void {
  const property = reader.value;
  switch (property) {
    // Without meaning since SkyDNS; old Corefiles have them.
    case "stubzones":
    case "debug":
    case "upstream":
      reader.args();
      return;
    case "fallthrough":
      settings.fallthrough = zonesOrBlock(reader.args(), ["."]);
      return;
    case "path":
      settings.path = reader.exactly(1)[0] ?? "";
      return;
    case "endpoint":
      settings.endpoints = reader.args();
      if (settings.endpoints.length === 0) throw reader.argumentError();
      return;
    case "credentials": {
      const args = reader.args();
      const [name = "", password = ""] = args;
      if (args.length !== 2) throw reader.error("credentials requires 2 arguments, username and password");
      settings.credentials = { name, password };
      return;
    }
    case "tls":
      settings.tls = readTls(reader, block, reader.args());
      return;
    case "min-lease-ttl":
      settings.minLeaseTtl = readTtl(reader);
      return;
    case "max-lease-ttl":
      settings.maxLeaseTtl = readTtl(reader);
      return;
    default:
      throw reader.error(
        `unknown property '${property}'; expected fallthrough, path, endpoint, credentials, tls, min-lease-ttl or max-lease-ttl`,
      );
  }
}

/** [CA] | CERT KEY [CA]: PEM texts. */
export function readTls(
  reader: TokenReader,
  block: BlockContext,
  args: readonly string[],
): { readonly ca?: string; readonly cert?: string; readonly key?: string } {
  if (args.length > 3) throw reader.error(`maximum of three arguments allowed for tls, found ${args.length}`);
  const pem = (path: string | undefined) => (path === undefined ? undefined : readPem(reader, block, path));
  const [first, second, third] = args;
  if (second === undefined) {
    const ca = pem(first);
    return ca === undefined ? {} : { ca };
  }
  const [cert, key, ca] = [pem(first), pem(second), pem(third)];
  return { ...(cert === undefined ? {} : { cert }), ...(key === undefined ? {} : { key }), ...(ca === undefined ? {} : { ca }) };
}

function readTtl(reader: TokenReader): number {
  const [text = ""] = reader.exactly(1);
  const seconds = parseLeaseTtl(text);
  if (seconds === undefined) throw reader.error(`invalid TTL '${text}'`);
  return seconds;
}

/** `30`, `30s`, `1h`: seconds; 0 for nothing; undefined when it is no such time. */
export function parseLeaseTtl(text: string): number | undefined {
  if (text === "") return 0;
  if (/^\d+$/.test(text)) return Number(text);
  const ms = parseDuration(text);
  return ms === undefined || ms < 0 ? undefined : Math.floor(ms / 1000);
}
