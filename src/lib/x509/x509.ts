/**
 * Issues X.509 certificates (RFC 5280) with ECDSA P-256 keys. node:crypto signs and reads certificates but cannot make them;
 * what it lacks is the DER around the signature, which is this file. Reading them back is node:crypto's (`X509Certificate`).
 */
import { generateKeyPairSync, randomBytes, sign, type KeyObject } from "node:crypto";
import { familyBits, parseCidr, parseIp } from "../ip.ts";

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export interface Subject {
  readonly commonName: string;
  readonly organizations?: readonly string[];
}

export interface CertificateRequest {
  readonly subject: Subject;
  /** Who signs; absent: the certificate signs itself. */
  readonly issuer?: { readonly subject: Subject; readonly keys: KeyPair };
  readonly keys: KeyPair;
  /** DNS names, IP addresses and URIs (`spiffe://…`) that a server answers for. */
  readonly names?: readonly string[];
  readonly usage: "ca" | "server" | "client";
  /** Of a CA: the only DNS domains (with what is below them) and address ranges that it can vouch for (RFC 5280 4.2.1.10). */
  readonly permitted?: { readonly domains: readonly string[]; readonly ranges: readonly string[] };
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

export function newKeyPair(): KeyPair {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

/** The certificate as PEM. */
export function issueCertificate(request: CertificateRequest): string {
  const signer = request.issuer?.keys ?? request.keys;
  const body = toBeSigned(request, signer);
  const signature = sign("sha256", body, signer.privateKey);
  const der = sequence(body, ecdsaWithSha256, bitString(signature));
  return `-----BEGIN CERTIFICATE-----\n${(der.toString("base64").match(/.{1,64}/g) ?? []).join("\n")}\n-----END CERTIFICATE-----\n`;
}

export function privateKeyPem({ privateKey }: KeyPair): string {
  return privateKey.export({ type: "pkcs8", format: "pem" }) as string;
}

function toBeSigned(request: CertificateRequest, signer: KeyPair): Buffer {
  const { subject, issuer, keys, notBefore, notAfter } = request;
  return sequence(
    explicit(0, integer(Buffer.from([2]))), // version 3
    integer(serialNumber()),
    ecdsaWithSha256,
    name(issuer?.subject ?? subject),
    sequence(time(notBefore), time(notAfter)),
    name(subject),
    publicKeyInfo(keys),
    explicit(3, sequence(...extensions(request, keyId(keys), keyId(signer)))),
  );
}

function extensions({ usage, names = [], permitted }: CertificateRequest, own: Buffer, signer: Buffer): readonly Buffer[] {
  const ca = usage === "ca";
  // keyUsage bits: digitalSignature 0, keyEncipherment 2, keyCertSign 5, cRLSign 6 (RFC 5280 4.2.1.3)
  const keyUsage = ca ? Buffer.from([1, 0b1000_0110]) : Buffer.from([5, 0b1010_0000]);
  const extended = usage === "server" ? [serverAuth] : usage === "client" ? [clientAuth] : [];
  return [
    extension(oid("2.5.29.15"), true, tag(0x03, keyUsage)),
    extension(oid("2.5.29.19"), true, ca ? sequence(tag(0x01, Buffer.from([0xff]))) : sequence()),
    extension(oid("2.5.29.14"), false, octetString(own)),
    extension(oid("2.5.29.35"), false, sequence(tag(0x80, signer))),
    ...(extended.length === 0 ? [] : [extension(oid("2.5.29.37"), false, sequence(...extended))]),
    ...(names.length === 0 ? [] : [extension(oid("2.5.29.17"), false, sequence(...names.map(alternativeName)))]),
    ...(permitted === undefined ? [] : [extension(oid("2.5.29.30"), true, nameConstraints(permitted))]),
  ];
}

function nameConstraints({ domains, ranges }: NonNullable<CertificateRequest["permitted"]>): Buffer {
  const subtrees = [...domains.map((domain) => tag(0x82, Buffer.from(domain, "ascii"))), ...ranges.map(addressRange)];
  return sequence(explicit(0, Buffer.concat(subtrees.map((base) => sequence(base)))));
}

/** iPAddress [7] of a constraint: the address and its mask. */
function addressRange(text: string): Buffer {
  const range = parseCidr(text);
  if (range === undefined) throw new TypeError(`${text} is no address range`);
  const width = familyBits(range.family);
  const mask = ((1n << BigInt(range.bits)) - 1n) << BigInt(width - range.bits);
  return tag(0x87, Buffer.concat([addressBytes(range.base, width), addressBytes(mask, width)]));
}

function addressBytes(value: bigint, width: number): Buffer {
  return Buffer.from(value.toString(16).padStart(width / 4, "0"), "hex");
}

function extension(id: Buffer, critical: boolean, value: Buffer): Buffer {
  return sequence(id, ...(critical ? [tag(0x01, Buffer.from([0xff]))] : []), octetString(value));
}

/** dNSName [2] or iPAddress [7] */
function alternativeName(text: string): Buffer {
  const ip = parseIp(text);
  if (ip === undefined) return tag(text.includes("://") ? 0x86 : 0x82, Buffer.from(text, "ascii"));
  return tag(0x87, addressBytes(ip.value, familyBits(ip.family)));
}

function name({ commonName, organizations = [] }: Subject): Buffer {
  const attribute = (type: Buffer, text: string) => tag(0x31, sequence(type, tag(0x0c, Buffer.from(text, "utf8"))));
  return sequence(...organizations.map((organization) => attribute(oid("2.5.4.10"), organization)), attribute(oid("2.5.4.3"), commonName));
}

/** 127 random bits: positive, and never used twice (RFC 5280 4.1.2.2). */
function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] as number) & 0x7f) | 0x40;
  return bytes;
}

