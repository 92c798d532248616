/** The API over HTTPS by `node:https` alone: what a conformance case says is asked on the wire, not by a client of ours. */
import { readFileSync } from "node:fs";
import { Agent, request as httpsRequest, type RequestOptions } from "node:https";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { parse } from "yaml";

// oxlint-disable-next-line typescript/no-explicit-any -- cases look into objects of every kind
export type Json = any;

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: Json;
}

export interface Watch {
  /** The first event that is right, from where the last call ended; rejects after `limitMs`, or when the watch ends. */
  next(right: (event: WatchEvent) => boolean, limitMs?: number): Promise<WatchEvent>;
  stop(): void;
}

export type PatchType = "json-patch" | "merge-patch" | "strategic-merge-patch";

export interface Api {
  /** Never rejects for a status. */
  ask(method: string, path: string, options?: { readonly body?: Json; readonly type?: string }): Promise<Answer>;
  /** The rest give the object, and reject with the server's words when the status is no success. */
  get(path: string): Promise<Json>;
  create(path: string, object: Json): Promise<Json>;
  replace(path: string, object: Json): Promise<Json>;
  patch(path: string, type: PatchType, patch: Json): Promise<Json>;
  delete(path: string, options?: Json): Promise<Json>;
  /** Resolves when the server has answered; events that come meanwhile are kept. */
  watch(path: string): Promise<Watch>;
  /** Lists and watches a collection until what is in it is right. `what` names it in the error. */
  until(path: string, what: string, right: (items: readonly Json[]) => boolean, limitMs?: number): Promise<readonly Json[]>;
  close(): void;
}

/** Long: the machine may do a lot else. Nothing waits for its end. */
const patienceMs = 90_000;

export function openApi(kubeconfig: string): Api {
  const config = parse(readFileSync(kubeconfig, "utf8"));
  const { cluster } = config.clusters[0];
  const { user } = config.users[0];
  const decode = (text: string) => Buffer.from(text, "base64").toString();
  const agent = new Agent({
    keepAlive: true,
    maxSockets: 64,
    ca: decode(cluster["certificate-authority-data"]),
    cert: decode(user["client-certificate-data"]),
    key: decode(user["client-key-data"]),
  });
  const send = (options: RequestOptions, path: string, body?: string): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const outgoing = httpsRequest(new URL(path, cluster.server), { agent, ...options }, resolve);
      outgoing.on("error", reject);
      outgoing.end(body);
    });

  const ask: Api["ask"] = async (method, path, { body, type = "application/json" } = {}) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const length = text === undefined ? {} : { "content-type": type, "content-length": String(Buffer.byteLength(text)) };
    const headers = { accept: "application/json", ...length };
    const response = await send({ method, headers }, path, text);
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString() };
  };

  const succeed = async (...args: Parameters<Api["ask"]>): Promise<Json> => {
    const { status, body } = await ask(...args);
    if (status >= 300) throw new Error(`${args[0]} ${args[1]}: ${status}: ${body}`);
    return JSON.parse(body);
  };

  const watch: Api["watch"] = async (path) => {
    const response = await send({ headers: { accept: "application/json" } }, `${path}${path.includes("?") ? "&" : "?"}watch=true`);
    if (response.statusCode !== 200) throw new Error(`watch ${path}: ${response.statusCode}`);
    return readWatch(path, response);
  };

  const until: Api["until"] = async (path, what, right, limitMs = patienceMs) => {
    const list = await succeed("GET", path);
    const items = new Map<string, Json>(list.items.map((item: Json) => [nameOf(item), item]));
    if (right([...items.values()])) return [...items.values()];
    const events = await watch(`${path}${path.includes("?") ? "&" : "?"}resourceVersion=${list.metadata.resourceVersion}`);
    try {
      await events.next(({ type, object }) => {
        if (type === "ERROR") throw new Error(`watch ${path}: ${JSON.stringify(object)}`);
        if (type === "DELETED") items.delete(nameOf(object));
        else items.set(nameOf(object), object);
        return right([...items.values()]);
      }, limitMs);
    } catch (error) {
      throw new Error(`${what}: ${(error as Error).message}; there is ${JSON.stringify([...items.values()]).slice(0, 4000)}`, {
        cause: error,
      });
    } finally {
      events.stop();
    }
    return [...items.values()];
  };

  return {
    ask,
    watch,
    until,
    get: (path) => succeed("GET", path),
    create: (path, body) => succeed("POST", path, { body }),
    replace: (path, body) => succeed("PUT", path, { body }),
    patch: (path, type, body) => succeed("PATCH", path, { body, type: `application/${type}+json` }),
    delete: (path, body) => succeed("DELETE", path, body === undefined ? {} : { body }),
    close: () => agent.destroy(),
  };
}

const nameOf = ({ metadata }: Json): string => `${metadata.namespace ?? ""}/${metadata.name}`;

/** One line of JSON for each event (apimachinery pkg/runtime/serializer/json: the newline-framed stream). */
function readWatch(path: string, response: IncomingMessage): Watch {
  const events: WatchEvent[] = [];
  let rest = "";
  let ended = false;
  let look = (): void => undefined;
  response.setEncoding("utf8");
  response.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() as string;
    for (const line of lines) if (line !== "") events.push(JSON.parse(line) as WatchEvent);
    look();
  });
  const end = () => ((ended = true), look());
  response.on("close", end).on("error", end);
  return {
    next: (right, limitMs = patienceMs) =>
      new Promise((resolve, reject) => {
        const finish = (settle: () => void) => {
          clearTimeout(timer);
          look = () => undefined;
          settle();
        };
        const timer = setTimeout(
          () => finish(() => reject(new Error(`watch ${path}: what was waited for did not come in ${limitMs} ms`))),
          limitMs,
        );
        look = () => {
          try {
            for (let event = events.shift(); event !== undefined; event = events.shift()) {
              const seen = event;
              if (right(seen)) return finish(() => resolve(seen));
            }
          } catch (error) {
            return finish(() => reject(error as Error));
          }
          if (ended) finish(() => reject(new Error(`watch ${path}: ended by the server`)));
        };
        look();
      }),
    stop: () => response.destroy(),
  };
}
