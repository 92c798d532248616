/** The web console of a cluster that `up` has started. It is loaded beside everything else: nobody waits for it. */
import type { Cluster } from "../../cmd/cluster-options.ts";
import type { Console } from "../../console/server.ts";
import { realClock } from "../../lib/clock.ts";
import { errorMessage } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";

export interface OpenConsoleOptions {
  /** Of the cluster. */
  readonly name: string;
  /** False: there is none. */
  readonly console: boolean;
  /** On 127.0.0.1; 0: any. Default: the console's usual one. */
  readonly consolePort?: number;
}

/** Undefined: it is not wanted, or could not be had, which the log says. */
export async function openConsole(cluster: Cluster, options: OpenConsoleOptions, log: Logger): Promise<Console | undefined> {
  if (!options.console) return undefined;
  try {
    const { createConsole } = await import("../../console/server.ts");
    const { client, informers, server, clusterDomain, mode } = cluster;
    // In loopback mode nothing could; in namespaces mode it depends on what was disabled.
    const networkPolicy = mode === "loopback" ? "ignored" : "unknown";
    const port = options.consolePort === undefined ? {} : { port: options.consolePort };
    const opened = createConsole({
      client,
      informers,
      name: options.name,
      server,
      clusterDomain,
      networkPolicy,
      clock: realClock,
      log,
      ...port,
    });
    await opened.start();
    return opened;
  } catch (error) {
    log.warn("the cluster runs without a console", { error: errorMessage(error) });
    return undefined;
  }
}
