/** `fairlead dns -conf Corefile`: serves until it is told to end. */
import { rmSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { setFlagsFromString } from "node:v8";
import { pluginList } from "../../dns/plugins.ts";
import { createDnsServer, type DnsServer } from "../../dns/server/server.ts";
import { realClock } from "../../lib/clock.ts";
import { createLogger, type Logger } from "../../lib/log.ts";
import { MetricsRegistry } from "../../lib/metrics.ts";
import type { Terminal } from "../terminal.ts";
import { version } from "../version.ts";
import { clusterSource } from "./cluster.ts";
import { findCorefile, type FoundCorefile } from "./corefile.ts";
import { parseFlags, portFlag } from "./flags.ts";

const flags = { values: ["conf", "dns.port", "p", "pidfile", "log-level"], switches: ["plugins", "quiet", "version"] };

/** Resolves when it has stopped: 0. Throws FL_COREFILE, FL_LISTEN, FL_KUBECONFIG. */
export async function serve(words: readonly string[], terminal: Terminal): Promise<number> {
  const { values, switches } = parseFlags(words, flags);
  if (switches.has("version")) terminal.print(`fairlead-dns ${version}`);
  else if (switches.has("plugins")) for (const { name } of pluginList({ kubernetes: undefined })) terminal.print(`dns.${name}`);
  else await run(findCorefile(values.get("conf")), values, switches.has("quiet"), terminal);
  return 0;
}

/**
 * Most of what answers leave behind is garbage at once: a small nursery holds it as well as a large one, and a name server that
 * had a burst of questions does not keep 64 MB for the next. V8 looks at this when the nursery would grow.
 */
const keepNurserySmall = (): void => setFlagsFromString("--semi-space-growth-factor=1");

async function run(corefile: FoundCorefile, values: ReadonlyMap<string, string>, quiet: boolean, terminal: Terminal): Promise<void> {
  keepNurserySmall();
  const level = values.get("log-level") === "debug" ? "debug" : "info";
  const log = createLogger({ level, write: (line) => void process.stdout.write(line) });
  const server = createStandaloneServer(corefile, portFlag(values.get("dns.port") ?? values.get("p"), 53), log);
  await server.start();
  const pidfile = values.get("pidfile");
  if (pidfile !== undefined) writeFileSync(pidfile, `${process.pid}\n`);
  if (!quiet) {
    for (const [label, { host, port }] of server.addresses()) terminal.print(`${label} ${host} ${port}`);
    terminal.print(`fairlead-dns ${version}`);
  }
  await untilEnd(server, corefile, log);
  if (pidfile !== undefined) rmSync(pidfile, { force: true });
}

export function createStandaloneServer({ text, file, isFile }: FoundCorefile, defaultPort: number, log: Logger): DnsServer {
  const everywhere = hasIpv6() ? "::" : "0.0.0.0";
  return createDnsServer({
    corefile: text,
    file,
    watchFile: isFile,
    defaultPort,
    plugins: { kubernetes: clusterSource(log) },
    listen: (_, port, host) =>
      host === ""
        ? [
            { host: everywhere, port },
            { host: "0.0.0.0", port },
          ]
        : [{ host, port }],
    httpHost: everywhere,
    lameduck: true,
    batch: true,
    clock: realClock,
    log,
    metrics: new MetricsRegistry(),
  });
}

const hasIpv6 = (): boolean => Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ family }) => family === "IPv6"));

/** SIGUSR1 reads the Corefile again, as with coredns; the second signal to end does not wait. */
export function untilEnd(server: DnsServer, corefile: FoundCorefile, log: Logger): Promise<void> {
  return new Promise((resolve, reject) => {
    // The server's sockets do not keep the process alive by themselves.
    const alive = setInterval(() => undefined, 1 << 30);
    let ending = false;
    const end = (signal: NodeJS.Signals) => {
      if (ending) process.exit(1);
      ending = true;
      log.info(`${signal}: Shutting down`);
      process.off("SIGUSR1", reload);
      server
        .stop()
        .then(resolve, reject)
        .finally(() => clearInterval(alive));
    };
    const reload = () => {
      if (corefile.isFile) void server.reload(findCorefile(corefile.file).text);
    };
    process.on("SIGUSR1", reload);
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, end);
  });
}
