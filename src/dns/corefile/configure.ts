/**
 * Server blocks to chains: keys are checked and expanded, each directive is set up by its plugin in the order of the list, and
 * blocks are grouped by the address that they listen at (CoreDNS `core/dnsserver/register.go`). Nothing runs yet.
 */
import { createHash } from "node:crypto";
import { FairleadError } from "../../lib/errors.ts";
import { joinHostPort } from "../../lib/ip.ts";
import type {
  BlockContext,
  ConfigurationContext,
  Handler,
  ListenSettings,
  PluginEntry,
  PluginEnvironment,
  PluginInstance,
} from "../plugin.ts";
import { buildChain, type Chain, type ChainOptions } from "./chain.ts";
import { corefileError, pluginError } from "./error.ts";
import type { Token } from "./lex.ts";
import { parseCorefile, type ServerBlock } from "./parse.ts";
import { TokenReader } from "./reader.ts";
import { parseZoneKey, type Transport } from "./zones.ts";

/** Those that listen at one address. */
export interface ServerGroup {
  /** `dns://:53`, `dns://10.0.0.1:53`: how the Corefile calls it; the metrics' label. */
  readonly label: string;
  /** Empty: not said. */
  readonly host: string;
  readonly port: number;
  readonly transport: Transport;
  readonly listening: ListenSettings;
  /** Zone → its chains: more than one where views share a zone, the first that accepts a query has it. */
  readonly zones: ReadonlyMap<string, readonly Chain[]>;
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
  /** Directive of CoreDNS that is not there → what to do instead, for a clear refusal. */
  readonly unsupported: ReadonlyMap<string, string>;
  readonly environment: PluginEnvironment;
  /** The IP addresses at which the server answers, once it does. */
  readonly hosts: () => readonly string[];
  /** Of keys for plain DNS that name none. Default 53. */
  readonly defaultPort?: number;
  /** Something around each handler, to see what it does. */
  readonly wrap?: (handler: Handler) => Handler;
}

interface ConfiguredBlock {
  readonly keys: readonly BlockKey[];
  readonly bind: readonly string[];
  readonly listening: ListenSettings;
  readonly chain: Chain;
}

interface BlockKey {
  readonly transport: Transport;
  readonly zones: readonly string[];
  readonly port: number;
  readonly token: Token;
}

/** Ports of the transports (CoreDNS `plugin/pkg/transport`). */
const ports: Readonly<Record<Transport, number>> = { dns: 53, tls: 853, grpc: 443, https: 443, quic: 853, https3: 443, unix: 0 };
const served: readonly Transport[] = ["dns", "tls", "https", "grpc"];

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
  const configured = blocks.map((block) => configureBlock(block, options, configuration, instances));
  return { digest, servers: group(configured, file), instances };
}

function refusal(directive: string, plugins: readonly PluginEntry[], unsupported: ReadonlyMap<string, string>): string | undefined {
  if (plugins.some(({ name }) => name === directive)) return undefined;
  const instead = unsupported.get(directive);
  if (instead !== undefined) return `directive '${directive}' is CoreDNS's, but not supported here: ${instead}`;
  return `Unknown directive '${directive}'; expected one of ${plugins.map(({ name }) => name).join(", ")}`;
}

function readKey(token: Token, defaultPort: number): BlockKey {
  const key = parseZoneKey(token.text);
  if (key.kind === "error") throw corefileError(token.file, token.line, key.reason);
  if (!served.includes(key.transport)) {
    throw corefileError(
      token.file,
      token.line,
      `transport '${key.transport}' of '${token.text}' is not supported here; expected ${served.join(", ")}`,
    );
  }
  return {
    transport: key.transport,
    zones: key.zones,
    port: key.port ?? (key.transport === "dns" ? defaultPort : ports[key.transport]),
    token,
  };
}

function configureBlock(
  block: ServerBlock,
  { plugins, environment, defaultPort = ports.dns, wrap = (handler) => handler }: ConfigureOptions,
  configuration: ConfigurationContext,
  instances: NamedInstance[],
): ConfiguredBlock {
  const keys = block.keys.map((key) => readKey(key, defaultPort));
  const [first] = keys;
  const own: NamedInstance[] = [];
  const context: BlockContext = {
    environment,
    configuration,
    zones: keys.flatMap((key) => key.zones),
    port: first?.port ?? 53,
    transport: first?.transport ?? "dns",
    transports: keys.map(({ transport }) => transport),
    bind: [],
    listening: {},
    root: undefined,
    instances: () => own,
  };
  const handlers: Handler[] = [];
  for (const plugin of plugins) {
    const tokens = block.directives.get(plugin.name);
    if (tokens === undefined) continue;
    const instance = setUp(plugin, new TokenReader(configuration.file, tokens), context);
    own.push({ plugin: plugin.name, instance });
    handlers.push(...(instance.handlers ?? []).map(wrap));
  }
  instances.push(...own);
  return { keys, bind: context.bind, listening: context.listening, chain: buildChain(handlers, viewOf(own)) };
}

/** All views of a block must take a query; the last one names it. */
function viewOf(instances: readonly NamedInstance[]): ChainOptions {
  const views = instances.flatMap(({ instance }) => instance.view ?? []);
  if (views.length === 0) return {};
  return { view: views.at(-1)?.name ?? "", accepts: (request) => views.every(({ accepts }) => accepts(request)) };
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
  const groups = new Map<string, Omit<ServerGroup, "label" | "zones"> & { zones: Map<string, Chain[]> }>();
  for (const { keys, bind, chain, listening } of blocks) {
    for (const { transport, port, zones, token } of keys) {
      for (const host of bind.length === 0 ? [""] : bind) {
        const label = `${transport}://${host === "" ? `:${port}` : joinHostPort(host, port)}`;
        const server = groups.get(label) ?? { host, port, transport, listening: {}, zones: new Map<string, Chain[]>() };
        groups.set(label, { ...server, listening: { ...listening, ...server.listening } });
        for (const zone of zones) {
          const there = server.zones.get(zone) ?? [];
          // Only views may share a zone; behind one that takes everything no other would ever be asked.
          if (there.some(({ accepts }) => accepts === undefined)) {
            throw corefileError(token.file, token.line, `cannot serve ${transport}://${zone}:${port} - it is already defined`);
          }
          server.zones.set(zone, [...there, chain]);
        }
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
    for (const { label, port, zones, transport } of groups.filter(({ host }) => host !== "")) {
      const same = port === everywhere.port && transport === everywhere.transport;
      const zone = same ? [...zones.keys()].find((one) => everywhere.zones.has(one)) : undefined;
      if (zone !== undefined) {
        throw corefileError(file, 1, `cannot serve ${transport}://${zone}:${port} - zone overlap listener capacity with ${label}`);
      }
    }
  }
}
