/** CertificateSigningRequests (`pkg/apis/certificates/validation/validation.go`). */
import { duplicate, invalid, notSupported, required, type FieldError } from "../field-error.ts";
import { dns1123Subdomain } from "../names.ts";
import type { CertificateSigningRequest } from "../types.ts";

const usages: readonly string[] = [
  "any",
  "cert sign",
  "client auth",
  "code signing",
  "content commitment",
  "crl sign",
  "data encipherment",
  "decipher only",
  "digital signature",
  "email protection",
  "encipher only",
  "ipsec end system",
  "ipsec tunnel",
  "ipsec user",
  "key agreement",
  "key encipherment",
  "microsoft sgc",
  "netscape sgc",
  "ocsp signing",
  "s/mime",
  "server auth",
  "signing",
  "timestamping",
];

const leastSeconds = 600;

export function validateCertificateSigningRequest(
  { spec }: CertificateSigningRequest,
  old: CertificateSigningRequest | undefined,
): FieldError[] {
  if (spec === undefined) return [required("spec.request"), required("spec.signerName")];
  if (old !== undefined) return [];
  const { expirationSeconds: seconds, request = "", signerName = "" } = spec;
  const wanted = spec.usages ?? [];
  return [
    ...(isRequest(request) ? [] : [invalid("spec.request", request, "PEM block type must be CERTIFICATE REQUEST")]),
    ...(wanted.length === 0 ? [required("spec.usages")] : []),
    ...wanted.flatMap((usage, index) => [
      ...(usages.includes(usage) ? [] : [notSupported(`spec.usages[${index}]`, usage, usages)]),
      ...(wanted.indexOf(usage) < index ? [duplicate(`spec.usages[${index}]`, usage)] : []),
    ]),
    ...validateSigner(signerName),
    ...(seconds !== undefined && seconds < leastSeconds
      ? [invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 600 seconds (10 minutes)")]
      : []),
  ];
}

/** Base64 of a PEM block; whether it can be decoded is the signer's business. */
const isRequest = (base64: string): boolean =>
  Buffer.from(base64, "base64").toString("latin1").trimStart().startsWith("-----BEGIN CERTIFICATE REQUEST-----");

/** `example.com/name` */
function validateSigner(name: string): FieldError[] {
  const path = "spec.signerName";
  if (name === "") return [required(path)];
  const [domain = "", ...rest] = name.split("/");
  if (rest.length !== 1) return [invalid(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")];
  return [...dns1123Subdomain(domain), ...dns1123Subdomain(rest[0] as string)].map((fault) => invalid(path, name, fault));
}
