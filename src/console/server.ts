/**
 * The web console: the page, and what it shows as one stream. It listens on loopback, answers nobody without a session (`session.ts`,
 * `guard.ts`), reads and never writes; the one request that it sends for a person goes to the cluster's own gateway (`try.ts`).
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { isReady, type Component } from "../component/component.ts";
import type { Clock } from "../lib/clock.ts";
import { errorMessage, FairleadError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { assetAt, formOf, loadAssets, type Assets } from "./assets.ts";
import { Feed } from "./feed.ts";
import { cookieOf, refusalOf, securityHeaders } from "./guard.ts";
import { BadBody, host, listen, readBody, say } from "./http.ts";
import { readServicePast } from "./past.ts";
import { Sessions } from "./session.ts";
import { faultOf, gatewayAddresses, tryRequest } from "./try.ts";
import type { TryRequest } from "./wire.ts";
import { World, type WorldOptions } from "./world.ts";

export interface ConsoleOptions extends WorldOptions {
  /** On 127.0.0.1; 0: any. One that is taken gives way to any. Default 6480. */
  readonly port?: number;
  /** Where the built page is. Default: with the program. */
  readonly assets?: string;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Console extends Component {
  /** With its token: whoever has it sees the cluster. "" until it listens. */
  readonly url: string;
}

export const usualPort = 6480;

export function createConsole(options: ConsoleOptions): Console {
  return new ConsoleServer(options);
}

const counterPeriodMs = 1000;

class ConsoleServer implements Console {
  readonly name = "console";
  readonly #options: ConsoleOptions;
  readonly #sessions = new Sessions();
  readonly #world: World;
  readonly #feeds = new Set<() => void>();
  #assets: Promise<Assets> | undefined;
  #server: Server | undefined;
  #port = 0;

  constructor(options: ConsoleOptions) {
    this.#options = options;
    this.#world = new World(options);
  }

  get url(): string {
    return this.#port === 0 ? "" : `http://${host}:${this.#port}/#token=${this.#sessions.token}`;
  }

