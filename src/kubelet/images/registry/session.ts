/**
 * Requests of one pull to one repository of a registry (OCI distribution-spec v1.1 "Pull"): authorization when it is asked for, and
 * never shown to another host; plain HTTP only on this machine; nothing waits for ever.
 */
import { errorMessage } from "../../../lib/errors.ts";
import { ImageSourceError, type RegistryCredentials, type ResolveOptions } from "../image-source.ts";
import type { ImageReference } from "../reference.ts";
import { parseChallenge, tokenUrl, type Challenge } from "./challenge.ts";

export type Fetch = typeof globalThis.fetch;

export interface SessionOptions extends ResolveOptions {
  readonly reference: ImageReference;
  readonly fetch: Fetch;
}

/** As Docker has it: its name is not the address of its registry. */
const hosts: Readonly<Record<string, string>> = { "docker.io": "registry-1.docker.io" };
const mostRedirects = 5;
const mostTokenBytes = 2 ** 20;

export class RegistrySession {
  readonly #options: SessionOptions;
  readonly #origin: URL;
  readonly #credentials: RegistryCredentials | undefined;
  #authorization: string | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    const { registry, repository } = options.reference;
    const host = hosts[registry] ?? registry;
    this.#origin = new URL(`${isThisMachine(host) ? "http" : "https"}://${host}`);
    this.#credentials = credentialsFor(`${registry}/${repository}`, options.credentials);
  }

  /** `path`: `manifests/latest`, `blobs/sha256:…`. The answer's status is 200 or 404. */
  async get(path: string, accept: readonly string[]): Promise<Response> {
    const url = new URL(`/v2/${this.#options.reference.repository}/${path}`, this.#origin);
    const first = await this.#follow(url, accept);
    if (first.status !== 401) return settled(first, url);
    await first.body?.cancel();
    await this.#authorize(first.headers.get("www-authenticate") ?? "");
    const second = await this.#follow(url, accept);
    if (second.status === 401 || second.status === 403)
      throw new ImageSourceError(`${this.#origin.host} refuses access to ${url.pathname} (${second.status})`);
    return settled(second, url);
  }

  async #follow(from: URL, accept: readonly string[]): Promise<Response> {
    let url = from;
    for (let i = 0; i <= mostRedirects; i++) {
      const answer = await this.#request(url, accept);
      const location = answer.headers.get("location");
      if (answer.status < 300 || answer.status > 399 || location === null) return answer;
      await answer.body?.cancel();
      url = checked(new URL(location, url));
    }
    throw new ImageSourceError(`${from.host} redirects more than ${mostRedirects} times`);
  }

  async #request(url: URL, accept: readonly string[]): Promise<Response> {
    const { fetch, signal } = this.#options;
    const isOwn = url.origin === this.#origin.origin;
    const headers = {
      "accept-encoding": "identity",
      ...(accept.length === 0 ? {} : { accept: accept.join(", ") }),
      ...(isOwn && this.#authorization !== undefined ? { authorization: this.#authorization } : {}),
    };
    try {
      return await fetch(url, { headers, redirect: "manual", signal });
    } catch (error) {
      throw new ImageSourceError(`${url.host} cannot be asked: ${reasonOf(error)}`, { cause: error });
    }
  }

  async #authorize(header: string): Promise<void> {
    const challenge = parseChallenge(header);
    if (challenge === undefined)
      throw new ImageSourceError(`${this.#origin.host} asks for an authorization that is not known here: ${header.slice(0, 200)}`);
    if (challenge.scheme === "basic") {
      if (this.#credentials === undefined)
        throw new ImageSourceError(`${this.#origin.host} asks for a password: the pod needs imagePullSecrets`);
      this.#authorization = basic(this.#credentials);
    } else this.#authorization = `Bearer ${await this.#token(challenge)}`;
  }

  async #token(challenge: Extract<Challenge, { scheme: "bearer" }>): Promise<string> {
    const { fetch, signal, reference } = this.#options;
    const url = checked(tokenUrl(challenge, reference.repository));
    const headers = this.#credentials === undefined ? {} : { authorization: basic(this.#credentials) };
    const answer = await fetch(url, { headers, redirect: "error", signal }).catch((error: unknown) => {
      throw new ImageSourceError(`${url.host} gives no token: ${reasonOf(error)}`, { cause: error });
    });
    if (!answer.ok) throw new ImageSourceError(`${url.host} gives no token: status ${answer.status}`);
    const { token, access_token: other } = JSON.parse((await readAll(answer, mostTokenBytes)).toString("utf8")) as Record<string, unknown>;
    const given = token ?? other;
    if (typeof given !== "string" || !/^[\x21-\x7e]+$/.test(given)) throw new ImageSourceError(`${url.host} gives no token`);
    return given;
  }
}

/** The body; throws ImageSourceError when it is larger. */
export async function readAll(answer: Response, most: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of answer.body ?? []) {
    if ((size += part.byteLength) > most) throw new ImageSourceError(`an answer has more than ${most} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function settled(answer: Response, url: URL): Response {
  if (answer.status === 200 || answer.status === 404) return answer;
  void answer.body?.cancel();
  throw new ImageSourceError(`${url.host} answers ${url.pathname} with status ${answer.status}`);
}

/** Where a registry sends us, nobody may read along. */
function checked(url: URL): URL {
  if (url.protocol === "https:" || (url.protocol === "http:" && isThisMachine(url.host))) return url;
  throw new ImageSourceError(`a registry leads to ${url.protocol}//${url.host}, which is not safe`);
}

/** As Docker has it, registries on this machine need no TLS. */
function isThisMachine(host: string): boolean {
  const name = host.replace(/:\d+$/, "");
  return name === "localhost" || name === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(name);
}

/** Those whose scope is the longest (kubelet: pkg/credentialprovider `DockerKeyring`). */
function credentialsFor(name: string, all: readonly RegistryCredentials[]): RegistryCredentials | undefined {
  const fitting = all.filter(({ scope }) => name === scope || name.startsWith(`${scope}/`));
  return fitting.toSorted((a, b) => b.scope.length - a.scope.length)[0];
}

function basic({ username, password }: RegistryCredentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

/** fetch hides the system's error behind "fetch failed". */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return errorMessage(cause instanceof Error ? cause : error);
}
