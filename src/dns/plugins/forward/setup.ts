import { Resolver } from "node:dns/promises";
import { absolute, foldName, isDomainName } from "../../../decide/dns/name.ts";
import { rcodeCode, rcodes } from "../../../decide/dns/records.ts";
import { formatIp, joinHostPort, parseIp } from "../../../lib/ip.ts";
import { parseDuration } from "../../corefile/duration.ts";
import type { TokenReader } from "../../corefile/reader.ts";
import { parseServer } from "../../corefile/servers.ts";
import { blockPath } from "../../corefile/sources.ts";
import { zonesOf } from "../../corefile/zones.ts";
import type { BlockContext, PluginEntry, PluginInstance } from "../../plugin.ts";
import { readTls } from "../etcd/setup.ts";
import { ForwardHandler, type ForwardSettings } from "./handler.ts";
import { labelOf, readTargets, type NamedTarget, type UpstreamTarget } from "./targets.ts";
import { Upstream } from "./upstream.ts";

const policies = ["random", "round_robin", "sequential"] as const;
const maxUpstreams = 15;

const defaults: Omit<ForwardSettings, "zones"> = {
  except: [],
  maxFails: 2,
  maxConcurrent: 0,
  healthCheckMs: 500,
  healthCheckDomain: ".",
  healthCheckRecursion: true,
  readTimeoutMs: 2000,
  failfast: false,
  failover: [],
  transport: "same",
  policy: "random",
  next: [],
  nextOnNoData: false,
  maxAttempts: undefined,
  expireMs: 10_000,
  maxAgeMs: 0,
  maxIdle: 0,
  sourceAddress: undefined,
  dohMethod: "POST",
};

type Draft = { -readonly [K in keyof ForwardSettings]: ForwardSettings[K] } & {
  tls: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  serverName: string;
  /** Servers that resolve names of servers. */
  resolvers: readonly string[];
};
type Option = (reader: TokenReader, settings: Draft, block: BlockContext) => void;

const integer = (reader: TokenReader): number => {
  const [text = ""] = reader.exactly(1);
  if (/^-\d+$/.test(text)) throw reader.error(`${reader.value} can't be negative: ${text}`);
  if (!/^\d+$/.test(text)) throw reader.error(`invalid number '${text}'`);
  return Number(text);
};

const codes = (reader: TokenReader): readonly number[] => {
  const names = reader.args();
  if (names.length === 0) throw reader.argumentError();
  return names.map((name) => {
    const code = rcodeCode(name);
    if (code === undefined) throw reader.error(`${name} is not a valid rcode`);
    return code;
  });
};

const parsed = (reader: TokenReader, text: string): number => {
  const ms = parseDuration(text);
  if (ms === undefined) throw reader.error(`time: invalid duration "${text}"`);
  if (ms < 0) throw reader.error(`a duration can't be negative: ${text}`);
  return ms;
};

const duration = (reader: TokenReader): number => parsed(reader, reader.exactly(1)[0] ?? "");

const domain = (reader: TokenReader, text: string | undefined): string => {
  if (text === undefined) throw reader.error("Wrong argument count or unexpected line ending after 'domain'");
  if (!isDomainName(text)) throw reader.error(`health_check: invalid domain name ${text}`);
  return foldName(absolute(text));
};

const options: Readonly<Record<string, Option>> = {
  except(reader, settings) {
    const names = reader.args();
    if (names.length === 0) throw reader.argumentError();
    settings.except = [...settings.except, ...names.flatMap(zonesOf)];
  },
  max_fails: (reader, settings) => void (settings.maxFails = integer(reader)),
  max_concurrent: (reader, settings) => void (settings.maxConcurrent = integer(reader)),
  health_check(reader, settings) {
    const [text = "", ...more] = reader.args();
    settings.healthCheckMs = parsed(reader, text);
    for (let option = more.shift(); option !== undefined; option = more.shift()) {
      if (option === "no_rec") settings.healthCheckRecursion = false;
      else if (option === "domain") settings.healthCheckDomain = domain(reader, more.shift());
      else throw reader.error(`health_check: unknown option ${option}`);
    }
  },
  expire: (reader, settings) => void (settings.expireMs = duration(reader)),
  max_age: (reader, settings) => void (settings.maxAgeMs = duration(reader)),
  max_idle_conns: (reader, settings) => void (settings.maxIdle = integer(reader)),
  max_connect_attempts: (reader, settings) => void (settings.maxAttempts = integer(reader)),
  next: (reader, settings) => void (settings.next = codes(reader)),
  next_on_nodata(reader, settings) {
    reader.exactly(0);
    settings.nextOnNoData = true;
  },
  tls: (reader, settings, block) => void (settings.tls = readTls(reader, block, reader.args())),
  tls_servername: (reader, settings) => void (settings.serverName = reader.exactly(1)[0] ?? ""),
  doh_method(reader, settings) {
    const [text = ""] = reader.exactly(1);
    const method = text.toUpperCase();
    if (method !== "GET" && method !== "POST") throw reader.error(`invalid doh_method '${text}'; expected GET or POST`);
    settings.dohMethod = method;
  },
  source_address(reader, settings) {
    const [text = ""] = reader.exactly(1);
    const ip = parseIp(text.replace(/^::ffff:(?=\d+\.)/i, ""));
    if (ip === undefined) throw reader.error(`source_address is no IP address: ${text}`);
    settings.sourceAddress = formatIp(ip);
  },
  resolver(reader, settings) {
    const args = reader.args();
    if (args.length === 0) throw reader.argumentError();
    settings.resolvers = args.map((text) => {
      const server = parseServer(text);
      if (server === undefined) throw reader.error(`resolver must be an IP address, with or without a port: ${text}`);
      return joinHostPort(server.host, server.port);
    });
  },
  read_timeout(reader, settings) {
    settings.readTimeoutMs = duration(reader);
    if (settings.readTimeoutMs === 0) throw reader.error("read_timeout must be positive: 0s");
  },
  failfast_all_unhealthy_upstreams(reader, settings) {
    reader.exactly(0);
    settings.failfast = true;
  },
  failover(reader, settings) {
    settings.failover = codes(reader);
    if (settings.failover.includes(rcodes.NOERROR)) throw reader.error("NoError cannot be used in failover");
  },
  force_tcp(reader, settings) {
    reader.exactly(0);
    settings.transport = "tcp";
  },
  prefer_udp(reader, settings) {
    reader.exactly(0);
    settings.transport = "udp";
  },
  policy(reader, settings) {
    const [name = ""] = reader.exactly(1);
    const policy = policies.find((one) => one === name);
    if (policy === undefined) throw reader.error(`unknown policy '${name}'; expected one of ${policies.join(", ")}`);
    settings.policy = policy;
  },
};

