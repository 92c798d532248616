/** What `imagePullSecrets` say (kubelet: pkg/credentialprovider/secrets). Pure; a Secret that cannot be read gives nothing. */
import type { Pod, Secret } from "../api/types.ts";
import type { RegistryCredentials } from "./images/image-source.ts";

interface AuthEntry {
  readonly auth?: unknown;
  readonly username?: unknown;
  readonly password?: unknown;
}

export function pullSecretNames(pod: Pod): readonly string[] {
  return (pod.spec?.imagePullSecrets ?? []).flatMap(({ name }) => (name === undefined || name === "" ? [] : [name]));
}

export function pullCredentials(secrets: readonly Secret[]): readonly RegistryCredentials[] {
  return secrets.flatMap(({ type, data = {} }) => {
    if (type === "kubernetes.io/dockerconfigjson") return entries(object(parsed(data[".dockerconfigjson"]))["auths"]);
    return type === "kubernetes.io/dockercfg" ? entries(parsed(data[".dockercfg"])) : [];
  });
}

function entries(auths: unknown): readonly RegistryCredentials[] {
  return Object.entries(object(auths)).flatMap(([server, entry]) => {
    const { auth, username, password } = object(entry) as AuthEntry;
    const [user, secret] = typeof auth === "string" ? splitOnce(Buffer.from(auth, "base64").toString("utf8")) : [username, password];
    if (typeof user !== "string" || typeof secret !== "string") return [];
    return [{ scope: scopeOf(server), username: user, password: secret }];
  });
}

/** `https://index.docker.io/v1/` is Docker Hub's. */
function scopeOf(server: string): string {
  const plain = server.replace(/^https?:\/\//, "").replace(/\/(?:v[12]\/?)?$/, "");
  return plain === "index.docker.io" || plain === "registry-1.docker.io" ? "docker.io" : plain;
}

function splitOnce(text: string): readonly [string, string] {
  const colon = text.indexOf(":");
  return colon < 0 ? [text, ""] : [text.slice(0, colon), text.slice(colon + 1)];
}

function parsed(base64: string | undefined): unknown {
  try {
    return JSON.parse(Buffer.from(base64 ?? "", "base64").toString("utf8"));
  } catch {
    // As upstream: a broken secret is as none.
    return undefined;
  }
}

function object(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
