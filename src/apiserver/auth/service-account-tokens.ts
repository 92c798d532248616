/**
 * Tokens of ServiceAccounts (KEP-1205): who a token speaks for, for whom it is meant, and what it is bound to. Signed by this
 * server, and good only as long as the account and the object that it is bound to are there (`pkg/serviceaccount/claims.go`).
 */
import { randomUUID } from "node:crypto";
import type { UserInfo } from "../../api/request.ts";
import { signToken, unverifiedClaims, verifyToken, type Claims, type SigningKey } from "./jwt.ts";

export interface BoundName {
  readonly name: string;
  readonly uid: string;
}

/** What the token carries of its own under `kubernetes.io`. */
export interface PrivateClaims {
  readonly namespace: string;
  readonly serviceaccount: BoundName;
  readonly pod?: BoundName;
  readonly node?: BoundName;
  readonly secret?: BoundName;
}

export interface TokenAsk extends PrivateClaims {
  readonly audiences: readonly string[];
  readonly expirationSeconds: number;
}

/** What a token's claims are held against: the objects as they are now. */
export interface BoundObjects {
  uidOf(kind: "serviceaccount" | "pod" | "node" | "secret", namespace: string, name: string): string | undefined;
}

export type TokenVerdict =
  /** `audiences`: of those asked for, the ones that the token is for. */
  | { readonly kind: "valid"; readonly user: UserInfo; readonly audiences: readonly string[] }
  | { readonly kind: "invalid"; readonly reason: string }
  /** Not a token of this issuer at all: somebody else may know it. */
  | { readonly kind: "foreign" };

export interface ServiceAccountTokensOptions {
  readonly key: SigningKey;
  /** `https://kubernetes.default.svc.cluster.local` */
  readonly issuer: string;
  readonly objects: BoundObjects;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly id?: () => string;
}

/** Verified signatures are remembered: a client sends the same token with every request. */
const rememberedTokens = 1024;
/** Seconds by which clocks may differ. */
const leeway = 10;

export class ServiceAccountTokens {
  readonly issuer: string;
  readonly key: SigningKey;
  readonly #options: ServiceAccountTokensOptions;
  readonly #verified = new Map<string, Claims>();

  constructor(options: ServiceAccountTokensOptions) {
    this.#options = options;
    this.issuer = options.issuer;
    this.key = options.key;
  }

  /** The token and its end in milliseconds since the epoch. */
  issue({ audiences, expirationSeconds, ...own }: TokenAsk): { readonly token: string; readonly expires: number } {
    const now = Math.floor(this.#options.now() / 1000);
    const claims = {
      aud: audiences,
      exp: now + expirationSeconds,
      iat: now,
      iss: this.issuer,
      jti: (this.#options.id ?? randomUUID)(),
      "kubernetes.io": own,
      nbf: now,
      sub: `system:serviceaccount:${own.namespace}:${own.serviceaccount.name}`,
    };
    return { token: signToken(claims, this.key), expires: (now + expirationSeconds) * 1000 };
  }

  /** `audiences`: whom the caller speaks as; a token for none of them is not for the caller. */
  check(token: string, audiences: readonly string[]): TokenVerdict {
    if (unverifiedClaims(token)?.["iss"] !== this.issuer) return { kind: "foreign" };
    const claims = this.#verify(token);
    if (claims === undefined) return invalid("the signature is not ours");
    const untimely = this.#untimely(claims);
    if (untimely !== undefined) return invalid(untimely);
    const meant = texts(claims["aud"]).filter((audience) => audiences.includes(audience));
    if (meant.length === 0)
      return invalid(`token audiences ${JSON.stringify(claims["aud"])} is invalid for the target audiences ${JSON.stringify(audiences)}`);
    const own = privateClaims(claims["kubernetes.io"]);
    if (own === undefined) return invalid("the token has no claims of kubernetes.io");
    const missing = missingObject(own, this.#options.objects);
    return missing === undefined ? { kind: "valid", user: userOf(own, claims["jti"]), audiences: meant } : invalid(missing);
  }

  #verify(token: string): Claims | undefined {
    const known = this.#verified.get(token);
    if (known !== undefined) return known;
    const claims = verifyToken(token, [this.key]);
    if (claims === undefined) return undefined;
    const [oldest] = this.#verified.keys();
    if (this.#verified.size >= rememberedTokens && oldest !== undefined) this.#verified.delete(oldest);
    this.#verified.set(token, claims);
    return claims;
  }

  #untimely({ exp, nbf }: Claims): string | undefined {
    const now = this.#options.now() / 1000;
    if (typeof exp !== "number" || now > exp + leeway) return "service account token has expired";
    return typeof nbf === "number" && now < nbf - leeway ? "service account token is not valid yet" : undefined;
  }
}

const invalid = (reason: string): TokenVerdict => ({ kind: "invalid", reason });

function texts(value: unknown): readonly string[] {
  return (Array.isArray(value) ? value : [value]).filter((one) => typeof one === "string");
}

/** We signed it, but perhaps in a version that meant something else. */
function privateClaims(value: unknown): PrivateClaims | undefined {
  const own = value as Partial<PrivateClaims> | undefined;
  return typeof own?.namespace === "string" && typeof own.serviceaccount?.name === "string" ? (own as PrivateClaims) : undefined;
}

function missingObject(own: PrivateClaims, objects: BoundObjects): string | undefined {
  for (const kind of ["serviceaccount", "pod", "node", "secret"] as const) {
    const bound = own[kind];
    // A node beside a pod tells where the pod runs; the pod alone is what the token is bound to.
    if (bound === undefined || (kind === "node" && own.pod !== undefined)) continue;
    const uid = objects.uidOf(kind, kind === "node" ? "" : own.namespace, bound.name);
    if (uid === undefined) return `service account token has been invalidated: ${kind} ${JSON.stringify(bound.name)} is gone`;
    if (uid !== bound.uid) return `the ${kind} UID (${bound.uid}) in the token does not match the object's`;
  }
  return undefined;
}

function userOf({ namespace, serviceaccount, pod, node }: PrivateClaims, jti: unknown): UserInfo {
  const extra = (name: string, value: string | undefined) =>
    value === undefined ? {} : { [`authentication.kubernetes.io/${name}`]: [value] };
  return {
    name: `system:serviceaccount:${namespace}:${serviceaccount.name}`,
    uid: serviceaccount.uid,
    groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`],
    extra: {
      ...extra("credential-id", typeof jti === "string" ? `JTI=${jti}` : undefined),
      ...extra("node-name", node?.name),
      ...extra("node-uid", node?.uid),
      ...extra("pod-name", pod?.name),
      ...extra("pod-uid", pod?.uid),
    },
  };
}
