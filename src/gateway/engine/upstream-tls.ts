/** TLS to endpoints: whose certificate is believed (BackendTLSPolicy, GEP-1897) and which one is shown (Gateway `tls.backend`, GEP-3155). */
import { isIP, type Socket } from "node:net";
import { checkServerIdentity, connect, createSecureContext, type PeerCertificate, type SecureContext, type TLSSocket } from "node:tls";
import type { UpstreamTls } from "../../decide/routes/index.ts";

export interface ClientCertificate {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

export interface SecureOptions {
  readonly tls: UpstreamTls;
  readonly certificate: ClientCertificate | undefined;
  readonly protocol: "h2" | "http/1.1";
  readonly timeoutMs: number;
}

/** The handshake over a connected socket. Rejects with OpenSSL's error, or ETIMEDOUT; the socket is then destroyed. */
export function secure(socket: Socket, { tls, certificate, protocol, timeoutMs }: SecureOptions): Promise<TLSSocket> {
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

const contexts = new WeakMap<UpstreamTls, Map<string, SecureContext>>();

/** Frozen data is read by OpenSSL once. */
function contextOf(tls: UpstreamTls, certificate: ClientCertificate | undefined): SecureContext {
  let known = contexts.get(tls);
  if (known === undefined) contexts.set(tls, (known = new Map()));
  const key = certificate?.cert ?? "";
  let context = known.get(key);
  if (context === undefined) {
    context = createSecureContext({ minVersion: "TLSv1.2", ...(tls.ca === undefined ? {} : { ca: tls.ca }), ...certificate });
    known.set(key, context);
  }
  return context;
}

/** "If SubjectAltNames is specified, Hostname MUST NOT be used for authentication." */
function identityFault({ serverName, names, unverified }: UpstreamTls, peer: PeerCertificate): Error | undefined {
  if (unverified === true) return undefined;
  if (names.length === 0) return checkServerIdentity(serverName, peer);
  const uris = new Set((peer.subjectaltname ?? "").split(", ").flatMap((text) => (text.startsWith("URI:") ? [text.slice(4)] : [])));
  const isNamed = names.some(({ kind, value }) => (kind === "uri" ? uris.has(value) : checkServerIdentity(value, peer) === undefined));
  return isNamed ? undefined : Object.assign(new Error("the certificate has none of the names"), { code: "ERR_TLS_CERT_ALTNAME_INVALID" });
}
