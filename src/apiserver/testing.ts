/** An API server in memory, asked as a client in this process asks: for the tests of this folder. */
import type { ApiBody, ApiRequest, ApiResponse, UserInfo } from "../api/request.ts";
import { FakeClock } from "../lib/clock.ts";
import { createMemoryBackend } from "../storage/memory/memory-backend.ts";
import type { ApiServer, ApiServerOptions } from "./server-options.ts";
import { createApiServer } from "./server.ts";

export const admin: UserInfo = { name: "kubernetes-admin", groups: ["system:masters", "system:authenticated"] };

export interface Answer {
  readonly status: number;
  readonly headers: ApiResponse["headers"];
  /** Parsed JSON; text where the answer is text. */
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers of every shape
  readonly body: any;
}

export interface Ask {
  readonly body?: unknown;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly user?: UserInfo;
  readonly signal?: AbortSignal;
}

export class TestServer {
  readonly clock = new FakeClock();
  readonly server: ApiServer;
  #uid = 0;
  #random = 0;

  constructor(options: Partial<ApiServerOptions> = {}) {
    this.server = createApiServer({
      backend: createMemoryBackend(),
      serviceClusterIPRanges: ["10.96.0.0/16"],
      clock: this.clock,
      uid: () => `uid-${++this.#uid}`,
      // A sequence that repeats for every test and does not stand still.
      random: () => (this.#random = (this.#random * 16807 + 11) % 2147483647) / 2147483647,
      ...options,
    });
  }

  /** `GET /api/v1/pods?limit=1`; a body that is no bytes is sent as JSON. */
  async raw(method: ApiRequest["method"], url: string, { body, type, headers = {}, user = admin, signal }: Ask = {}): Promise<ApiResponse> {
    const [path = "/", query = ""] = url.split("?", 2);
    const bytes =
      body === undefined
        ? undefined
        : body instanceof Uint8Array
          ? body
          : Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
    return this.server.handle({
      method,
      path: decodeURIComponent(path),
      query: new URLSearchParams(query),
      headers: { ...(type === undefined ? {} : { "content-type": type }), ...headers },
      user,
      ...(bytes === undefined ? {} : { body: bytes }),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  async ask(method: ApiRequest["method"], url: string, ask: Ask = {}): Promise<Answer> {
    const { status, headers, body } = await this.raw(method, url, ask);
    const text = (await bytesOf(body)).toString("utf8");
    const isJson = String(headers["content-type"] ?? "").includes("json");
    return { status, headers, body: isJson && text !== "" ? JSON.parse(text) : text };
  }

  get = (url: string, ask?: Ask) => this.ask("GET", url, ask);
  post = (url: string, body: unknown, ask?: Ask) => this.ask("POST", url, { ...ask, body });
  put = (url: string, body: unknown, ask?: Ask) => this.ask("PUT", url, { ...ask, body });
  remove = (url: string, body?: unknown) => this.ask("DELETE", url, body === undefined ? {} : { body });
  patch = (url: string, body: unknown, type = "application/merge-patch+json") => this.ask("PATCH", url, { body, type });
}

export async function bytesOf(body: ApiBody): Promise<Buffer> {
  switch (body.kind) {
    case "empty":
      return Buffer.alloc(0);
    case "bytes":
      return Buffer.from(body.bytes);
    case "object": {
      const encoded = body.encoded?.() ?? Buffer.from(JSON.stringify(body.object));
      return encoded instanceof Uint8Array ? Buffer.from(encoded) : collected(encoded);
    }
    case "chunks":
      return collected(body.chunks);
    case "watch":
      body.stream.close();
      return Buffer.alloc(0);
    default:
      return body satisfies never;
  }
}

async function collected(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

/** The next events of a watch answer, as `TYPE name`. */
export async function events(
  response: ApiResponse,
  count: number,
): Promise<readonly { readonly type: string; readonly object: Answer["body"] }[]> {
  if (response.body.kind !== "watch") throw new Error(`no watch: ${response.status} ${(await bytesOf(response.body)).toString()}`);
  const seen: { type: string; object: Answer["body"] }[] = [];
  for await (const event of response.body.stream) {
    seen.push(JSON.parse(Buffer.from(event.bytes()).toString()));
    if (seen.length >= count) break;
  }
  return seen;
}
