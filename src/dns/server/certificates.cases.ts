/** A throw-away authority and a server's certificate, for tests. */
import { issueCertificate as issue, newKeyPair, privateKeyPem, type KeyPair } from "../../lib/x509/x509.ts";

const subject = { commonName: "test authority" };
const hour = 3_600_000;
const times = () => ({ notBefore: Date.now() - hour, notAfter: Date.now() + 24 * hour });

export interface Authority {
  /** PEM. */
  readonly certificate: string;
  readonly keys: KeyPair;
}

export function createAuthority(): Authority {
  const keys = newKeyPair();
  return { keys, certificate: issue({ subject, keys, usage: "ca", ...times() }) };
}

export function issueCertificate(authority: Authority, names: readonly string[]): { readonly certificate: string; readonly key: string } {
  const keys = newKeyPair();
  const certificate = issue({
    subject: { commonName: names[0] ?? "" },
    issuer: { subject, keys: authority.keys },
    keys,
    names,
    usage: "server",
    ...times(),
  });
  return { certificate, key: privateKeyPem(keys) };
}
