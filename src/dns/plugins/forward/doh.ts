/** Questions by HTTPS (RFC 8484), over one HTTP/2 connection for as long as it lasts. */
import { connect, constants, type ClientHttp2Session } from "node:http2";
import { joinHostPort } from "../../../lib/ip.ts";
import type { UpstreamTarget } from "./targets.ts";

const maxBytes = 65_535;

export class HttpsQuestions {
  readonly #target: UpstreamTarget;
  readonly #method: "GET" | "POST";
  #session: ClientHttp2Session | undefined;

  constructor(target: UpstreamTarget, method: "GET" | "POST") {
    this.#target = target;
    this.#method = method;
  }

  /** `query` should have the id 0: caches can then share the answer. */
  ask(query: Uint8Array, timeoutMs: number): Promise<Buffer> {
    const { label } = this.#target;
    const get = this.#method === "GET";
    const path = get ? `/dns-query?dns=${Buffer.from(query).toString("base64url")}` : "/dns-query";
    const headers = {
      ":method": this.#method,
      ":path": path,
      accept: "application/dns-message",
      ...(get ? {} : { "content-type": "application/dns-message" }),
    };
    return new Promise((resolve, reject) => {
      const stream = this.#connected().request(headers, { endStream: get });
      const chunks: Buffer[] = [];
      let size = 0;
      let status = 0;
      stream.setTimeout(timeoutMs, () => {
        stream.close(constants.NGHTTP2_CANCEL);
        reject(new Error(`${label} did not answer within ${timeoutMs} ms`));
      });
      stream.on("response", (answer) => (status = Number(answer[":status"])));
      stream.on("data", (chunk: Buffer) => {
        if ((size += chunk.length) > maxBytes) stream.close(constants.NGHTTP2_CANCEL);
        else chunks.push(chunk);
      });
      stream.on("error", reject);
      stream.on("close", () =>
        status === 200 && size <= maxBytes ? resolve(Buffer.concat(chunks)) : reject(new Error(`${label} answered with HTTP ${status}`)),
      );
      if (!get) stream.end(query);
    });
  }

  #connected(): ClientHttp2Session {
    if (this.#session !== undefined && !this.#session.closed && !this.#session.destroyed) return this.#session;
    const { host, port, tls = {} } = this.#target;
    const session = connect(`https://${joinHostPort(host, port)}`, { ...tls });
    session.on("error", () => session.destroy());
    session.unref();
    this.#session = session;
    return session;
  }

  stop(): void {
    this.#session?.destroy();
  }
}
