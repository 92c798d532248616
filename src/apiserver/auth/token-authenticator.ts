/** Bearer tokens: of whoever the server was told of, bootstrap tokens, then those of ServiceAccounts. */
import { keyOf } from "../../api/object.ts";
import { nodes, pods, secrets, serviceAccounts } from "../../api/resources.ts";
import type { TokenAnswer } from "../reviews/token-review.ts";
import type { Store } from "../store.ts";
import type { TokenAuthenticator } from "./authenticate.ts";
import { bootstrapTokenUser } from "./bootstrap-tokens.ts";
import { jsonWebKey, type SigningKey } from "./jwt.ts";
import { ServiceAccountTokens, type BoundObjects } from "./service-account-tokens.ts";

export interface TokensOptions {
  readonly store: Pick<Store, "resource">;
  /** Asked once, when the first token is issued or seen. */
  readonly key: () => Promise<SigningKey>;
  readonly issuer: string;
  /** Tokens that are not of ServiceAccounts. */
  readonly others: TokenAuthenticator;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export class Tokens {
  readonly #options: TokensOptions;
  #own: Promise<ServiceAccountTokens> | undefined;

  constructor(options: TokensOptions) {
    this.#options = options;
  }

  readonly serviceAccounts = (): Promise<ServiceAccountTokens> => (this.#own ??= this.#make());

  async #make(): Promise<ServiceAccountTokens> {
    const { key, issuer, store, now } = this.#options;
    return new ServiceAccountTokens({ key: await key(), issuer, objects: storedObjects(store), now });
  }

  /** Undefined: nobody knows this token. */
  readonly authenticate: TokenAuthenticator = async (token) => {
    const answer = await this.review(token, []);
    return answer.kind === "valid" ? answer.user : undefined;
  };

  /** `audiences` empty: this server. */
  readonly review = async (token: string, audiences: readonly string[]): Promise<TokenAnswer> => {
    const other = await this.#options.others(token);
    if (other !== undefined) return { kind: "valid", user: other, audiences: [] };
    const bootstrapping = bootstrapTokenUser(token, this.#options);
    if (bootstrapping !== undefined) return { kind: "valid", user: bootstrapping, audiences: [] };
    const own = await this.serviceAccounts();
    const verdict = own.check(token, audiences.length === 0 ? [own.issuer] : audiences);
    return verdict.kind === "foreign" ? { kind: "invalid", reason: "invalid bearer token" } : verdict;
  };

  /** OpenID Connect discovery, by which others verify our tokens (KEP-1393). Undefined: no such document. */
  async document(path: string, address: string): Promise<{ readonly type: string; readonly object: object } | undefined> {
    const { issuer, key } = await this.serviceAccounts();
    switch (path) {
      case "/openid/v1/jwks":
        return { type: "application/jwk-set+json", object: { keys: [jsonWebKey(key)] } };
      case "/.well-known/openid-configuration":
        return {
          type: "application/json",
          object: {
            issuer,
            jwks_uri: `https://${address}/openid/v1/jwks`,
            response_types_supported: ["id_token"],
            subject_types_supported: ["public"],
            id_token_signing_alg_values_supported: [key.algorithm],
          },
        };
      default:
        return undefined;
    }
  }
}

export const isOpenIdPath = (path: string): boolean => path === "/openid/v1/jwks" || path === "/.well-known/openid-configuration";

const resources = { serviceaccount: serviceAccounts, pod: pods, node: nodes, secret: secrets } as const;

function storedObjects(store: Pick<Store, "resource">): BoundObjects {
  return {
    uidOf: (kind, namespace, name) =>
      store
        .resource(resources[kind])
        .get(keyOf(namespace === "" ? undefined : namespace, name))
        ?.object().metadata.uid,
  };
}
