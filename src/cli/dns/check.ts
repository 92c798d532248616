/** `fairlead dns check` and `plan`: a Corefile read in full, nothing started. */
import { configure, type Configuration } from "../../dns/corefile/configure.ts";
import { systemSources } from "../../dns/corefile/sources.ts";
import { pluginList, unsupportedDirectives } from "../../dns/plugins.ts";
import type { PluginEnvironment } from "../../dns/plugin.ts";
import { SharedHttpEndpoints } from "../../dns/server/http-endpoints.ts";
import { noWatch } from "../../dns/server/query-watch.ts";
import { realClock } from "../../lib/clock.ts";
import { createLogger } from "../../lib/log.ts";
import { MetricsRegistry } from "../../lib/metrics.ts";
import type { Terminal } from "../terminal.ts";
import { clusterSource } from "./cluster.ts";
import { findCorefile } from "./corefile.ts";
import { parseFlags, portFlag } from "./flags.ts";

function read(words: readonly string[], terminal: Terminal): { readonly configuration: Configuration; readonly file: string } {
  const { values, rest } = parseFlags(words, { values: ["conf", "dns.port", "p"], switches: [] });
  const { text, file } = findCorefile(values.get("conf") ?? rest[0]);
  const log = createLogger({ level: "warn", write: (line) => terminal.note(line.trimEnd()) });
  const environment: PluginEnvironment = {
    clock: realClock,
    log,
    metrics: new MetricsRegistry(),
    random: Math.random,
    sources: systemSources,
    http: new SharedHttpEndpoints(),
    watch: noWatch,
    checkCorefile: () => undefined,
  };
  const configuration = configure({
    text,
    file,
    plugins: pluginList({ kubernetes: clusterSource(log) }),
    unsupported: unsupportedDirectives,
    environment,
    hosts: () => [],
    defaultPort: portFlag(values.get("dns.port") ?? values.get("p"), 53),
  });
  return { configuration, file };
}

/** Throws FL_COREFILE, which names file, line and what was expected. */
export function check(words: readonly string[], terminal: Terminal): number {
  const { configuration, file } = read(words, terminal);
  const zones = configuration.servers.reduce((sum, { zones: own }) => sum + own.size, 0);
  terminal.print(
    `${file} is good: ${configuration.servers.length} ${configuration.servers.length === 1 ? "server" : "servers"}, ${zones} ${zones === 1 ? "zone" : "zones"}`,
  );
  return 0;
}

export function plan(words: readonly string[], terminal: Terminal): number {
  const { configuration } = read(words, terminal);
  for (const { label, zones, listening } of configuration.servers) {
    const settings = Object.keys(listening)
      .filter((key) => key !== "tls")
      .map((key) => ` ${key}=${shown(listening[key as keyof typeof listening])}`);
    terminal.print(`${terminal.paint.bold(label)}${listening.tls === undefined ? "" : " (TLS)"}${settings.join("")}`);
    for (const [zone, chains] of zones) {
      for (const { view, plugins } of chains) {
        terminal.print(`  ${zone}${view === "" ? "" : ` (view ${view})`}`);
        terminal.print(`    ${plugins.length === 0 ? "nothing answers: REFUSED" : plugins.join(" → ")}`);
      }
    }
  }
  const beside = configuration.instances.filter(({ instance }) => (instance.handlers?.length ?? 0) === 0).map(({ plugin }) => plugin);
  if (beside.length > 0) terminal.print(`beside the chains: ${[...new Set(beside)].join(", ")}`);
  return 0;
}

/** Blocks of addresses hold numbers that JSON does not have. */
const shown = (value: unknown): string => JSON.stringify(value, (_, one: unknown) => (typeof one === "bigint" ? String(one) : one));
