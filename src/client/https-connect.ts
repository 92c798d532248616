/** Makes one connection to a server: TLS with the kubeconfig's certificates, then HTTP/2 or HTTP/1.1 as it turns out. */
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { connect as tlsConnect, type ConnectionOptions, type TLSSocket } from "node:tls";
import type { ApiResponse } from "../api/request.ts";
import type { Clock } from "../lib/clock.ts";
import { errorMessage, FairleadError } from "../lib/errors.ts";
import { http1Connection } from "./https-http1.ts";
import { http2Connection } from "./https-http2.ts";
import type { ServerConfig } from "./kubeconfig.ts";
import type { TransportRequest } from "./transport.ts";

/** A way to send requests to one server, many at a time. */
export interface Connection {
  /** Nothing was answered on it yet, so an error is not due to its age. */
  readonly fresh: boolean;
  /** New requests may be sent. */
  readonly usable: boolean;
  send(request: TransportRequest): Promise<ApiResponse>;
  close(): Promise<void>;
}

/** The headers that say who we are. Certificates do so in the handshake. */
export async function authorization(
  config: ServerConfig,
  execCredential: ((plugin: NonNullable<ServerConfig["exec"]>) => Promise<string>) | undefined,
): Promise<Record<string, string>> {
  if (config.token !== undefined) return { authorization: `Bearer ${config.token}` };
  if (config.tokenFile !== undefined) return { authorization: `Bearer ${await tokenFrom(config.tokenFile)}` };
  if (config.username !== undefined) {
    return { authorization: `Basic ${Buffer.from(`${config.username}:${config.password ?? ""}`).toString("base64")}` };
  }
  if (config.exec === undefined) return {};
  if (execCredential === undefined) {
    throw new FairleadError(
      "FL_UNSUPPORTED",
      `context ${JSON.stringify(config.context)} gets its credentials from ${JSON.stringify(config.exec.command)}, which is not run here`,
      {
        hint: "Use a kubeconfig with a token or a client certificate.",
      },
    );
  }
  return { authorization: `Bearer ${await execCredential(config.exec)}` };
}

async function tokenFrom(path: string): Promise<string> {
  try {
    return (await readFile(path, "utf8")).trim();
  } catch (error) {
    throw new FairleadError("FL_KUBECONFIG", `tokenFile: ${errorMessage(error)}`, { cause: error });
  }
}

export async function connect(config: ServerConfig, timeout: number, clock: Clock, signal: AbortSignal): Promise<Connection> {
  const url = new URL(config.server);
  if (url.protocol === "http:") return http1Connection(url, {});
  const options = tlsOptions(config, url);
  const socket = await handshake(options, timeout, clock, signal);
  if (socket.alpnProtocol === "h2") return http2Connection(url, socket, clock);
  socket.destroy();
  return http1Connection(url, options);
}

export function tlsOptions(config: ServerConfig, url: URL): ConnectionOptions {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return {
    host,
    port: Number(url.port === "" ? 443 : url.port),
    // A name is announced (SNI); an address must not be (RFC 6066 section 3), and is checked against the certificate all the same.
    servername: config.tlsServerName ?? (isIP(host) === 0 ? host : ""),
    ALPNProtocols: ["h2", "http/1.1"],
    minVersion: "TLSv1.2",
    rejectUnauthorized: config.insecureSkipTlsVerify !== true,
    ...(config.ca === undefined ? {} : { ca: config.ca }),
    ...(config.clientCertificate === undefined ? {} : { cert: config.clientCertificate }),
    ...(config.clientKey === undefined ? {} : { key: config.clientKey }),
  };
}

function handshake(options: ConnectionOptions, timeout: number, clock: Clock, signal: AbortSignal): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tlsConnect(options);
    const timer = clock.after(timeout, () => socket.destroy(new Error(`no answer within ${timeout} ms`)));
    const abort = () => socket.destroy(signal.reason as Error);
    signal.addEventListener("abort", abort, { once: true });
    const settled = () => {
      timer.cancel();
      signal.removeEventListener("abort", abort);
      socket.removeAllListeners("error");
    };
    socket.once("secureConnect", () => {
      settled();
      socket.setNoDelay(true);
      resolve(socket);
    });
    socket.once("error", (error) => {
      settled();
      // Some errors come twice; the first was the true one.
      socket.on("error", () => socket.destroy());
      reject(error);
    });
  });
}
