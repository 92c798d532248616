/** One HTTP request on a socket of the cluster's. Node's own `fetch` takes no socket. */
import { request as httpRequest, type IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { FairleadError } from "../lib/errors.ts";

export interface FetchInit {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Milliseconds until it is given up; default 5000. */
  readonly timeout?: number;
}

export type Connect = (host: string, port: number) => Promise<Duplex>;

const defaultTimeoutMs = 5000;

export async function fetchThrough(connect: Connect, text: string, init: FetchInit): Promise<Response> {
  const url = new URL(text);
  if (url.protocol !== "http:") throw new FairleadError("FL_UNSUPPORTED", `fetch ${text}: only http: URLs lead into the cluster`);
  const socket = await connect(url.hostname.replace(/^\[|\]$/g, ""), Number(url.port || 80));
  const { timeout = defaultTimeoutMs } = init;
  return await new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      {
        createConnection: () => socket,
        host: url.hostname,
        path: `${url.pathname}${url.search}`,
        method: init.method ?? "GET",
        headers: { host: url.host, connection: "close", ...init.headers },
        timeout,
      },
      (response) => whole(response).then(resolve, reject),
    );
    outgoing.on("timeout", () => outgoing.destroy(new FairleadError("FL_TIMEOUT", `fetch ${text}: no answer within ${timeout} ms`)));
    outgoing.on("error", reject);
    outgoing.end(init.body);
  });
}

/** Statuses whose `Response` may have no body. */
const bodyless: readonly number[] = [204, 205, 304];

async function whole(message: IncomingMessage): Promise<Response> {
  const chunks: Buffer[] = [];
  for await (const chunk of message as AsyncIterable<Buffer>) chunks.push(chunk);
  const { statusCode: status = 502 } = message;
  const headers = Object.entries(message.headersDistinct).flatMap(([name, list = []]) =>
    list.map((value): [string, string] => [name, value]),
  );
  return new Response(bodyless.includes(status) ? null : Buffer.concat(chunks), { status, headers });
}
