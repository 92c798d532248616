/**
 * The local CA: certificates for hosts that only a development machine has, so that `https://shop.localhost` works without
 * anybody making one. Trusted by nobody until its owner says so. Whoever trusts it trusts it with these names only: the
 * certificate itself says so (name constraints, RFC 5280 4.2.1.10), even if the key were stolen.
 */
import { X509Certificate } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { readHeld, writeHeld, type Held } from "../lib/x509/held.ts";
import { issueCertificate, newKeyPair, privateKeyPem, type KeyPair, type Subject } from "../lib/x509/x509.ts";

/** Never anybody's in the public DNS (RFC 6761, RFC 8375, and ICANN's reservation of `internal`). */
export const localDomains: readonly string[] = ["localhost", "test", "example", "internal", "home.arpa"];

export interface LocalAuthority {
  /** PEM. */
  readonly cert: string;
  /** Where it is, for tools that import it; undefined: in memory only. */
  readonly path: string | undefined;
  /** Whether it can vouch for the host. */
  covers(host: string): boolean;
  /** The same certificate until it nears its end. */
  certificateFor(host: string): { readonly cert: string; readonly key: string };
}

export interface LocalAuthorityOptions {
  /** Made with mode 0700; absent: in memory. */
  readonly directory?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

const day = 86_400_000;
const authorityDays = 3650;
/** What browsers accept of a certificate at most is 398 days. */
const leafDays = 90;
const renewBefore = 30 * day;
const subject: Subject = { commonName: "Fairlead local CA", organizations: ["Fairlead development certificates"] };
const name = "local-ca";

export async function openLocalAuthority({ directory, now }: LocalAuthorityOptions): Promise<LocalAuthority> {
  const stored = directory === undefined ? undefined : await readHeld(directory, name);
  const held =
    stored !== undefined && Date.parse(new X509Certificate(stored.cert).validTo) - now() > leafDays * day ? stored : makeAuthority(now());
  if (directory !== undefined && held !== stored) {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeHeld(directory, name, held);
  }
  return new Authority(held, directory === undefined ? undefined : join(directory, `${name}.crt`), now);
}

function makeAuthority(now: number): Held {
  const keys = newKeyPair();
  const permitted = { domains: localDomains, ranges: ["127.0.0.0/8", "::1/128"] };
  return {
    keys,
    cert: issueCertificate({ subject, keys, usage: "ca", permitted, notBefore: now - day, notAfter: now + authorityDays * day }),
  };
}

class Authority implements LocalAuthority {
  readonly cert: string;
  readonly path: string | undefined;
  readonly #keys: KeyPair;
  readonly #now: () => number;
  /** One key for all leaves: they are served by the same process anyway. */
  readonly #leafKeys = newKeyPair();
  readonly #leafKey = privateKeyPem(this.#leafKeys);
  readonly #issued = new Map<string, { readonly cert: string; readonly until: number }>();

  constructor({ cert, keys }: Held, path: string | undefined, now: () => number) {
    this.cert = cert;
    this.path = path;
    this.#keys = keys;
    this.#now = now;
  }

  covers(host: string): boolean {
    return localDomains.some((domain) => host === domain || host.endsWith(`.${domain}`));
  }

  certificateFor(host: string): { readonly cert: string; readonly key: string } {
    const now = this.#now();
    let issued = this.#issued.get(host);
    if (issued === undefined || issued.until - renewBefore < now) {
      const until = now + leafDays * day;
      issued = { until, cert: this.#issue(host, now, until) };
      this.#issued.set(host, issued);
    }
    return { cert: issued.cert, key: this.#leafKey };
  }

  #issue(host: string, now: number, notAfter: number): string {
    const names = host === "localhost" ? ["localhost", "127.0.0.1", "::1"] : [host];
    // A common name holds 64 characters at most (RFC 5280 A.1); nobody reads it any more.
    const request = { subject: { commonName: host.slice(0, 64) }, keys: this.#leafKeys, names, usage: "server" } as const;
    return issueCertificate({ ...request, issuer: { subject, keys: this.#keys }, notBefore: now - day, notAfter });
  }
}
