/** Who asks: the subject of a client certificate, a bearer token, or nobody (apiserver `pkg/authentication`). */
import type { UserInfo } from "../../api/request.ts";
import { unauthorizedError } from "../../api/status.ts";

export const anonymous: UserInfo = Object.freeze({ name: "system:anonymous", groups: Object.freeze(["system:unauthenticated"]) });

export interface Credentials {
  /** The subject of the client's certificate; `trusted` when our CA signed it and it is valid now. */
  readonly certificate?: { readonly trusted: boolean; readonly commonName: string; readonly organizations: readonly string[] } | undefined;
  /** The `authorization` header. */
  readonly authorization?: string | undefined;
}

/** Undefined: the token is unknown or has ended. */
export type TokenAuthenticator = (token: string) => UserInfo | undefined | Promise<UserInfo | undefined>;

/** Throws 401 for credentials that are there and no good: nobody is taken for somebody else. */
export async function authenticate({ certificate, authorization }: Credentials, tokens: TokenAuthenticator): Promise<UserInfo> {
  if (certificate !== undefined) {
    if (!certificate.trusted || certificate.commonName === "") throw unauthorizedError();
    return authenticated({ name: certificate.commonName, groups: certificate.organizations });
  }
  const token = bearerToken(authorization);
  if (token === undefined) return anonymous;
  const user = await tokens(token);
  if (user === undefined) throw unauthorizedError();
  return authenticated(user);
}

function bearerToken(authorization: string | undefined): string | undefined {
  const match = /^bearer +(\S+)\s*$/i.exec(authorization ?? "");
  return match?.[1];
}

function authenticated(user: UserInfo): UserInfo {
  const { groups } = user;
  return groups.includes("system:authenticated") ? user : { ...user, groups: [...groups, "system:authenticated"] };
}
