/** TLS in front: picks the certificate by server name and, as the client's ALPN says, goes on in HTTP/2 or HTTP/1.1. */
import {
  createServer as createHttp2Server,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";
import { createServer as createTlsServer, type SecureContext, type TLSSocket } from "node:tls";
import { defaultHeadLimits } from "../http1/request-head.ts";
import type { EngineLimits, ListenerTls } from "./engine.ts";
import type { CertificateStore } from "./tls.ts";

/** A request over HTTP/2. */
export interface ArrivedStream {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  /** It has no body. */
  readonly endOfStream: boolean;
}

export interface SecureServerOptions {
  readonly certificates: CertificateStore;
  readonly limits: EngineLimits;
  readonly onHttp1: (socket: TLSSocket) => void;
  readonly onSession: (session: ServerHttp2Session) => void;
  readonly onStream: (arrived: ArrivedStream, socket: Socket) => void;
  /** Certificates of clients; absent: none is asked for. */
  readonly clients?: ListenerTls["clients"];
  /** A server name that is none of HTTP's: its connections are given away as they come out of their TLS. */
  readonly raw?: ((serverName: string) => ((socket: TLSSocket) => void) | undefined) | undefined;
}

export interface SecureServer {
  /** Takes a plain connection. */
  readonly accept: (socket: Socket) => void;
  certificatesChanged(): void;
}

const endStream = 1;

export function createSecureServer(options: SecureServerOptions): SecureServer {
  const { certificates, limits, onHttp1, clients, raw } = options;
  const http2 = createHttp2(options);
  const tls = createTlsServer({
    ...(raw === undefined
      ? { ALPNProtocols: [...httpProtocols] }
      : { ALPNCallback: (asked: { readonly servername: string; readonly protocols: string[] }) => pickProtocol(raw, asked) }),
    minVersion: "TLSv1.2",
    ...(clients === undefined ? {} : { requestCert: true, rejectUnauthorized: !clients.insecureFallback, ca: clients.ca }),
    allowHalfOpen: true,
    handshakeTimeout: limits.headMs,
    SNICallback: (name, done) => pickContext(certificates, name, done),
  });
  tls.on("secureConnection", (socket) => {
    socket.on("error", noticedAtClose);
    const own = raw?.(typeof socket.servername === "string" ? socket.servername : "");
    if (own !== undefined) own(socket);
    else if (socket.alpnProtocol === "h2") http2.emit("connection", socket);
    else onHttp1(socket);
  });
  tls.on("tlsClientError", (_error, socket) => void socket.destroy());
  /** For clients that name no server. */
  const certificatesChanged = () => {
    const everyones = certificates.get("*");
    if (everyones !== undefined)
      tls.setSecureContext({ cert: everyones.cert, key: everyones.key, ...(clients === undefined ? {} : { ca: clients.ca }) });
  };
  certificatesChanged();
  return { accept: (socket) => void tls.emit("connection", socket), certificatesChanged };
}

const httpProtocols = ["h2", "http/1.1"];

/** What goes on below HTTP is the client's and the endpoint's affair: its first wish is granted. */
function pickProtocol(
  raw: NonNullable<SecureServerOptions["raw"]>,
  { servername, protocols }: { readonly servername: string; readonly protocols: string[] },
): string | undefined {
  if (raw(servername) !== undefined) return protocols[0];
  return httpProtocols.find((each) => protocols.includes(each));
}

function pickContext(certificates: CertificateStore, name: string, done: (error: Error | null, context?: SecureContext) => void): void {
  try {
    const context = certificates.contextFor(name);
    if (context === undefined) done(new Error(`no certificate for ${name}`));
    else done(null, context);
  } catch (error) {
    // One certificate that OpenSSL cannot use costs its own host's clients the handshake, nobody else.
    done(error as Error);
  }
}

/** node:http2 with limits against the known floods: resets (CVE-2023-44487), CONTINUATION, settings, pings, empty frames. */
export function createHttp2({ limits, onSession, onStream }: Pick<SecureServerOptions, "limits" | "onSession" | "onStream">): Http2Server {
  const server = createHttp2Server({
    settings: { maxConcurrentStreams: limits.streams, enablePush: false, initialWindowSize: 1 << 20 },
    maxHeaderListPairs: defaultHeadLimits.fields,
    maxSessionMemory: 10,
    maxSessionInvalidFrames: 20,
    maxSessionRejectedStreams: 20,
    maxSettings: 16,
    maxOutstandingPings: 5,
    streamResetBurst: 200,
    streamResetRate: 33,
  });
  server.on("session", (session) => {
    session.on("error", noticedAtClose);
    session.setTimeout(limits.idleMs, () => session.close());
    onSession(session);
  });
  server.on("sessionError", noticedAtClose);
  server.on("stream", (stream, headers, flags, rawHeaders) => {
    // It may have ended, in error, in the same turn: a stream that nobody listens to would take the process with it.
    stream.on("error", noticedAtClose);
    const { session } = stream;
    if (session === undefined) return;
    const arrived = {
      stream: stream as ServerHttp2Stream,
      headers,
      rawHeaders: rawHeaders as unknown as string[],
      endOfStream: (flags & endStream) !== 0,
    };
    onStream(arrived, session.socket as Socket);
  });
  return server;
}

function noticedAtClose(): void {
  // An error is always followed by `close`; without a listener it would end the process.
}