function publicKeyInfo({ publicKey }: KeyPair): Buffer {
  return publicKey.export({ type: "spki", format: "der" });
}

/** The last 20 bytes of the public point: unique per key, which is all that an identifier must be. */
function keyId(keys: KeyPair): Buffer {
  return publicKeyInfo(keys).subarray(-20);
}

/** UTCTime until 2049, GeneralizedTime after (RFC 5280 4.1.2.5). */
function time(ms: number): Buffer {
  const text = new Date(ms)
    .toISOString()
    .replace(/[-:T]/g, "")
    .replace(/\.\d+Z$/, "Z");
  return Number(text.slice(0, 4)) < 2050 ? tag(0x17, Buffer.from(text.slice(2))) : tag(0x18, Buffer.from(text));
}

function tag(number: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([number]), length(content.length), content]);
}

function length(count: number): Buffer {
  if (count < 128) return Buffer.from([count]);
  const bytes = Buffer.from(count.toString(16).padStart(count < 256 ? 2 : count < 65536 ? 4 : 6, "0"), "hex");
  return Buffer.concat([Buffer.from([0x80 | bytes.length]), bytes]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tag(0x30, Buffer.concat(parts));
}

function explicit(number: number, content: Buffer): Buffer {
  return tag(0xa0 | number, content);
}

function integer(bytes: Buffer): Buffer {
  return tag(0x02, bytes);
}

function octetString(content: Buffer): Buffer {
  return tag(0x04, content);
}

function bitString(content: Buffer): Buffer {
  return tag(0x03, Buffer.concat([Buffer.from([0]), content]));
}

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const part of rest) {
    const groups = [part & 127];
    for (let left = part >> 7; left > 0; left >>= 7) groups.unshift((left & 127) | 128);
    bytes.push(...groups);
  }
  return tag(0x06, Buffer.from(bytes));
}

const ecdsaWithSha256 = sequence(oid("1.2.840.10045.4.3.2"));
const serverAuth = oid("1.3.6.1.5.5.7.3.1");
const clientAuth = oid("1.3.6.1.5.5.7.3.2");
