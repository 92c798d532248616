/** `fairlead console`: the URL of a running cluster's console, or a console for any cluster until SIGINT or SIGTERM. */
import { createInformerFactory } from "../../client/informer-factory.ts";
import { httpsTransport } from "../../client/https-transport.ts";
import { loadKubeconfig, type LoadOptions } from "../../client/kubeconfig.ts";
import { createClient } from "../../client/rest.ts";
import { selectors } from "../../console/kinds.ts";
import { createConsole } from "../../console/server.ts";
import { trimmed } from "../../console/trim.ts";
import { realClock } from "../../lib/clock.ts";
import { createLogger } from "../../lib/log.ts";
import { findCluster } from "../connect.ts";
import type { Terminal } from "../terminal.ts";
import type { ConsoleFlags } from "./command.ts";

/** Exit code 0. Throws FL_NOT_RUNNING, FL_KUBECONFIG, FL_LISTEN. */
export async function serveConsole(flags: ConsoleFlags, terminal: Terminal): Promise<number> {
  if (flags.kubeconfig !== undefined || flags.context !== undefined) {
    await serve(fromFile(flags), flags, terminal);
    return 0;
  }
  const cluster = findCluster(flags);
  // A cluster without one (`up --no-console`) gets it here.
  if (cluster.console === undefined) await serve({ path: cluster.kubeconfig }, flags, terminal);
  else terminal.print(cluster.console);
  return 0;
}

function fromFile({ kubeconfig, context }: ConsoleFlags): LoadOptions {
  return { ...(kubeconfig === undefined ? {} : { path: kubeconfig }), ...(context === undefined ? {} : { context }) };
}

async function serve(which: LoadOptions, { port }: ConsoleFlags, terminal: Terminal): Promise<void> {
  const config = await loadKubeconfig(which);
  const [clock, log] = [realClock, createLogger({ level: "warn" })];
  const transport = httpsTransport(config);
  const client = createClient(transport, { fieldManager: "fairlead-console" });
  // Only what the page gets is kept.
  const informers = createInformerFactory(client, {
    clock,
    log,
    selectors,
    transform: (object, { kind }) => trimmed(object, kind) as typeof object,
  });
  const served = createConsole({
    client,
    informers,
    name: config.context,
    server: config.server,
    clock,
    log,
    ...(port === undefined ? {} : { port }),
  });
  await served.start();
  try {
    terminal.print(served.url);
    terminal.note("Serving until SIGINT or SIGTERM. Whoever has the URL sees the cluster; nothing is written.");
    await untilSignal();
  } finally {
    await served.stop();
    await informers.stop();
    await transport.close();
  }
}

function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    // The console's listener keeps the process alive.
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
}
