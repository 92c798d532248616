/** Which certificate answers: by server name (SNI), live. */
import { suffixPatterns, wildcardOf } from "../../decide/routes/index.ts";
import type { ServedCertificate } from "./engine.ts";

export class CertificateStore {
  #byHost = new Map<string, ServedCertificate>();
  readonly #wildcards: "one-label" | "suffix";

  /** `suffix`: a wildcard stands for any number of labels (Gateway API). */
  constructor(wildcards: "one-label" | "suffix" = "one-label") {
    this.#wildcards = wildcards;
  }

  /** A certificate that is as it was stays the same object, and what was made of it keeps its clients' sessions. */
  replace(certificates: readonly ServedCertificate[]): void {
    const old = this.#byHost;
    this.#byHost = new Map(
      certificates.map((certificate) => {
        const before = old.get(certificate.host);
        return [certificate.host, before?.cert === certificate.cert && before.key === certificate.key ? before : certificate];
      }),
    );
  }

  /** For clients that name no server. */
  get everyones(): ServedCertificate | undefined {
    return this.#byHost.get("*");
  }

  all(): Iterable<ServedCertificate> {
    return this.#byHost.values();
  }

  /** The exact host's, its wildcard's, or the one for everyone. */
  find(serverName: string): ServedCertificate | undefined {
    const host = serverName.toLowerCase();
    return this.#byHost.get(host) ?? this.#wildcard(host) ?? this.everyones;
  }

  #wildcard(host: string): ServedCertificate | undefined {
    if (this.#wildcards === "one-label") return this.#byHost.get(wildcardOf(host) ?? "*");
    for (const pattern of suffixPatterns(host)) {
      const held = this.#byHost.get(pattern);
      if (held !== undefined) return held;
    }
    return undefined;
  }
}
