/** `up --watch`: applies manifests again when their files change, and deletes what was taken out of them. */
import { watch } from "node:fs";
import type { Cluster } from "../../cmd/cluster-options.ts";
import { errorMessage } from "../../lib/errors.ts";
import { isNotFound } from "../../api/status.ts";
import { applyAll, problemText, readAll, type Applied } from "../apply.ts";
import { servedResources } from "../options.ts";
import { readSource, sourceFiles, watchTargets } from "../sources.ts";
import type { Terminal } from "../terminal.ts";

export interface WatchManifestsOptions {
  readonly cluster: Cluster;
  readonly files: readonly string[];
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
}

/** Editors write a file in several steps; changes within this many milliseconds are one. */
const quietMs = 60;

export function watchManifests({ cluster, files, terminal, signal }: WatchManifestsOptions): void {
  const known = new Map<string, Applied>();
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  const again = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      running = running.then(() => follow(cluster, files, known, terminal, true));
    }, quietMs);
  };
  running = follow(cluster, files, known, terminal, false);
  const targets = watchTargets(files);
  for (const target of targets)
    watch(target, { signal }, again).on("error", (error) => terminal.note(`watching ${target}: ${errorMessage(error)}`));
  terminal.note(`Watching ${targets.join(", ")}`);
}

async function follow(
  cluster: Cluster,
  files: readonly string[],
  known: Map<string, Applied>,
  terminal: Terminal,
  tell: boolean,
): Promise<void> {
  const { paint } = terminal;
  try {
    const sources = sourceFiles(files.filter((file) => file !== "-")).map(readSource);
    const { manifests, problems } = await readAll(sources);
    const result = await applyAll(cluster.client, servedResources(), manifests);
    const all = [...problems, ...result.problems];
    if (tell)
      for (const one of result.applied.filter(({ result: what }) => what !== "unchanged"))
        terminal.note(`${paint.green("✓")} ${nameOf(one)} ${one.result}`);
    for (const problem of tell ? all : []) terminal.note(`${paint.red("✗")} ${problemText(problem)}`);
    const now = new Map(result.applied.map((one) => [nameOf(one), one]));
    // What cannot be read may still be wanted: nothing is deleted while a manifest is broken.
    if (all.length === 0) for (const [name, one] of known) if (!now.has(name)) await remove(cluster, name, one, terminal);
    for (const [name, one] of now) known.set(name, one);
  } catch (error) {
    terminal.note(`${paint.red("✗")} ${errorMessage(error)}`);
  }

  async function remove(
    cluster: Cluster,
    name: string,
    { resource, namespace, name: objectName }: Applied,
    terminal: Terminal,
  ): Promise<void> {
    known.delete(name);
    try {
      await cluster.client.delete(resource, { namespace, name: objectName });
      terminal.note(`${paint.green("✓")} ${name} deleted`);
    } catch (error) {
      if (!isNotFound(error)) terminal.note(`${paint.red("✗")} ${name}: ${errorMessage(error)}`);
    }
  }
}

function nameOf({ resource, namespace, name }: Applied): string {
  return `${resource.kind} ${namespace === undefined ? "" : `${namespace}/`}${name}`;
}
