/** Bodies, answers and the listener of the console. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { errnoCode, errorMessage, FairleadError } from "../lib/errors.ts";

/** The console is for this machine. */
export const host = "127.0.0.1";
const mostBody = 32 * 1024;

/** What a client sent cannot be read. */
export class BadBody extends Error {}

/** A JSON object. Throws BadBody. */
export async function readBody(request: IncomingMessage): Promise<object> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > mostBody) throw new BadBody(`a body may have ${mostBody} bytes`);
    chunks.push(chunk);
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    if (typeof value === "object" && value !== null) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new BadBody("the body is a JSON object");
}

export function say(response: ServerResponse, status: number, body: object): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, { "content-type": "application/json", "content-length": bytes.length, "cache-control": "no-store" });
  response.end(bytes);
}

/** On `host`; a port that is taken gives way to any. Gives the port. Throws FL_LISTEN. */
export async function listen(server: Server, wanted: number): Promise<number> {
  for (const port of wanted === 0 ? [0] : [wanted, 0]) {
    const error = await new Promise<Error | undefined>((resolve) => {
      server.once("error", resolve);
      server.listen({ host, port }, () => {
        server.removeListener("error", resolve);
        resolve(undefined);
      });
    });
    const address = server.address();
    if (error === undefined && typeof address === "object" && address !== null) return address.port;
    if (errnoCode(error) !== "EADDRINUSE" || port === 0)
      throw new FairleadError("FL_LISTEN", `the console cannot listen on ${host}:${port}: ${errorMessage(error)}`, { cause: error });
  }
  return 0;
}
