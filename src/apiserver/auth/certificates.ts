/**
 * The certificates of one cluster: an authority of its own, the server's certificate, and an administrator's. Kept in a
 * directory that only its owner can read, and used again as long as they fit: a kubeconfig survives restarts.
 */
import { createPrivateKey, createPublicKey, X509Certificate, type KeyObject } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoCode } from "../../lib/errors.ts";
import { parseIp } from "../../lib/ip.ts";
import { issueCertificate, newKeyPair, privateKeyPem, type CertificateRequest, type KeyPair, type Subject } from "../../lib/x509/x509.ts";

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

interface Held {
  readonly cert: string;
  readonly keys: KeyPair;
}

/** Takes what is in the directory if it still fits, makes the rest. */
export async function ensureCertificates(options: CertificateOptions): Promise<Certificates> {
  const { directory, now } = options;
  if (directory !== undefined) await mkdir(directory, { recursive: true, mode: 0o700 });
  const stored = (name: string) => (directory === undefined ? undefined : readPair(directory, name));
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
    await Promise.all(made.flatMap(([name, current, before]) => (current === before ? [] : [writePair(directory, name, current)])));
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

/** Undefined when there is none, or none that can be read: then it is made anew. */
async function readPair(directory: string, name: string): Promise<Held | undefined> {
  const [cert, key] = await Promise.all([readText(join(directory, `${name}.crt`)), readText(join(directory, `${name}.key`))]);
  if (cert === undefined || key === undefined) return undefined;
  const privateKey = parsedKey(cert, key);
  return privateKey === undefined ? undefined : { cert, keys: { privateKey, publicKey: createPublicKey(privateKey) } };
}

function parsedKey(cert: string, key: string): KeyObject | undefined {
  try {
    const privateKey = createPrivateKey(key);
    return new X509Certificate(cert).checkPrivateKey(privateKey) ? privateKey : undefined;
  } catch {
    // A damaged file is like a missing one.
    return undefined;
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (errnoCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** The key first: a certificate without its key is made anew, a key without its certificate is of no use to anybody. */
async function writePair(directory: string, name: string, held: Held): Promise<void> {
  const { cert, key } = exported(held);
  await writeWhole(join(directory, `${name}.key`), key);
  await writeWhole(join(directory, `${name}.crt`), cert);
}

/** Mode 0600, and never half written. */
export async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}
