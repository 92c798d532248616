/** TLS of listeners that have certificates of their own, as those of Gateways do: what is published is followed by name. */
import type { ClientCertificate, TlsServer } from "./carrier.ts";
import { CertificateStore } from "./certificate-store.ts";
import type { ListenerTls } from "./engine.ts";

interface Owned {
  readonly tls: ListenerTls;
  readonly store: CertificateStore;
  server: TlsServer | undefined;
}

export class OwnTls {
  #owned: ReadonlyMap<string, Owned> = new Map();

  /** A listener whose clients are asked for the same as before keeps its server, and its certificates their sessions. */
  replace(all: ReadonlyMap<string, ListenerTls>): void {
    this.#owned = new Map([...all].map(([name, tls]) => [name, this.#next(this.#owned.get(name), tls)]));
  }

  #next(before: Owned | undefined, tls: ListenerTls): Owned {
    const kept = before !== undefined && sameClients(before.tls, tls);
    const store = kept ? before.store : new CertificateStore("suffix");
    store.replace(tls.certificates);
    const server = kept ? before.server : undefined;
    server?.certificatesChanged();
    return { tls, store, server };
  }

  has(name: string): boolean {
    return this.#owned.has(name);
  }

  server(name: string, make: (store: CertificateStore, tls: ListenerTls) => TlsServer): TlsServer | undefined {
    const owned = this.#owned.get(name);
    return owned === undefined ? undefined : (owned.server ??= make(owned.store, owned.tls));
  }

  toBackends(name: string): ClientCertificate | undefined {
    return this.#owned.get(name)?.tls.toBackends;
  }
}

function sameClients(a: ListenerTls, b: ListenerTls): boolean {
  return a.clients?.ca === b.clients?.ca && a.clients?.insecureFallback === b.clients?.insecureFallback;
}
