/** The parts of etcd 3 that names need, by its JSON gateway (`/v3/kv/range`, `/v3/lease/timetolive`, `/v3/auth/authenticate`). */
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { errorMessage } from "../../../lib/errors.ts";

export interface EtcdOptions {
  /** URLs, tried in order. */
  readonly endpoints: readonly string[];
  readonly credentials?: { readonly name: string; readonly password: string };
  /** PEM texts. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  readonly timeoutMs: number;
}

export interface KeyValue {
  readonly key: string;
  readonly value: string;
  /** Empty without one. */
  readonly lease: string;
}

interface RangeResponse {
  readonly kvs?: readonly { readonly key: string; readonly value?: string; readonly lease?: string }[];
}

const maxBody = 64 << 20;
const encode = (text: string): string => Buffer.from(text).toString("base64");
const decode = (text: string): string => Buffer.from(text, "base64").toString("utf8");

export class EtcdClient {
  readonly #options: EtcdOptions;
  #token: string | undefined;

  constructor(options: EtcdOptions) {
    this.#options = options;
  }

  /** All keys that begin with `prefix`. Rejects when no endpoint answers. */
  async withPrefix(prefix: string): Promise<readonly KeyValue[]> {
    return this.#range({ key: encode(prefix), range_end: encode(afterPrefix(prefix)) });
  }

  async get(key: string): Promise<readonly KeyValue[]> {
    return this.#range({ key: encode(key) });
  }

  async #range(body: object): Promise<readonly KeyValue[]> {
    const { kvs = [] } = (await this.#post("/v3/kv/range", body)) as RangeResponse;
    return kvs.map(({ key, value = "", lease = "" }) => ({ key: decode(key), value: decode(value), lease: lease === "0" ? "" : lease }));
  }

  /** Seconds that are left; 0 when it is over. */
  async leaseTtl(lease: string): Promise<number> {
    const { TTL = "0" } = (await this.#post("/v3/lease/timetolive", { ID: lease })) as { readonly TTL?: string };
    return Math.max(0, Number(TTL));
  }

  async #post(path: string, body: object): Promise<unknown> {
    const failures: string[] = [];
    for (const endpoint of this.#options.endpoints) {
      try {
        return await this.#authorized(endpoint, path, body);
      } catch (error) {
        failures.push(`${endpoint}: ${errorMessage(error)}`);
      }
    }
    throw new Error(`no etcd answered (${failures.join("; ")})`);
  }

  /** Tokens end: one that is not accepted is fetched anew, once. */
  async #authorized(endpoint: string, path: string, body: object): Promise<unknown> {
    const { credentials } = this.#options;
    if (credentials === undefined) return (await this.#send(endpoint, path, body)).body;
    this.#token ??= await this.#login(endpoint, credentials);
    const first = await this.#send(endpoint, path, body, this.#token, true);
    if (first.ok) return first.body;
    this.#token = await this.#login(endpoint, credentials);
    return (await this.#send(endpoint, path, body, this.#token)).body;
  }

  async #login(endpoint: string, credentials: { readonly name: string; readonly password: string }): Promise<string> {
    const { body } = await this.#send(endpoint, "/v3/auth/authenticate", credentials);
    return (body as { readonly token?: string }).token ?? "";
  }

  #send(
    endpoint: string,
    path: string,
    body: object,
    token?: string,
    tolerant = false,
  ): Promise<{ readonly ok: boolean; readonly body: unknown }> {
    const { tls = {}, timeoutMs } = this.#options;
    const url = new URL(path, /^https?:/.test(endpoint) ? endpoint : `http://${endpoint}`);
    const headers = { "content-type": "application/json", ...(token === undefined ? {} : { authorization: token }) };
    const open = url.protocol === "https:" ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      const request = open(url, { method: "POST", headers, timeout: timeoutMs, ...tls }, (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on("data", (chunk: Buffer) => {
          if ((size += chunk.length) > maxBody) request.destroy(new Error("the answer is too large"));
          else chunks.push(chunk);
        });
        response.on("error", reject);
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString("utf8");
          const ok = response.statusCode === 200;
          if (!ok && !tolerant) return reject(new Error(`${response.statusCode} ${text.slice(0, 200)}`));
          try {
            resolve({ ok, body: JSON.parse(text) as unknown });
          } catch (error) {
            reject(new Error(`no JSON: ${errorMessage(error)}`));
          }
        });
      });
      request.on("timeout", () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)));
      request.on("error", reject);
      request.end(JSON.stringify(body));
    });
  }
}

/** The first key behind all that begin with `prefix`. */
function afterPrefix(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}
