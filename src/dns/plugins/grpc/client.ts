/** One server that is asked by gRPC, over one HTTP/2 connection. */
import { connect, constants, type ClientHttp2Session } from "node:http2";
import type { ConnectionOptions } from "node:tls";
import { joinHostPort } from "../../../lib/ip.ts";
import type { ServerAddress } from "../../corefile/servers.ts";
import { readPacket, writePacket } from "../../wire/grpc-packet.ts";

const path = "/coredns.dns.DnsService/Query";
const timeoutMs = 5000;
const maxBytes = 65_535 + 64;

export class GrpcClient {
  readonly address: string;
  readonly #tls: ConnectionOptions | undefined;
  #session: ClientHttp2Session | undefined;

  constructor({ host, port }: ServerAddress, tls: ConnectionOptions | undefined) {
    this.address = joinHostPort(host, port);
    this.#tls = tls;
  }

  /** The answer's bytes. Rejects when there is none. */
  ask(query: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const stream = this.#connected().request({ ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" });
      const chunks: Buffer[] = [];
      let size = 0;
      let status: string | undefined;
      const look = (headers: Readonly<Record<string, unknown>>) => {
        if (headers["grpc-status"] !== undefined) status = String(headers["grpc-status"]);
      };
      stream.setTimeout(timeoutMs, () => {
        stream.close(constants.NGHTTP2_CANCEL);
        reject(new Error(`${this.address} did not answer within ${timeoutMs} ms`));
      });
      stream.on("response", look);
      stream.on("trailers", look);
      stream.on("data", (chunk: Buffer) => {
        if ((size += chunk.length) > maxBytes) stream.close(constants.NGHTTP2_CANCEL);
        else chunks.push(chunk);
      });
      stream.on("error", reject);
      stream.on("close", () => {
        const packet = status === "0" ? readPacket(Buffer.concat(chunks)) : undefined;
        if (packet === undefined) reject(new Error(`${this.address} gave no answer (gRPC status ${status ?? "missing"})`));
        else resolve(packet);
      });
      stream.end(writePacket(query));
    });
  }

  #connected(): ClientHttp2Session {
    if (this.#session !== undefined && !this.#session.closed && !this.#session.destroyed) return this.#session;
    const session = connect(`${this.#tls === undefined ? "http" : "https"}://${this.address}`, this.#tls ?? {});
    session.on("error", () => session.destroy());
    session.unref();
    this.#session = session;
    return session;
  }

  stop(): void {
    this.#session?.destroy();
  }
}
