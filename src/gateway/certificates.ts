/** From the table's references to certificates that can be served: Secrets, checked, and the local CA where there is none. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import type { Secret } from "../api/types.ts";
import type { CertificateRef, RouteProblem, RouteReason } from "../decide/routes/index.ts";
import type { ServedCertificate } from "./engine/engine.ts";
import type { LocalAuthority } from "./local-authority.ts";

export interface CertificateSources {
  readonly secret: (namespace: string, name: string) => Secret | undefined;
  readonly authority: Pick<LocalAuthority, "covers" | "certificateFor">;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface ServedCertificates {
  readonly certificates: readonly ServedCertificate[];
  readonly problems: readonly RouteProblem[];
}

/** `hosts`: every host that has routes. Those of the local domains are served over TLS whether or not a rule asks for it. */
export function serveCertificates(
  refs: readonly CertificateRef[],
  hosts: Iterable<string>,
  sources: CertificateSources,
): ServedCertificates {
  const served = new Map<string, ServedCertificate>();
  const problems: RouteProblem[] = [];
  const local = (host: string) => ({ host, ...sources.authority.certificateFor(host) });
  for (const ref of refs) {
    const result = ofRef(ref, sources);
    problems.push(...result.problems);
    if (result.certificate !== undefined) served.set(ref.host, result.certificate);
  }
  for (const host of hosts) if (!served.has(host) && sources.authority.covers(host)) served.set(host, local(host));
  if (!served.has("*")) served.set("*", { ...local("localhost"), host: "*" });
  return { certificates: [...served.values()], problems };
}

interface OfRef {
  readonly certificate: ServedCertificate | undefined;
  readonly problems: readonly RouteProblem[];
}

function ofRef(ref: CertificateRef, { secret, authority, now }: CertificateSources): OfRef {
  const { host, certificate } = ref;
  const fallback = authority.covers(host) ? { host, ...authority.certificateFor(host) } : undefined;
  const problem = (severity: RouteProblem["severity"], reason: RouteReason, message: string): RouteProblem => ({
    severity,
    reason,
    source: ref.source,
    message,
  });
  if (certificate.kind === "unspecified") {
    const missing = problem("error", "NoCertificate", `TLS for ${host} names no Secret, and the local CA vouches for local names only`);
    return { certificate: fallback, problems: fallback === undefined ? [missing] : [] };
  }
  const { namespace, name } = certificate;
  const instead = fallback === undefined ? "clients get a certificate that is not theirs" : "the local CA's certificate is served instead";
  const found = secret(namespace, name);
  if (found === undefined) {
    return {
      certificate: fallback,
      problems: [problem("error", "SecretNotFound", `Secret ${namespace}/${name} does not exist; ${instead}`)],
    };
  }
  const read = readSecret(found);
  if (typeof read === "string") {
    return { certificate: fallback, problems: [problem("error", "SecretInvalid", `Secret ${namespace}/${name} ${read}; ${instead}`)] };
  }
  const named = `the certificate of Secret ${namespace}/${name}`;
  const problems = doubts(read.leaf, host, now).map(([reason, text]) => problem("warning", reason, `${named} ${text}`));
  return { certificate: { host, cert: read.cert, key: read.key }, problems };
}

export interface ReadSecret {
  readonly cert: string;
  readonly key: string;
  readonly leaf: X509Certificate;
}

const readSecrets = new WeakMap<Secret, ReadSecret | string>();

/** A `kubernetes.io/tls` Secret, or why it is of no use. Objects are frozen: each is read once. */
export function readSecret(secret: Secret): ReadSecret | string {
  let result = readSecrets.get(secret);
  if (result === undefined) readSecrets.set(secret, (result = parseSecret(secret)));
  return result;
}

function parseSecret({ data = {} }: Secret): ReadSecret | string {
  const [cert, key] = [decoded(data["tls.crt"]), decoded(data["tls.key"])];
  if (cert === "") return "has no tls.crt";
  if (key === "") return "has no tls.key";
  try {
    const leaf = new X509Certificate(cert);
    return leaf.checkPrivateKey(createPrivateKey(key)) ? { cert, key, leaf } : "has a tls.key that is not the certificate's";
  } catch {
    // OpenSSL's words may quote the key; ours do not.
    return "has a tls.crt or tls.key that is no PEM";
  }
}

function decoded(base64: string | undefined): string {
  return Buffer.from(base64 ?? "", "base64").toString("latin1");
}

/** What makes clients refuse a certificate that can be served. */
function doubts(leaf: X509Certificate, host: string, now: number): readonly (readonly [RouteReason, string])[] {
  const found: (readonly [RouteReason, string])[] = [];
  if (Date.parse(leaf.validTo) < now) found.push(["CertificateExpired", `ended ${leaf.validTo}`]);
  if (Date.parse(leaf.validFrom) > now) found.push(["CertificateExpired", `begins ${leaf.validFrom}`]);
  const asked = host.startsWith("*.") ? `any${host.slice(1)}` : host;
  if (host !== "*" && leaf.checkHost(asked) === undefined) {
    found.push(["CertificateMismatch", `names ${leaf.subjectAltName ?? "no host"}, not ${host}`]);
  }
  return found;
}
