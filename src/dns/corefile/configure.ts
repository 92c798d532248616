/**
 * Server blocks to chains: keys are checked and expanded, each directive is set up by its plugin in the order of the list, and
 * blocks are grouped by the address that they listen at (CoreDNS `core/dnsserver/register.go`). Nothing runs yet.
 */
import { createHash } from "node:crypto";
import { FairleadError } from "../../lib/errors.ts";
import { joinHostPort } from "../../lib/ip.ts";
import type { BlockContext, ConfigurationContext, Handler, PluginEntry, PluginEnvironment, PluginInstance } from "../plugin.ts";
import { buildChain, type Chain } from "./chain.ts";
import { corefileError, pluginError } from "./error.ts";
import { parseCorefile, type ServerBlock } from "./parse.ts";
import { TokenReader } from "./reader.ts";
import { parseZoneKey } from "./zones.ts";

/** Those that listen at one address. */
export interface ServerGroup {
  /** `dns://:53`, `dns://10.0.0.1:53`: how the Corefile calls it; the metrics' label. */
  readonly label: string;
  /** Empty: not said. */
  readonly host: string;
  readonly port: number;
  /** Zone → its chain. */
  readonly zones: ReadonlyMap<string, Chain>;
}

export interface Configuration {
  readonly digest: string;
  readonly servers: readonly ServerGroup[];
  /** In order of start. */
  readonly instances: readonly NamedInstance[];
}

export interface NamedInstance {
  readonly plugin: string;
  readonly instance: PluginInstance;
}

export interface ConfigureOptions {
  readonly text: string;
  readonly file: string;
  readonly plugins: readonly PluginEntry[];
  /** Directives of CoreDNS that are not there, for a clear refusal. */
  readonly unsupported: readonly string[];
  readonly environment: PluginEnvironment;
  /** The IP addresses at which the server answers, once it does. */
  readonly hosts: () => readonly string[];
}

interface ConfiguredBlock {
  readonly zones: readonly string[];
  readonly ports: ReadonlyMap<string, number>;
  readonly bind: readonly string[];
  readonly chain: Chain;
}

/** Throws FL_COREFILE, naming file, line and what was expected. */
export function configure(options: ConfigureOptions): Configuration {
  const { text, file, plugins, unsupported, environment } = options;
  const read: string[] = [text];
  const blocks = parseCorefile(text, file, {
    sources: {
      ...environment.sources,
      readFile: (path) => {
        const content = environment.sources.readFile(path);
        read.push(content);
        return content;
      },
    },
    refuse: (directive) => refusal(directive, plugins, unsupported),
    warn: (message) => environment.log.warn(message),
  });
  if (blocks.length === 0) throw corefileError(file, 1, "the Corefile holds no server block; expected ZONE[:PORT] { … }");
  const digest = createHash("sha512").update(read.join("\u0000")).digest("hex");
  const instances: NamedInstance[] = [];
  const configuration: ConfigurationContext = {
    file,
    digest,
    readiness: () =>
      instances.flatMap(({ plugin, instance }) => (instance.ready === undefined ? [] : [{ plugin, state: instance.ready() }])),
    hosts: options.hosts,
  };
  const configured = blocks.map((block) => configureBlock(block, plugins, { environment, configuration }, instances));
  return { digest, servers: group(configured, file), instances };
}

function refusal(directive: string, plugins: readonly PluginEntry[], unsupported: readonly string[]): string | undefined {
  if (plugins.some(({ name }) => name === directive)) return undefined;
  if (unsupported.includes(directive)) return `directive '${directive}' is CoreDNS's, but not supported here`;
  return `Unknown directive '${directive}'; expected one of ${plugins.map(({ name }) => name).join(", ")}`;
}

function configureBlock(
  block: ServerBlock,
  plugins: readonly PluginEntry[],
  shared: Pick<BlockContext, "environment" | "configuration">,
  instances: NamedInstance[],
): ConfiguredBlock {
  const keys = block.keys.map((token) => {
    const key = parseZoneKey(token.text);
    if (key.kind === "error") throw corefileError(token.file, token.line, key.reason);
    if (key.transport !== "dns") {
      throw corefileError(token.file, token.line, `transport '${key.transport}' of '${token.text}' is not supported here; expected dns`);
    }
    return { zones: key.zones, port: key.port ?? 53 };
  });
  const zones = keys.flatMap((key) => key.zones);
  const ports = new Map(keys.flatMap((key) => key.zones.map((zone): [string, number] => [`${zone}:${key.port}`, key.port])));
  const context: BlockContext = { ...shared, zones, port: keys[0]?.port ?? 53, bind: [] };
  const handlers: Handler[] = [];
  for (const plugin of plugins) {
    const tokens = block.directives.get(plugin.name);
    if (tokens === undefined) continue;
    const instance = setUp(plugin, new TokenReader(shared.configuration.file, tokens), context);
    instances.push({ plugin: plugin.name, instance });
    handlers.push(...(instance.handlers ?? []));
  }
  return { zones, ports, bind: context.bind, chain: buildChain(handlers) };
}

function setUp(plugin: PluginEntry, reader: TokenReader, context: BlockContext): PluginInstance {
  try {
    const instance = plugin.setup(reader, context);
    if (reader.next()) {
      throw reader.error(
        reader.value === plugin.name ? "this plugin can only be used once per Server Block" : `unexpected '${reader.value}'`,
      );
    }
    return instance;
  } catch (error) {
    throw error instanceof FairleadError ? pluginError(plugin.name, error) : error;
  }
}

function group(blocks: readonly ConfiguredBlock[], file: string): ServerGroup[] {
  const groups = new Map<string, { host: string; port: number; zones: Map<string, Chain> }>();
  for (const { ports, bind, chain } of blocks) {
    for (const [key, port] of ports) {
      const zone = key.slice(0, key.lastIndexOf(":"));
      for (const host of bind.length === 0 ? [""] : bind) {
        const label = `dns://${host === "" ? `:${port}` : joinHostPort(host, port)}`;
        const server = groups.get(label) ?? { host, port, zones: new Map<string, Chain>() };
        groups.set(label, server);
        if (server.zones.has(zone)) throw corefileError(file, 1, `cannot serve dns://${zone}:${port} - it is already defined`);
        server.zones.set(zone, chain);
      }
    }
  }
  const all = [...groups].map(([label, server]) => ({ label, ...server }));
  refuseOverlap(all, file);
  return all;
}

/** A zone at every address and at one address of the same port: whose is the query? */
function refuseOverlap(groups: readonly ServerGroup[], file: string): void {
  for (const everywhere of groups.filter(({ host }) => host === "")) {
    for (const { label, port, zones } of groups.filter(({ host }) => host !== "")) {
      const zone = port === everywhere.port ? [...zones.keys()].find((one) => everywhere.zones.has(one)) : undefined;
      if (zone !== undefined) {
        throw corefileError(file, 1, `cannot serve dns://${zone}:${port} - zone overlap listener capacity with ${label}`);
      }
    }
  }
}
