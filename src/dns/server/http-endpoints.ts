/** The HTTP pages of `health`, `ready` and `prometheus`: one server per address, shared by all that ask for it. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { errnoCode, errorMessage, FairleadError } from "../../lib/errors.ts";
import { joinHostPort } from "../../lib/ip.ts";
import type { SocketSource } from "./listener.ts";
import type { HttpAnswer, HttpEndpoints, HttpHandler, HttpLease } from "../plugin.ts";

interface Shared {
  readonly server: Server;
  readonly pages: Map<string, HttpHandler>;
  readonly host: string;
  readonly port: number;
  uses: number;
}

export interface HttpEndpointsOptions {
  /** Where an address without a host listens. Default 127.0.0.1. */
  readonly host?: string;
  /** What `localhost` is. Default 127.0.0.1. */
  readonly loopback?: string;
  /** The port for one of the Corefile; 0: any free one; undefined: none. Default: the Corefile's. */
  readonly port?: (port: number) => number | undefined;
  /** Who makes the sockets. Default: this thread. */
  readonly sockets?: SocketSource;
}

export class SharedHttpEndpoints implements HttpEndpoints {
  readonly #host: string;
  readonly #loopback: string;
  readonly #port: (port: number) => number | undefined;
  readonly #sockets: SocketSource | undefined;
  readonly #servers = new Map<string, Promise<Shared>>();
  readonly #pages = new Map<string, Shared>();

  constructor({ host = "127.0.0.1", loopback = "127.0.0.1", port = (asked) => asked, sockets }: HttpEndpointsOptions = {}) {
    this.#sockets = sockets;
    this.#host = host;
    this.#loopback = loopback;
    this.#port = port;
  }

  addresses(): ReadonlyMap<string, { readonly host: string; readonly port: number }> {
    return this.#pages;
  }

  async open(address: string, path: string, handler: HttpHandler): Promise<HttpLease> {
    const { host, port } = splitAddress(address);
    const wanted = this.#port(port);
    // Nobody wants pages: the plugin works all the same.
    if (wanted === undefined) return { release: async () => undefined };
    const key = joinHostPort(host, port);
    const shared = await this.#server(key, host === "" ? this.#host : host === "localhost" ? this.#loopback : host, wanted);
    shared.uses++;
    shared.pages.set(path, handler);
    this.#pages.set(path, shared);
    let released = false;
    return {
      release: async () => {
        if (released) return;
        released = true;
        // After a reload the page belongs to the new configuration.
        if (shared.pages.get(path) === handler) {
          shared.pages.delete(path);
          if (this.#pages.get(path) === shared) this.#pages.delete(path);
        }
        if (--shared.uses > 0) return;
        this.#servers.delete(key);
        await close(shared.server);
      },
    };
  }

  async #server(key: string, host: string, port: number): Promise<Shared> {
    const pending = this.#servers.get(key) ?? listen(host, port, this.#sockets);
    this.#servers.set(key, pending);
    try {
      return await pending;
    } catch (error) {
      this.#servers.delete(key);
      throw error;
    }
  }
}

function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(address.slice(colon + 1)) };
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

async function listen(host: string, port: number, sockets: SocketSource | undefined): Promise<Shared> {
  const made = await sockets?.tcp(host, port);
  const pages = new Map<string, HttpHandler>();
  const server = createServer({ requestTimeout: 5000, maxHeaderSize: 8192 }, (request, response) => {
    const [path = "", query = ""] = (request.url ?? "").split("?");
    const readable = request.method === "GET" || request.method === "HEAD";
    const handler = readable ? pages.get(path) : undefined;
    if (handler === undefined) return void response.writeHead(404).end("404 page not found\n");
    // One that fails at once must not end the server either.
    new Promise<HttpAnswer>((resolve) => resolve(handler(new URLSearchParams(query)))).then(
      ({ status, body, type = "text/plain; charset=utf-8", headers = {} }) =>
        response.writeHead(status, { "content-type": type, ...headers }).end(body),
      (error: unknown) => response.writeHead(500).end(`${errorMessage(error)}\n`),
    );
  });
  return await new Promise((resolve, reject) => {
    server.once("error", (error) => {
      const message = `${joinHostPort(host, port)} cannot be bound (${errnoCode(error) ?? error.message})`;
      reject(
        new FairleadError("FL_LISTEN", message, {
          cause: error,
          hint: "Another program listens there, or the address is not this machine's.",
        }),
      );
    });
    server.listen(made === undefined ? { host, port } : { fd: made.fd }, () => {
      server.unref();
      resolve({ server, pages, host, port: made?.port ?? (server.address() as AddressInfo).port, uses: 0 });
    });
  });
}
