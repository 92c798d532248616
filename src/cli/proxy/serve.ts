/** `fairlead proxy`: a node's proxy by itself, in kube-proxy's place, with its flags and configuration file. */
import { readFileSync, watch, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { createClient } from "../../client/rest.ts";
import { httpsTransport } from "../../client/https-transport.ts";
import { loadKubeconfig, type ServerConfig } from "../../client/kubeconfig.ts";
import { realClock } from "../../lib/clock.ts";
import { errorMessage, FairleadError } from "../../lib/errors.ts";
import { openServicePool } from "../../gateway/service-pool.ts";
import { createLogger, type Logger } from "../../lib/log.ts";
import { MetricsRegistry } from "../../lib/metrics.ts";
import { configurationObject, readConfiguration } from "../../proxy/configuration/file.ts";
import { flagsText, parseCommandLine, type CommandLine } from "../../proxy/configuration/flags.ts";
import { settingsOf, type ProxySettings } from "../../proxy/configuration/settings.ts";
import type { Values } from "../../proxy/configuration/values.ts";
import { applySettings } from "../../proxy/program/kernel.ts";
import { cleanupEverything } from "../../proxy/program/cleanup.ts";
import { startProxyProgram } from "../../proxy/program/proxy-program.ts";
import { kernelSettings } from "../../proxy/program/sysctls.ts";
import { inClusterConfig } from "../dns/cluster.ts";
import type { Terminal } from "../terminal.ts";
import { kubernetesVersion, version } from "../version.ts";
import { availableParallelism } from "node:os";

/** Until SIGINT or SIGTERM, or until the configuration file changes: then 1, so that whoever started it starts it anew. */
export async function serve(words: readonly string[], terminal: Terminal): Promise<number> {
  const commandLine = parseCommandLine(words);
  const { program } = commandLine;
  if (program.help) return print(terminal, `Flags, as kube-proxy ${kubernetesVersion} has them:\n${flagsText()}`);
  if (program.version) return print(terminal, `fairlead-proxy ${version} (kube-proxy ${kubernetesVersion})`);
  const log = createLogger({ level: program.verbosity >= 4 ? "debug" : "info", format: program.logFormat });
  const { values, warnings } = configurationOf(commandLine);
  for (const warning of warnings) log.warn(warning);
  const settings = settingsOf(values);
  if (program.writeConfigTo !== undefined) {
    const { stringify } = await import("yaml");
    writeFileSync(program.writeConfigTo, stringify(configurationObject(values)), { mode: 0o600 });
    log.info("wrote the configuration", { file: program.writeConfigTo });
    return 0;
  }
  if (program.cleanup) return (await cleanupEverything(log)) ? 0 : 1;
  if (program.initOnly) {
    applySettings(kernelSettings(settings, availableParallelism()), log);
    return 0;
  }
  return await run({ settings, values, commandLine, log });
}

function print(terminal: Terminal, text: string): number {
  terminal.print(text);
  return 0;
}

/** With a file, of the command line only --hostname-override counts, as with kube-proxy. */
function configurationOf({ program, values, warnings }: CommandLine): { readonly values: Values; readonly warnings: readonly string[] } {
  if (program.config === undefined) return { values, warnings };
  let text: string;
  try {
    text = readFileSync(program.config, "utf8");
  } catch (cause) {
    throw new FairleadError("FL_CONFIG", `--config: ${errorMessage(cause)}`, { cause });
  }
  const file = readConfiguration(text, program.config);
  const ignored = [...values.keys()].filter((path) => path !== "hostnameOverride");
  const override = values.get("hostnameOverride");
  return {
    values: override === undefined ? file.values : new Map([...file.values, ["hostnameOverride", override]]),
    warnings: [
      ...warnings,
      ...file.warnings.map((warning) => `${program.config}: ${warning}, ignored`),
      ...(ignored.length === 0 ? [] : [`with --config the flags for ${ignored.join(", ")} do not count`]),
    ],
  };
}

interface Run {
  readonly settings: ProxySettings;
  readonly values: Values;
  readonly commandLine: CommandLine;
  readonly log: Logger;
}

async function run({ settings, values, commandLine: { program }, log }: Run): Promise<number> {
  const transport = httpsTransport(await serverOf(settings.kubeconfig, program.master), { log });
  try {
    const running = await startProxyProgram({
      settings,
      nodeName: settings.hostnameOverride || hostname().trim().toLowerCase(),
      client: createClient(transport, { fieldManager: "kube-proxy" }),
      clock: realClock,
      log,
      metrics: new MetricsRegistry(),
      configuration: configurationObject(values),
      strictMode: program.strictMode,
      localhostNodePorts: program.localhostNodePorts,
      openHttpPool: openServicePool,
    });
    try {
      return await untilEnd(program.config, running.left, log);
    } finally {
      await running.stop();
    }
  } finally {
    await transport.close();
  }
}

async function serverOf(kubeconfig: string, master: string | undefined): Promise<ServerConfig> {
  const inCluster = kubeconfig === "" && master === undefined ? inClusterConfig() : undefined;
  if (inCluster !== undefined) return inCluster;
  if (kubeconfig === "" && master !== undefined) return { server: master, namespace: "default", context: "master" };
  const config = await loadKubeconfig(kubeconfig === "" ? {} : { path: kubeconfig });
  return master === undefined ? config : { ...config, server: master };
}

function untilEnd(configFile: string | undefined, left: Promise<void>, log: Logger): Promise<number> {
  return new Promise((resolve) => {
    // Sockets and timers of the proxy do not keep the process alive by themselves.
    const alive = setInterval(() => undefined, 1 << 30);
    const watcher =
      configFile === undefined
        ? undefined
        : watch(configFile, () => {
            log.error("the configuration file has changed: ending, to be started anew");
            end(1);
          });
    const end = (code: number) => {
      clearInterval(alive);
      watcher?.close();
      resolve(code);
    };
    void left.then(() => end(0));
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => end(0));
  });
}