  /** Throws FL_LISTEN. */
  async start(): Promise<void> {
    const server = createServer({ maxHeaderSize: 16 * 1024, headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 5_000 });
    server.maxConnections = 128;
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      this.#answer(request, response).catch((error: unknown) => this.#failed(response, error));
    });
    this.#port = await listen(server, this.#options.port ?? usualPort);
    this.#server = server;
  }

  async stop(): Promise<void> {
    for (const close of [...this.#feeds]) close();
    const server = this.#server;
    this.#server = undefined;
    this.#port = 0;
    if (server === undefined) return;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }

  ready() {
    return isReady;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(securityHeaders)) response.setHeader(name, value);
    const path = (request.url ?? "/").replace(/[?#].*$/s, "");
    const { host: asked, origin, "sec-fetch-site": site } = request.headers;
    const facts = { method: request.method ?? "", path, host: asked, origin, site: typeof site === "string" ? site : undefined };
    const refusal = refusalOf(facts, this.#port);
    if (refusal !== undefined) return say(response, refusal.status, { error: refusal.why });
    if (path === "/console/session") return this.#begin(request, response);
    if (!path.startsWith("/console/")) return this.#file(path, request, response);
    if (!this.#knows(request)) return say(response, 401, { error: "open the URL that fairlead printed: this page has no session" });
    switch (path) {
      case "/console/feed":
        return this.#feed(response);
      case "/console/past":
        return this.#past(new URLSearchParams((request.url ?? "").split("?")[1] ?? ""), response);
      case "/console/try":
        return this.#try(request, response);
      default:
        return say(response, 404, { error: "there is no such page" });
    }
  }

  get #cookieName(): string {
    // Cookies do not know ports: two consoles on one host would take each other's.
    return `fairlead-console-${this.#port}`;
  }

  #knows(request: IncomingMessage): boolean {
    const key = request.headers["x-fairlead-console"];
    return this.#sessions.holds({ cookie: cookieOf(request.headers.cookie, this.#cookieName), key: typeof key === "string" ? key : "" });
  }

  async #begin(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { token } = (await readBody(request)) as { readonly token?: unknown };
    const session = typeof token === "string" ? this.#sessions.begin(token) : undefined;
    if (session === undefined)
      return say(response, 401, { error: "that token is not of this console: open the URL that fairlead printed last" });
    response.setHeader("set-cookie", `${this.#cookieName}=${session.cookie}; HttpOnly; SameSite=Strict; Path=/console`);
    say(response, 200, { key: session.key });
  }

  async #file(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Kept from the first request on; a page that is built later is found by the next.
    this.#assets ??= loadAssets(this.#options.assets).catch((error: unknown) => {
      this.#assets = undefined;
      throw error;
    });
    const asset = assetAt(await this.#assets, path);
    if (asset === undefined) return say(response, 404, { error: "there is no such file" });
    const { coding, bytes } = formOf(asset, request.headers["accept-encoding"]);
    response.writeHead(200, {
      "content-type": asset.type,
      "content-length": bytes.length,
      "cache-control": asset.immutable ? "public, max-age=31536000, immutable" : "no-cache",
      vary: "accept-encoding",
      ...(coding === "identity" ? {} : { "content-encoding": coding }),
    });
    response.end(request.method === "HEAD" ? undefined : bytes);
  }

  async #feed(response: ServerResponse): Promise<void> {
    const { facts, lacking, informers } = await this.#world.open();
    if (response.destroyed) return;
    response.writeHead(200, { "content-type": "application/x-ndjson", "cache-control": "no-store" });
    const feed = new Feed({ sink: { write: (text) => response.write(text), onDrained: (call) => void response.on("drain", call) } });
    const counting = this.#count(feed, response);
    const close = () => {
      counting.cancel();
      feed.close();
      this.#feeds.delete(close);
      response.end();
    };
    this.#feeds.add(close);
    response.on("close", close);
    feed.say({ kind: "hello", cluster: facts, lacking });
    for (const informer of informers) feed.follow(informer);
    this.#options.informers.start();
  }

  /** Samples while somebody looks. A page that is behind gets the next one. */
  #count(feed: Feed, response: ServerResponse): { cancel(): void } {
    const { clock } = this.#options;
    let timer = { cancel: () => {} };
    let over = false;
    const next = async (): Promise<void> => {
      const counters = response.writableNeedDrain ? undefined : await this.#world.counters().catch(() => undefined);
      if (over) return;
      if (counters !== undefined) feed.say({ kind: "counters", counters });
      timer = clock.after(counterPeriodMs, () => void next());
    };
    void next();
    return {
      cancel() {
        over = true;
        timer.cancel();
      },
    };
  }

  async #past(query: URLSearchParams, response: ServerResponse): Promise<void> {
    const past = await readServicePast(this.#options.client, query.get("namespace") ?? "", query.get("name") ?? "");
    if (past === undefined) return say(response, 404, { error: "this cluster keeps no history: Fairlead's own does" });
    say(response, 200, past);
  }

  async #try(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const asked = await readBody(request);
    const fault = faultOf(asked, gatewayAddresses(this.#world.objects("Ingress"), this.#world.objects("Gateway")));
    if (fault !== undefined) return say(response, 400, { error: fault });
    say(response, 200, await tryRequest(asked as TryRequest, this.#options.clock));
  }

  #failed(response: ServerResponse, error: unknown): void {
    this.#options.log.warn("a request to the console failed", { error: errorMessage(error) });
    if (response.headersSent) return void response.destroy();
    const hint = error instanceof FairleadError ? error.hint : undefined;
    say(response, error instanceof BadBody ? 400 : 503, { error: errorMessage(error), ...(hint === undefined ? {} : { hint }) });
  }
}
