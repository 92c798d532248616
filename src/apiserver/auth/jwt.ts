/**
 * JSON Web Tokens signed with ES256 or RS256 (RFC 7515, 7518, 7519) and the public half as a JSON Web Key (RFC 7517). Nothing else
 * is accepted: no other algorithm, no `crit`, no unsigned token.
 */
import { createHash, createPublicKey, sign, verify, type KeyObject } from "node:crypto";

export type Algorithm = "ES256" | "RS256";

export interface VerificationKey {
  /** Found in a token's header, so that several keys can be in use while one is replaced by another. */
  readonly id: string;
  readonly algorithm: Algorithm;
  readonly publicKey: KeyObject;
}

export interface SigningKey extends VerificationKey {
  readonly privateKey: KeyObject;
}

export type Claims = Readonly<Record<string, unknown>>;

/** Longer texts are not looked at. A bound token of ours has about 900 characters. */
const maxLength = 16 * 1024;

/** Throws for a key that is neither on P-256 nor RSA: a fault of the caller's configuration. */
export function signingKey(privateKey: KeyObject): SigningKey {
  const publicKey = createPublicKey(privateKey);
  return { ...verificationKey(publicKey), privateKey };
}

export function verificationKey(publicKey: KeyObject): VerificationKey {
  const id = createHash("sha256")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest("base64url");
  return { id, algorithm: algorithmOf(publicKey), publicKey };
}

function algorithmOf(key: KeyObject): Algorithm {
  if (key.asymmetricKeyType === "rsa") return "RS256";
  if (key.asymmetricKeyType === "ec" && key.asymmetricKeyDetails?.namedCurve === "prime256v1") return "ES256";
  throw new Error(`a key of type ${key.asymmetricKeyType} cannot sign tokens: RSA or EC on P-256`);
}

export function signToken(claims: Claims, { id, algorithm, privateKey }: SigningKey): string {
  const signed = `${part({ alg: algorithm, kid: id })}.${part(claims)}`;
  const signature = sign("sha256", Buffer.from(signed), { key: privateKey, dsaEncoding: "ieee-p1363" });
  return `${signed}.${signature.toString("base64url")}`;
}

/** The claims of a token that one of the keys has signed; otherwise undefined. Times and audiences are not looked at. */
export function verifyToken(token: string, keys: readonly VerificationKey[]): Claims | undefined {
  if (token.length > maxLength) return undefined;
  const parts = token.split(".");
  if (parts.length !== 3) return undefined;
  const [head = "", body = "", signature = ""] = parts;
  const header = parsed(head);
  const key = keys.find(({ id }) => id === header?.["kid"]);
  if (key === undefined || header?.["alg"] !== key.algorithm || header["crit"] !== undefined) return undefined;
  const good = verify(
    "sha256",
    Buffer.from(`${head}.${body}`),
    { key: key.publicKey, dsaEncoding: "ieee-p1363" },
    Buffer.from(signature, "base64url"),
  );
  return good ? parsed(body) : undefined;
}

/** The claims as they stand, signed by whoever: only to find out whose token it might be. */
export function unverifiedClaims(token: string): Claims | undefined {
  return token.length > maxLength ? undefined : parsed(token.split(".")[1] ?? "");
}

/** For `/openid/v1/jwks`. */
export function jsonWebKey({ id, algorithm, publicKey }: VerificationKey): Readonly<Record<string, unknown>> {
  return { use: "sig", kid: id, alg: algorithm, ...publicKey.export({ format: "jwk" }) };
}

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

function parsed(text: string): Claims | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Claims) : undefined;
  } catch {
    // Not JSON, so no token.
    return undefined;
  }
}
