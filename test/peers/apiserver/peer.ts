/** A server to ask: the real one by HTTPS, ours in this process. */
import { request } from "node:https";
import { TestServer } from "../../../src/apiserver/testing.ts";
import { realClock } from "../../../src/lib/clock.ts";

export interface Question {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly body?: unknown;
  readonly type?: string;
  readonly accept?: string;
}

export interface Reply {
  readonly status: number;
  readonly warnings: readonly string[];
  readonly body: unknown;
}

export type Peer = (question: Question) => Promise<Reply>;

export interface RemoteOptions {
  readonly port: number;
  readonly token: string;
}

const encoded = (body: unknown): string => (typeof body === "string" ? body : JSON.stringify(body));

/** A server of this machine whose certificate nobody signed. */
export function remote({ port, token }: RemoteOptions): Peer {
  return ({ method, path, body, type = "application/json", accept = "application/json" }) =>
    new Promise((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${token}`,
        accept,
        ...(body === undefined ? {} : { "content-type": type, "content-length": Buffer.byteLength(encoded(body)) }),
      };
      const sent = request({ host: "127.0.0.1", port, method, path, headers, rejectUnauthorized: false }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            warnings: split(response.headers["warning"]),
            body: parsed(Buffer.concat(chunks).toString()),
          }),
        );
      });
      sent.on("error", reject);
      sent.end(body === undefined ? undefined : encoded(body));
    });
}

export async function ours(options: ConstructorParameters<typeof TestServer>[0] = {}): Promise<Peer> {
  const api = new TestServer({ serviceClusterIPRanges: ["10.96.0.0/16", "fd00:10:96::/112"], clock: realClock, ...options });
  await api.server.start();
  return async ({ method, path, body, type = "application/json", accept = "application/json" }) => {
    const reply = await api.ask(method, path, { ...(body === undefined ? {} : { body, type }), headers: { accept } });
    const warnings = reply.headers["warning"];
    return { status: reply.status, warnings: split(typeof warnings === "string" ? warnings : warnings?.join(", ")), body: reply.body };
  };
}

/** `299 - "text"`, several in one header. */
function split(header: string | undefined): string[] {
  return [...(header ?? "").matchAll(/299 - "((?:[^"\\]|\\.)*)"/g)].map((match) => (match[1] as string).replace(/\\(.)/g, "$1")).sort();
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
