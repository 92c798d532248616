/** TLS by `node:tls`: in front, and to endpoints. */
import { isIP, type Socket } from "node:net";
import { connect, createSecureContext, createServer, type SecureContext, type TLSSocket } from "node:tls";
import type { UpstreamTls } from "../../decide/routes/index.ts";
import type { ClientCertificate, TlsClientOptions, TlsServer, TlsServerOptions } from "./carrier.ts";
import type { ServedCertificate } from "./engine.ts";
import { identityFault } from "./upstream-identity.ts";

export function createNodeTlsServer({ certificates, clients, handshakeMs, pickProtocol, onSecured }: TlsServerOptions): TlsServer {
  const authorities = clients === undefined ? {} : { ca: clients.ca };
  const contexts = new WeakMap<ServedCertificate, SecureContext>();
  /** Throws what OpenSSL says of a certificate that it cannot use. */
  const contextFor = (serverName: string): SecureContext | undefined => {
    const found = certificates.find(serverName);
    if (found === undefined) return undefined;
    let context = contexts.get(found);
    if (context === undefined) {
      context = createSecureContext({ cert: found.cert, key: found.key, minVersion: "TLSv1.2", ...authorities });
      contexts.set(found, context);
    }
    return context;
  };
  const tls = createServer({
    ALPNCallback: ({ servername, protocols }: { readonly servername: string; readonly protocols: string[] }) =>
      pickProtocol(nameOf(servername), protocols),
    minVersion: "TLSv1.2",
    ...(clients === undefined ? {} : { requestCert: true, rejectUnauthorized: !clients.insecureFallback, ...authorities }),
    allowHalfOpen: true,
    handshakeTimeout: handshakeMs,
    SNICallback: (name, done) => pickContext(contextFor, name, done),
  });
  tls.on("secureConnection", (socket) => {
    socket.on("error", noticedAtClose);
    socket.pause();
    const { servername, alpnProtocol } = socket;
    onSecured(socket, { serverName: nameOf(servername), protocol: typeof alpnProtocol === "string" ? alpnProtocol : undefined });
  });
  tls.on("tlsClientError", (_error, socket) => void socket.destroy());
  const certificatesChanged = () => {
    const { everyones } = certificates;
    if (everyones !== undefined) tls.setSecureContext({ cert: everyones.cert, key: everyones.key, ...authorities });
  };
  certificatesChanged();
  return { accept: (socket) => void tls.emit("connection", socket as Socket), certificatesChanged };
}

function nameOf(serverName: unknown): string {
  return typeof serverName === "string" ? serverName.toLowerCase() : "";
}

function pickContext(
  contextFor: (serverName: string) => SecureContext | undefined,
  name: string,
  done: (error: Error | null, context?: SecureContext) => void,
): void {
  try {
    const context = contextFor(name);
    if (context === undefined) done(new Error(`no certificate for ${name}`));
    else done(null, context);
  } catch (error) {
    // One certificate that OpenSSL cannot use costs its own host's clients the handshake, nobody else.
    done(error as Error);
  }
}

export function connectNodeTls(socket: Socket, { tls, certificate, protocol, timeoutMs }: TlsClientOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const secured = connect({
      socket,
      secureContext: contextOf(tls, certificate),
      ALPNProtocols: [protocol],
      rejectUnauthorized: tls.unverified !== true,
      checkServerIdentity: (_, peer) => identityFault(tls, peer),
      ...(isIP(tls.serverName) === 0 ? { servername: tls.serverName } : {}),
    });
    const fail = (error: Error) => {
      secured.destroy();
      reject(error);
    };
    secured.setTimeout(timeoutMs, () => fail(Object.assign(new Error("the TLS handshake took too long"), { code: "ETIMEDOUT" })));
    secured.once("error", fail);
    // An end in the middle of the handshake is no error by itself.
    secured.once("close", () => reject(Object.assign(new Error("closed in the TLS handshake"), { code: "ECONNRESET" })));
    secured.once("secureConnect", () => {
      secured.setTimeout(0);
      secured.removeAllListeners("timeout");
      secured.off("error", fail);
      if (protocol === "h2" && secured.alpnProtocol !== "h2") return fail(Object.assign(new Error("no HTTP/2"), { code: "EPROTO" }));
      secured.pause();
      resolve(secured);
    });
  });
}

const clientContexts = new WeakMap<UpstreamTls, Map<string, SecureContext>>();

/** Frozen data is read by OpenSSL once. */
function contextOf(tls: UpstreamTls, certificate: ClientCertificate | undefined): SecureContext {
  let known = clientContexts.get(tls);
  if (known === undefined) clientContexts.set(tls, (known = new Map()));
  const key = certificate?.cert ?? "";
  let context = known.get(key);
  if (context === undefined) {
    context = createSecureContext({ minVersion: "TLSv1.2", ...(tls.ca === undefined ? {} : { ca: tls.ca }), ...certificate });
    known.set(key, context);
  }
  return context;
}

function noticedAtClose(): void {
  // An error is always followed by `close`; without a listener it would end the process.
}