export const forward: PluginEntry = { name: "forward", setup };

function setup(reader: TokenReader, block: BlockContext): PluginInstance {
  const handlers: ForwardHandler[] = [];
  const later: (() => Promise<void>)[] = [];
  while (reader.next()) {
    const [from, ...to] = reader.args();
    if (from === undefined || to.length === 0) throw reader.argumentError();
    const zones = zonesOf(from);
    if (zones.length === 0) throw reader.error(`unable to normalize '${from}'`);
    const settings: Draft = { ...defaults, zones, tls: {}, serverName: "", resolvers: [] };
    while (reader.nextInBlock()) {
      const option = options[reader.value];
      if (option === undefined) throw reader.error(`unknown property '${reader.value}'`);
      option(reader, settings, block);
    }
    const { handler, resolve } = makeHandler(reader, settings, to, block);
    handlers.push(handler);
    if (resolve !== undefined) later.push(resolve);
  }
  return {
    handlers,
    upstreams: () => handlers.flatMap((handler) => handler.upstreams),
    start: async () => void (await Promise.all(later.map((resolve) => resolve()))),
    stop: () => handlers.forEach((handler) => handler.stop()),
  };
}

/** Names of servers are looked up when the configuration goes into use. */
function makeHandler(reader: TokenReader, settings: Draft, to: readonly string[], block: BlockContext) {
  const { environment } = block;
  const read = (path: string) => environment.sources.readFile(path.startsWith("/") ? path : blockPath(block, path));
  const named = to.flatMap((text) => {
    const targets = readTargets(text, read);
    if (typeof targets === "string") throw reader.error(targets);
    return targets;
  });
  if (named.length > maxUpstreams) throw reader.error(`more than ${maxUpstreams} TOs configured: ${named.length}`);
  const twice = named.find(({ serverName }) => serverName !== "" && settings.serverName !== "");
  if (twice !== undefined) {
    const shown = twice.kind === "address" ? labelOf(twice) : twice.name;
    throw reader.error(
      `both forward ('${settings.serverName}') and proxy level ('${twice.serverName}') TLS servernames are set for upstream proxy '${shown}'`,
    );
  }
  // A file that is there and names no server: whoever wrote it meant something else. One that is missing may come.
  if (named.length === 0) environment.log.warn(`forward: ${to.join(" ")} names no server; questions for it fail`);
  const upstream = (target: UpstreamTarget) =>
    new Upstream({ target, clock: environment.clock, random: environment.random, metrics: environment.metrics, settings });
  const known = named.flatMap((one) => (one.kind === "address" ? [upstream(targetOf(one, one.host, settings))] : []));
  const handler = new ForwardHandler(settings, known, environment);
  const hosts = named.filter((one) => one.kind === "host");
  if (hosts.length === 0) return { handler, resolve: undefined };
  const resolve = async () => {
    const found = await Promise.all(
      hosts.map(async (host) => (await lookupHost(host.name, settings.resolvers)).map((address) => targetOf(host, address, settings))),
    );
    if (found.flat().length + known.length === 0)
      throw reader.error(`no valid upstream addresses found for ${hosts.map(({ name }) => name).join(", ")}`);
    handler.add(found.flat().map(upstream));
  };
  return { handler, resolve };
}

function targetOf(named: NamedTarget, host: string, { tls, serverName }: Draft): UpstreamTarget {
  const { transport, port } = named;
  const name = named.serverName || serverName || (named.kind === "host" ? named.name : "");
  // Without a name a certificate of any host would do: then it must be one for the address.
  const secured =
    transport === "dns" ? undefined : { ...tls, minVersion: "TLSv1.2" as const, ...(name === "" ? {} : { servername: name }) };
  return { transport, host, port, label: labelOf({ transport, host, port }), tls: secured };
}

/** Addresses of a host, by these servers or by those of the machine. */
async function lookupHost(name: string, resolvers: readonly string[]): Promise<readonly string[]> {
  const resolver = new Resolver({ timeout: 2000, tries: 2 });
  if (resolvers.length > 0) resolver.setServers([...resolvers]);
  const found = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
  return found.flatMap((result) => (result.status === "fulfilled" ? result.value : []));
}
