import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { FairleadError } from "../lib/errors.ts";

/** Where a cluster keeps what it has; everything below `root` is its own and mode 0700. */
export interface ClusterPaths {
  readonly root: string;
  /** The database. */
  readonly store: string;
  /** What was in the database before. */
  readonly history: string;
  /** CA, server and admin certificates. */
  readonly pki: string;
  /** Volumes and logs of pods. */
  readonly pods: string;
  /** Local directories that PersistentVolumes are made of. */
  readonly volumes: string;
  readonly kubeconfig: string;
  /** What a running cluster says of itself (`cluster-file.ts`). */
  readonly clusterFile: string;
  /** Output of a detached cluster. */
  readonly log: string;
}

export function clusterPaths(root: string): ClusterPaths {
  return {
    root,
    store: join(root, "store"),
    history: join(root, "history"),
    pki: join(root, "pki"),
    pods: join(root, "pods"),
    volumes: join(root, "volumes"),
    kubeconfig: join(root, "kubeconfig"),
    clusterFile: join(root, "cluster.json"),
    log: join(root, "fairlead.log"),
  };
}

/** `$XDG_DATA_HOME/fairlead`, by default `~/.local/share/fairlead` (XDG Base Directory Specification 0.8). */
export function dataHome(env: NodeJS.ProcessEnv = process.env): string {
  const xdg = env["XDG_DATA_HOME"];
  return join(xdg !== undefined && xdg.startsWith("/") ? xdg : join(homedir(), ".local/share"), "fairlead");
}

/** The directory of a named cluster, or the one that `--data-dir` names. */
export function clusterRoot(
  options: { readonly name: string; readonly dataDir?: string | undefined },
  env: NodeJS.ProcessEnv = process.env,
): string {
  return options.dataDir === undefined ? join(dataHome(env), "clusters", checkedName(options.name)) : resolve(options.dataDir);
}

export function checkedName(name: string): string {
  if (/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/.test(name)) return name;
  throw new FairleadError("FL_USAGE", `cluster name ${JSON.stringify(name)} is not allowed`, {
    hint: "Use 1 to 40 lower-case letters, digits and dashes, such as --name shop-test.",
  });
}
