/** The server's certificates: made when they are first needed, and renewed while the server runs. */
import type { Clock } from "../lib/clock.ts";
import { errorMessage } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Certificates } from "./auth/certificates.ts";

export interface ServerCertificatesOptions {
  /** Where they are kept between runs; undefined: in memory. */
  readonly directory: string | undefined;
  readonly clusterDomain: string;
  /** IP addresses and host names beside those that every cluster's server has. */
  readonly addresses: () => readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
}

export class ServerCertificates {
  readonly #options: ServerCertificatesOptions;
  #current: Promise<Certificates> | undefined;
  #authority: string | undefined;
  #renewal: { cancel(): void } | undefined;
  #closed = false;

  constructor(options: ServerCertificatesOptions) {
    this.#options = options;
  }

  /** The authority's certificate as PEM; undefined until it is made. */
  get authority(): string | undefined {
    return this.#authority;
  }

  ensure(): Promise<Certificates> {
    return (this.#current ??= this.#make());
  }

  /**
   * Renews them from now on, those that end within a month, under the same authority: clients and their kubeconfigs notice nothing.
   * Those in memory last a year, and die with the process long before.
   */
  keepValid(onRenewed: (certificates: Certificates) => void): void {
    if (this.#options.directory === undefined || this.#closed) return;
    this.#renewal = this.#options.clock.after(renewalInterval, () => {
      void this.#renew(onRenewed).then(() => this.keepValid(onRenewed));
    });
  }

  close(): void {
    this.#closed = true;
    this.#renewal?.cancel();
  }

  async #renew(onRenewed: (certificates: Certificates) => void): Promise<void> {
    const { log } = this.#options;
    try {
      const before = await this.ensure();
      const current = await this.#make();
      this.#current = Promise.resolve(current);
      if (current.server.cert === before.server.cert) return;
      onRenewed(current);
      log.info("the server's certificate was renewed");
    } catch (error) {
      log.error("certificates cannot be renewed", { error: errorMessage(error) });
    }
  }

  async #make(): Promise<Certificates> {
    const { directory, clusterDomain, addresses, clock } = this.#options;
    const { ensureCertificates } = await import("./auth/certificates.ts");
    const certificates = await ensureCertificates({ directory, addresses: addresses(), clusterDomain, now: clock.now() });
    this.#authority = certificates.ca;
    return certificates;
  }
}

/** Milliseconds between two looks at them: also soon after a laptop has slept through their last day. */
const renewalInterval = 60 * 60 * 1000;
