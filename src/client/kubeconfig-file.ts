/** The shape of a kubeconfig file (client-go `tools/clientcmd/api/v1/types.go`), merging several, and writing one. */
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { errorMessage, FairleadError } from "../lib/errors.ts";

export interface ClusterEntry {
  readonly server?: string;
  readonly "certificate-authority"?: string;
  readonly "certificate-authority-data"?: string;
  readonly "tls-server-name"?: string;
  readonly "insecure-skip-tls-verify"?: boolean;
}

export interface ExecPlugin {
  readonly apiVersion: string;
  readonly command: string;
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly installHint?: string;
}

export interface UserEntry {
  readonly "client-certificate"?: string;
  readonly "client-certificate-data"?: string;
  readonly "client-key"?: string;
  readonly "client-key-data"?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly username?: string;
  readonly password?: string;
  readonly exec?: ExecPlugin;
  readonly "auth-provider"?: object;
}

export interface ContextEntry {
  readonly cluster: string;
  readonly user?: string;
  readonly namespace?: string;
}

export interface KubeconfigFile {
  /** Where it is from. */
  readonly path: string;
  readonly clusters?: readonly { readonly name: string; readonly cluster: ClusterEntry }[];
  readonly users?: readonly { readonly name: string; readonly user: UserEntry }[];
  readonly contexts?: readonly { readonly name: string; readonly context: ContextEntry }[];
  readonly "current-context"?: string;
}

/** The one of that name; a hand-written file may hold anything in place of the list. */
export function entryOf<T extends { readonly name: string }>(entries: readonly T[] | undefined, name: string): T | undefined {
  return Array.isArray(entries) ? (entries as readonly T[]).find((entry) => entry?.name === name) : undefined;
}

/** Fields that may be something else than text; what this client does not know is let be. */
const structured = new Set([
  "exec",
  "auth-provider",
  "insecure-skip-tls-verify",
  "disable-compression",
  "extensions",
  "as-groups",
  "as-user-extra",
]);

/** Throws FL_KUBECONFIG when a field that must be text is not (`token: 123` without quotes). `what` names the entry. */
export function checkTexts<T extends object>(entry: T, what: string): T {
  const wrong = Object.entries(entry).find(([name, value]) => !structured.has(name) && value !== null && typeof value !== "string");
  if (wrong !== undefined) throw new FairleadError("FL_KUBECONFIG", `${what}: ${wrong[0]} must be text`, { hint: "Put it in quotes." });
  return Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== null)) as T;
}

/** The first file to name a cluster, user, context or current context wins. */
export function mergeFiles(files: readonly KubeconfigFile[]): KubeconfigFile {
  const absolute = files.map(withAbsolutePaths);
  const current = absolute.map((file) => file["current-context"]).find((context) => context !== undefined && context !== "");
  return {
    path: files.map((file) => file.path).join(":"),
    clusters: absolute.flatMap((file) => file.clusters ?? []),
    users: absolute.flatMap((file) => file.users ?? []),
    contexts: absolute.flatMap((file) => file.contexts ?? []),
    ...(current === undefined ? {} : { "current-context": current }),
  };
}

const pathFields = new Set(["certificate-authority", "client-certificate", "client-key", "tokenFile"]);

function withAbsolutePaths(file: KubeconfigFile): KubeconfigFile {
  const absolute = <T extends object>(entry: T | undefined): T =>
    Object.fromEntries(
      Object.entries(entry ?? {}).map(([name, value]) => [
        name,
        pathFields.has(name) && typeof value === "string" && value !== "" ? resolve(dirname(file.path), value) : value,
      ]),
    ) as T;
  return {
    ...file,
    clusters: list(file.clusters).map(({ name, cluster }) => ({ name, cluster: absolute(cluster) })),
    users: list(file.users).map(({ name, user }) => ({ name, user: absolute(user) })),
    contexts: list(file.contexts),
  };
}

function list<T>(entries: readonly T[] | undefined): readonly T[] {
  return Array.isArray(entries) ? (entries as readonly T[]).filter((entry) => typeof entry === "object" && entry !== null) : [];
}

/** Writes a kubeconfig for its owner alone (0600), whole or not at all. Throws FL_KUBECONFIG. */
export async function writeKubeconfig(path: string, text: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await replaceFile(path, text);
  } catch (error) {
    throw new FairleadError("FL_KUBECONFIG", `${path} cannot be written: ${errorMessage(error)}`, { cause: error });
  }
}

async function replaceFile(path: string, text: string): Promise<void> {
  const half = `${path}.${process.pid}.tmp`;
  try {
    await writeFile(half, text, { mode: 0o600 });
    await rename(half, path);
  } catch (error) {
    await rm(half, { force: true });
    throw error;
  }
}
