/** Which certificate answers: by server name (SNI), live. Contexts are made when first asked for. */
import { createSecureContext, type SecureContext } from "node:tls";
import { suffixPatterns, wildcardOf } from "../../decide/routes/index.ts";
import type { ServedCertificate } from "./engine.ts";

interface Held {
  readonly certificate: ServedCertificate;
  context: SecureContext | undefined;
}

export class CertificateStore {
  #byHost = new Map<string, Held>();
  readonly #wildcards: "one-label" | "suffix";
  /** PEM: against what certificates of clients are checked. */
  readonly #clientAuthorities: string | undefined;

  /** `suffix`: a wildcard stands for any number of labels (Gateway API). */
  constructor(wildcards: "one-label" | "suffix" = "one-label", clientAuthorities?: string) {
    this.#wildcards = wildcards;
    this.#clientAuthorities = clientAuthorities;
  }

  /** A certificate that is as it was keeps its context, and with it the sessions that clients may resume. */
  replace(certificates: readonly ServedCertificate[]): void {
    const old = this.#byHost;
    this.#byHost = new Map(
      certificates.map((certificate) => {
        const before = old.get(certificate.host);
        const same = before?.certificate.cert === certificate.cert && before.certificate.key === certificate.key;
        return [certificate.host, same ? before : { certificate, context: undefined }];
      }),
    );
  }

  get(host: string): ServedCertificate | undefined {
    return this.#byHost.get(host)?.certificate;
  }

  /** The exact host, its wildcard, or the one for everyone. Throws what OpenSSL says of a certificate that it cannot use. */
  contextFor(serverName: string): SecureContext | undefined {
    const host = serverName.toLowerCase();
    const held = this.#byHost.get(host) ?? this.#wildcard(host) ?? this.#byHost.get("*");
    if (held === undefined) return undefined;
    const ca = this.#clientAuthorities;
    const { cert, key } = held.certificate;
    return (held.context ??= createSecureContext({ cert, key, minVersion: "TLSv1.2", ...(ca === undefined ? {} : { ca }) }));
  }

  #wildcard(host: string): Held | undefined {
    if (this.#wildcards === "one-label") return this.#byHost.get(wildcardOf(host) ?? "*");
    for (const pattern of suffixPatterns(host)) {
      const held = this.#byHost.get(pattern);
      if (held !== undefined) return held;
    }
    return undefined;
  }
}
