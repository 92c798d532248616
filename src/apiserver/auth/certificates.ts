/**
 * The certificates of one cluster: an authority of its own, the server's certificate, and an administrator's. Kept in a
 * directory that only its owner can read, and used again as long as they fit: a kubeconfig survives restarts.
 */
import { X509Certificate } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { parseIp } from "../../lib/ip.ts";
import { readHeld, writeHeld, type Held } from "../../lib/x509/held.ts";
import { issueCertificate, newKeyPair, privateKeyPem, type CertificateRequest, type Subject } from "../../lib/x509/x509.ts";

export interface CertificateAndKey {
  /** PEM */
  readonly cert: string;
  /** PEM, PKCS #8 */
  readonly key: string;
}

export interface Certificates {
  /** The authority's certificate, PEM: what clients trust. */
  readonly ca: string;
  readonly server: CertificateAndKey;
  /** `CN=kubernetes-admin, O=system:masters`: every right. */
  readonly admin: CertificateAndKey;
}

export interface CertificateOptions {
  /** Where they are kept (`ca.crt`, `ca.key`, `apiserver.crt`, …), made with mode 0700. Absent: they live in memory only. */
  readonly directory?: string | undefined;
  /** Beside localhost, 127.0.0.1 and ::1: the address of the Service `default/kubernetes`, a host's own. */
  readonly addresses: readonly string[];
  /** Default `cluster.local`. */
  readonly clusterDomain?: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

const day = 24 * 60 * 60 * 1000;
/** What ends sooner than this is made anew. */
const renewBefore = 30 * day;
const authorityDays = 3650;
const leafDays = 365;

const authority: Subject = { commonName: "fairlead-ca" };
const server: Subject = { commonName: "kube-apiserver" };
const admin: Subject = { commonName: "kubernetes-admin", organizations: ["system:masters"] };

/** Takes what is in the directory if it still fits, makes the rest. */
export async function ensureCertificates(options: CertificateOptions): Promise<Certificates> {
  const { directory, now } = options;
  if (directory !== undefined) await mkdir(directory, { recursive: true, mode: 0o700 });
  const stored = (name: string) => (directory === undefined ? undefined : readHeld(directory, name));
  const [oldCa, oldServer, oldAdmin] = await Promise.all([stored("ca"), stored("apiserver"), stored("admin")]);
  const keptCa = oldCa !== undefined && isCurrent(oldCa, now) ? oldCa : undefined;
  const ca = keptCa ?? makeAuthority(now);
  const names = serverNames(options);
  const leaf = (old: Held | undefined, request: LeafRequest) =>
    old !== undefined && keptCa !== undefined && fits(old, ca, now) && coversAll(old, request.names ?? [])
      ? old
      : makeLeaf(request, ca, now);
  const newServer = leaf(oldServer, { subject: server, usage: "server", names });
  const newAdmin = leaf(oldAdmin, { subject: admin, usage: "client" });
  if (directory !== undefined) {
    const made = [
      ["ca", ca, keptCa],
      ["apiserver", newServer, oldServer],
      ["admin", newAdmin, oldAdmin],
    ] as const;
    await Promise.all(made.flatMap(([name, current, before]) => (current === before ? [] : [writeHeld(directory, name, current)])));
  }
  return { ca: ca.cert, server: exported(newServer), admin: exported(newAdmin) };
}

function serverNames({ addresses, clusterDomain = "cluster.local" }: CertificateOptions): readonly string[] {
  const service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", `kubernetes.default.svc.${clusterDomain}`];
  return [...new Set(["localhost", ...service, "127.0.0.1", "::1", ...addresses])];
}

type LeafRequest = Pick<CertificateRequest, "subject" | "usage" | "names">;

function makeAuthority(now: number): Held {
  const keys = newKeyPair();
  return {
    cert: issueCertificate({ subject: authority, keys, usage: "ca", notBefore: now - day, notAfter: now + authorityDays * day }),
    keys,
  };
}

function makeLeaf(request: LeafRequest, ca: Held, now: number): Held {
  const keys = newKeyPair();
  const issuer = { subject: authority, keys: ca.keys };
  // Clocks that are behind ours by less than a day accept it at once.
  return { cert: issueCertificate({ ...request, keys, issuer, notBefore: now - day, notAfter: now + leafDays * day }), keys };
}

function isCurrent({ cert, keys }: Held, now: number): boolean {
  const certificate = new X509Certificate(cert);
  return (
    Date.parse(certificate.validTo) - now > renewBefore &&
    Date.parse(certificate.validFrom) <= now &&
    certificate.checkPrivateKey(keys.privateKey)
  );
}

function fits(leaf: Held, ca: Held, now: number): boolean {
  return isCurrent(leaf, now) && new X509Certificate(leaf.cert).verify(ca.keys.publicKey);
}

function coversAll({ cert }: Held, names: readonly string[]): boolean {
  const certificate = new X509Certificate(cert);
  return names.every((name) => (parseIp(name) === undefined ? certificate.checkHost(name) : certificate.checkIP(name)) !== undefined);
}

const exported = ({ cert, keys }: Held): CertificateAndKey => ({ cert, key: privateKeyPem(keys) });
