/** `fairlead test-server`: what `fairlead/testing` gives a test in this process, for tests in other languages. */
import { fstatSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { loadKubeconfig } from "../../client/kubeconfig.ts";
import { realClock } from "../../lib/clock.ts";
import { startCluster } from "../../testing/index.ts";
import type { Output } from "../options.ts";
import type { Terminal } from "../terminal.ts";
import { createOrders } from "./orders.ts";
import { parentGone } from "./parent-gone.ts";

export interface TestServerOptions {
  readonly files: readonly string[];
  readonly output: Output;
  readonly input: Readable & { readonly fd?: number };
}

/** Resolves with the exit code when everything is given back. */
export async function testServer({ files, output, input }: TestServerOptions, terminal: Terminal): Promise<number> {
  const over = new AbortController();
  const end = () => over.abort();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(name, end);
  // Before the cluster starts: a parent that is gone meanwhile must not leave one.
  const stopWatching = parentGone({ clock: realClock, parent: () => process.ppid }, end);
  const lines = isPipe(input.fd) ? createInterface({ input }) : undefined;
  lines?.once("close", end);
  // Orders may come before the cluster is there; they are carried out one after the other.
  const { promise: started, resolve: ready } = Promise.withResolvers<(line: string) => Promise<string>>();
  let done: Promise<void> = Promise.resolve();
  if (output === "json") lines?.on("line", (line) => (done = done.then(async () => terminal.print(await (await started)(line)))));
  try {
    await using cluster = await startCluster({ runtime: "process", fixtures: files });
    const kubeconfig = await cluster.kubeconfig();
    terminal.print(output === "json" ? JSON.stringify({ ...(await connection(kubeconfig)), pid: process.pid }) : kubeconfig);
    ready(createOrders(cluster));
    await aborted(over.signal);
    return 0;
  } finally {
    stopWatching();
    lines?.close();
    input.destroy();
  }
}

/** For clients that read no kubeconfig: the same in files of their own. */
async function connection(kubeconfig: string): Promise<object> {
  const { server, ca = "", clientCertificate = "", clientKey = "" } = await loadKubeconfig({ path: kubeconfig });
  const [caFile, clientFile] = ["ca.crt", "client.pem"].map((name) => join(dirname(kubeconfig), name)) as [string, string];
  writeFileSync(caFile, ca, { mode: 0o600 });
  writeFileSync(clientFile, `${clientCertificate}${clientKey}`, { mode: 0o600 });
  return { kubeconfig, server, caFile, clientFile };
}

/** A terminal or a file says nothing about who started the program. */
function isPipe(fd = 0): boolean {
  const stat = fstatSync(fd);
  return stat.isFIFO() || stat.isSocket();
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    // The cluster's own timers do not keep the process alive.
    const alive = setInterval(() => undefined, 2 ** 30);
    signal.addEventListener("abort", () => {
      clearInterval(alive);
      resolve();
    });
  });
}
