/** TLS in a thread with an event loop of ours: in front, and to endpoints. */
import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { rootCertificates } from "node:tls";
import type { UpstreamTls } from "../../decide/routes/index.ts";
import type { EpollTls, TlsContext, TlsSocket } from "../../net/epoll/tls.ts";
import type { StreamSocket } from "../../net/stream-socket.ts";
import type { ClientCertificate, TlsClientOptions, TlsServer, TlsServerOptions } from "./carrier.ts";
import type { ServedCertificate } from "./engine.ts";
import { identityFault } from "./upstream-identity.ts";

export function createEpollTlsServer(tls: EpollTls, options: TlsServerOptions): TlsServer {
  const { certificates, clients, handshakeMs, pickProtocol, onSecured } = options;
  const contexts = new Map<ServedCertificate, TlsContext>();
  const settings = {
    authorities: clients === undefined ? [] : [clients.ca],
    verify: clients === undefined ? "no" : clients.insecureFallback ? "noted" : "required",
  } as const;
  const contextOf = (certificate: ServedCertificate): TlsContext => {
    let context = contexts.get(certificate);
    if (context === undefined) contexts.set(certificate, (context = tls.newContext("server", { ...settings, certificate })));
    return context;
  };
  // Every handshake begins with it, and with its tickets all sessions are resumed; whose certificate answers is picked by name.
  const first = tls.newContext("server", settings);
  const pickContext = (serverName: string) => {
    const found = certificates.find(serverName);
    return found === undefined ? undefined : contextOf(found);
  };
  return {
    accept: (below) => {
      let serverName = "";
      const hooks = {
        pickContext: (name: string) => pickContext((serverName = name)),
        pickProtocol: (offered: readonly string[]) => pickProtocol(serverName, offered),
      };
      // Who names no server gets everyone's certificate, if that can be used.
      const { everyones } = certificates;
      const context = attempt(() => (everyones === undefined ? undefined : contextOf(everyones))) ?? first;
      tls.accept(below, { context, hooks, timeoutMs: handshakeMs }, (socket) => {
        if (socket !== undefined) onSecured(socket, { serverName: socket.serverName, protocol: socket.protocol });
      });
    },
    certificatesChanged: () => {
      const kept = new Set(certificates.all());
      for (const [certificate, context] of contexts) {
        if (kept.has(certificate)) continue;
        contexts.delete(certificate);
        tls.freeContext(context);
      }
    },
  };
}

function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    // A certificate that OpenSSL cannot use costs its own host's clients the handshake, nobody else.
    return undefined;
  }
}

export async function connectEpollTls(tls: EpollTls, below: StreamSocket, options: TlsClientOptions): Promise<TlsSocket> {
  const { tls: wanted, certificate, protocol, timeoutMs } = options;
  const context = contextFor(tls, wanted, certificate);
  const serverName = isIP(wanted.serverName) === 0 ? wanted.serverName : undefined;
  const socket = await new Promise<TlsSocket | undefined>((resolve) =>
    tls.connect(below, { context, serverName, protocols: [protocol], timeoutMs }, resolve),
  );
  if (socket === undefined) throw Object.assign(new Error("the TLS handshake failed"), { code: "EPROTO" });
  const fault = faultOf(socket, wanted, protocol);
  if (fault === undefined) return socket;
  socket.destroy();
  throw fault;
}

function faultOf(socket: TlsSocket, wanted: UpstreamTls, protocol: string): Error | undefined {
  if (protocol === "h2" && socket.protocol !== "h2") return Object.assign(new Error("no HTTP/2"), { code: "EPROTO" });
  if (wanted.unverified === true) return undefined;
  const der = socket.peerCertificate;
  if (der === undefined) return Object.assign(new Error("no certificate"), { code: "EPROTO" });
  return identityFault(wanted, new X509Certificate(der).toLegacyObject() as Parameters<typeof identityFault>[1]);
}

const contexts = new WeakMap<UpstreamTls, Map<string, TlsContext>>();
const unused = new FinalizationRegistry<() => void>((free) => free());

/** Frozen data is read by OpenSSL once. */
function contextFor(tls: EpollTls, wanted: UpstreamTls, certificate: ClientCertificate | undefined): TlsContext {
  let known = contexts.get(wanted);
  if (known === undefined) contexts.set(wanted, (known = new Map()));
  const key = certificate?.cert ?? "";
  let context = known.get(key);
  if (context === undefined) {
    const verify = wanted.unverified === true ? "no" : "required";
    const authorities = wanted.unverified === true ? [] : wanted.ca === undefined ? rootCertificates : [wanted.ca];
    const made = tls.newContext("client", { certificate, authorities, verify });
    known.set(key, (context = made));
    unused.register(wanted, () => tls.freeContext(made));
  }
  return context;
}
