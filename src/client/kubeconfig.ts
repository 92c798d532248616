/**
 * Kubeconfig files (client-go `tools/clientcmd`): which server to speak to, how to know it, and who we are. Several files
 * in `$KUBECONFIG` are merged, the first to name something wins; paths in a file are relative to the file.
 */
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { errnoCode, errorMessage, FairleadError } from "../lib/errors.ts";
import {
  checkTexts,
  entryOf,
  mergeFiles,
  type ContextEntry,
  type ExecPlugin,
  type KubeconfigFile,
  type UserEntry,
} from "./kubeconfig-file.ts";

/** All that a transport must know. PEM as text. */
export interface ServerConfig {
  /** `https://127.0.0.1:6443` */
  readonly server: string;
  /** Absent: the system's authorities. */
  readonly ca?: string;
  readonly clientCertificate?: string;
  readonly clientKey?: string;
  readonly token?: string;
  /** Read again for each connection: its content rotates. */
  readonly tokenFile?: string;
  readonly username?: string;
  readonly password?: string;
  /** A program that gives credentials; running it is not the client's job. */
  readonly exec?: ExecPlugin;
  /** The name in the server's certificate when it is not the one in `server`. */
  readonly tlsServerName?: string;
  readonly insecureSkipTlsVerify?: boolean;
  /** The context's namespace; `default` when it has none. */
  readonly namespace: string;
  readonly context: string;
}

export interface LoadOptions {
  /** This file alone, which must exist. Default: `$KUBECONFIG`, else `~/.kube/config`. */
  readonly path?: string;
  /** Default: the file's `current-context`. */
  readonly context?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Throws FL_KUBECONFIG. */
export async function loadKubeconfig(options: LoadOptions = {}): Promise<ServerConfig> {
  const paths = options.path === undefined ? defaultPaths(options.env ?? process.env) : [options.path];
  const files = (await Promise.all(paths.map((path) => readOne(path, options.path !== undefined)))).filter((file) => file !== undefined);
  if (files.length === 0) {
    throw new FairleadError("FL_KUBECONFIG", `there is no kubeconfig: looked for ${paths.join(", ")}`, {
      hint: "Set KUBECONFIG or give --kubeconfig. For a running Fairlead: export KUBECONFIG=$(fairlead kubeconfig --path)",
    });
  }
  return serverConfig(mergeFiles(files), options.context);
}

function defaultPaths(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const listed = (env["KUBECONFIG"] ?? "").split(":").filter((path) => path !== "");
  return listed.length > 0 ? listed : [join(env["HOME"] ?? homedir(), ".kube/config")];
}

/** undefined: a file that may be absent is. */
async function readOne(path: string, mustExist: boolean): Promise<KubeconfigFile | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (!mustExist && errnoCode(error) === "ENOENT") return undefined;
    throw new FairleadError("FL_KUBECONFIG", `${path} cannot be read: ${errorMessage(error)}`, { cause: error });
  }
  return parseKubeconfig(text, path);
}

/** `path` is for messages and for relative paths in the file. Throws FL_KUBECONFIG. */
async function parseKubeconfig(text: string, path: string): Promise<KubeconfigFile> {
  const { parse } = await import("yaml");
  let value: unknown;
  try {
    value = parse(text, { logLevel: "error" });
  } catch (error) {
    throw new FairleadError("FL_KUBECONFIG", `${path} is not YAML: ${errorMessage(error)}`, { cause: error });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new FairleadError("FL_KUBECONFIG", `${path} holds no kubeconfig`);
  return { ...(value as KubeconfigFile), path };
}

async function serverConfig(file: KubeconfigFile, wanted: string | undefined): Promise<ServerConfig> {
  const { name, context } = chosenContext(file, wanted);
  const of = `context ${JSON.stringify(name)} of ${file.path}`;
  const cluster = checkTexts(entryOf(file.clusters, context.cluster)?.cluster ?? {}, `cluster ${JSON.stringify(context.cluster)}`);
  if (cluster.server === undefined) throw new FairleadError("FL_KUBECONFIG", `${of} names no cluster with a server`);
  const user = context.user === undefined || context.user === "" ? {} : entryOf(file.users, context.user)?.user;
  if (user === undefined) throw new FairleadError("FL_KUBECONFIG", `${of} names user ${JSON.stringify(context.user)}, who is not there`);
  const ca = await material(cluster["certificate-authority-data"], cluster["certificate-authority"], "certificate-authority");
  return {
    server: checkedServer(cluster.server, file.path),
    ...(ca === undefined ? {} : { ca }),
    ...(cluster["tls-server-name"] === undefined ? {} : { tlsServerName: cluster["tls-server-name"] }),
    ...(cluster["insecure-skip-tls-verify"] === true ? { insecureSkipTlsVerify: true } : {}),
    ...(await credentials(checkTexts(user, `user ${JSON.stringify(context.user ?? "")}`))),
    namespace: context.namespace ?? "default",
    context: name,
  };
}

function chosenContext(file: KubeconfigFile, wanted: string | undefined): { readonly name: string; readonly context: ContextEntry } {
  const name = wanted ?? file["current-context"];
  const all = (file.contexts ?? []).map((entry) => entry.name).join(", ");
  if (name === undefined || name === "") {
    throw new FairleadError("FL_KUBECONFIG", `${file.path} has no current-context`, {
      hint: `Choose one with --context: ${all || "there is none"}.`,
    });
  }
  const context = entryOf(file.contexts, name)?.context;
  if (typeof context === "object" && context !== null) return { name, context: checkTexts(context, `context ${JSON.stringify(name)}`) };
  throw new FairleadError("FL_KUBECONFIG", `${file.path} has no context ${JSON.stringify(name)}`, { hint: `It has: ${all || "none"}.` });
}

function checkedServer(server: string, path: string): string {
  const url = URL.parse(server.includes("://") ? server : `https://${server}`);
  if (url !== null && (url.protocol === "https:" || url.protocol === "http:")) return url.href.replace(/\/$/, "");
  throw new FairleadError("FL_KUBECONFIG", `${path}: ${JSON.stringify(server)} is not the URL of a server`);
}

async function credentials(user: UserEntry): Promise<Partial<ServerConfig>> {
  const clientCertificate = await material(user["client-certificate-data"], user["client-certificate"], "client-certificate");
  const clientKey = await material(user["client-key-data"], user["client-key"], "client-key");
  if (user["auth-provider"] !== undefined) {
    throw new FairleadError("FL_KUBECONFIG", "the user's auth-provider is not supported: Kubernetes took those out in 1.26", {
      hint: "Use an exec plugin or a token.",
    });
  }
  return {
    ...(clientCertificate === undefined ? {} : { clientCertificate }),
    ...(clientKey === undefined ? {} : { clientKey }),
    ...(user.token === undefined || user.token === "" ? {} : { token: user.token }),
    ...(user.tokenFile === undefined ? {} : { tokenFile: user.tokenFile }),
    ...(user.username === undefined ? {} : { username: user.username, password: user.password ?? "" }),
    ...(user.exec === undefined ? {} : { exec: user.exec }),
  };
}

/** Inline data (base64) goes before a file. */
async function material(data: string | undefined, path: string | undefined, field: string): Promise<string | undefined> {
  if (data !== undefined && data !== "") return Buffer.from(data, "base64").toString("utf8");
  if (path === undefined || path === "") return undefined;
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new FairleadError("FL_KUBECONFIG", `${field}: ${errorMessage(error)}`, { cause: error });
  }
}
