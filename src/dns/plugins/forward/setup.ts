import { absolute, foldName, isDomainName } from "../../../decide/dns/name.ts";
import { rcodeCode, rcodes } from "../../../decide/dns/records.ts";
import { parseIp } from "../../../lib/ip.ts";
import { parseDuration } from "../../corefile/duration.ts";
import type { TokenReader } from "../../corefile/reader.ts";
import { splitTransport, zonesOf } from "../../corefile/zones.ts";
import type { BlockContext, PluginEntry } from "../../plugin.ts";
import { ForwardHandler, type ForwardSettings } from "./handler.ts";
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
};

type Draft = { -readonly [K in keyof ForwardSettings]: ForwardSettings[K] };
type Option = (reader: TokenReader, settings: Draft) => void;

const integer = (reader: TokenReader): number => {
  const [text = ""] = reader.exactly(1);
  if (!/^\d+$/.test(text)) throw reader.error(`invalid number '${text}'`);
  return Number(text);
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
  expire: (reader) => void duration(reader),
  read_timeout(reader, settings) {
    settings.readTimeoutMs = duration(reader);
    if (settings.readTimeoutMs === 0) throw reader.error("read_timeout must be positive: 0s");
  },
  failfast_all_unhealthy_upstreams(reader, settings) {
    reader.exactly(0);
    settings.failfast = true;
  },
  failover(reader, settings) {
    const names = reader.args();
    if (names.length === 0) throw reader.argumentError();
    settings.failover = names.map((name) => {
      const code = rcodeCode(name);
      if (code === undefined) throw reader.error(`${name} is not a valid rcode`);
      if (code === rcodes.NOERROR) throw reader.error("NoError cannot be used in failover");
      return code;
    });
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

const absent =
  "tls tls_servername next next_on_nodata max_age max_idle_conns max_connect_attempts doh_method resolver source_address".split(" ");

export const forward: PluginEntry = { name: "forward", setup };

function setup(reader: TokenReader, { environment }: BlockContext) {
  const handlers: ForwardHandler[] = [];
  while (reader.next()) {
    const [from, ...to] = reader.args();
    if (from === undefined || to.length === 0) throw reader.argumentError();
    const zones = zonesOf(from);
    if (zones.length === 0) throw reader.error(`unable to normalize '${from}'`);
    const settings: Draft = { ...defaults, zones };
    while (reader.nextInBlock()) {
      const option = options[reader.value];
      if (option === undefined)
        throw reader.error(
          absent.includes(reader.value)
            ? `property '${reader.value}' of forward is not supported here`
            : `unknown property '${reader.value}'`,
        );
      option(reader, settings);
    }
    const addresses = to.flatMap((text) => upstreamAddresses(text, reader, environment.sources.readFile));
    if (addresses.length > maxUpstreams) throw reader.error(`more than ${maxUpstreams} TOs configured: ${addresses.length}`);
    if (addresses.length === 0) environment.log.warn(`forward ${from}: ${to.join(" ")} names no server; questions for it fail`);
    const upstreams = addresses.map(
      ({ host, port }) =>
        new Upstream({
          host,
          port,
          clock: environment.clock,
          random: environment.random,
          metrics: environment.metrics,
          settings,
        }),
    );
    handlers.push(new ForwardHandler(settings, upstreams, environment));
  }
  return { handlers, stop: () => handlers.forEach((handler) => handler.stop()) };
}

interface Address {
  readonly host: string;
  readonly port: number;
}

/** `9.9.9.9`, `9.9.9.9:5353`, `[::1]:53`, or a file in the form of resolv.conf; one that is not there names no server. */
function upstreamAddresses(text: string, reader: TokenReader, readFile: (path: string) => string): readonly Address[] {
  const { transport, rest } = splitTransport(text);
  if (transport !== "dns") throw reader.error(`transport '${transport}' of '${text}' is not supported here; expected dns`);
  const address = parseAddress(rest);
  if (address !== undefined) return [address];
  if (!/[/.]/.test(rest) || /^[\d.:[\]]+$/.test(rest)) throw reader.error(`not an IP address or file: "${text}"`);
  return nameServers(rest, readFile).flatMap((server) => parseAddress(server) ?? []);
}

function nameServers(path: string, readFile: (path: string) => string): readonly string[] {
  let text: string;
  try {
    text = readFile(path);
  } catch {
    // No resolv.conf, no servers: said once where it is used.
    return [];
  }
  return [...text.matchAll(/^[ \t]*nameserver[ \t]+([^\s%]+)/gm)].map(([, server]) => server as string);
}

function parseAddress(text: string): Address | undefined {
  const [, bracketed, port6] = /^\[([^\]]+)\](?::(\d{1,5}))?$/.exec(text) ?? [];
  if (bracketed !== undefined) return checked(bracketed, port6);
  if (parseIp(text) !== undefined) return { host: text, port: 53 };
  const [, host, port] = /^([^:]+):(\d{1,5})$/.exec(text) ?? [];
  return host === undefined ? undefined : checked(host, port);
}

function checked(host: string, port = "53"): Address | undefined {
  return parseIp(host) !== undefined && Number(port) > 0 && Number(port) <= 65_535 ? { host, port: Number(port) } : undefined;
}
