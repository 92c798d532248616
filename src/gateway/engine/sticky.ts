/** Sessions: which endpoint a request's cookie or header names. The name is a hash, so that no address of the inside is told. */
import { createHash } from "node:crypto";
import { cookieOf, type SessionPersistence } from "../../decide/routes/index.ts";

export function endpointId(address: { readonly ip: string; readonly port: number }): string {
  return createHash("sha256").update(`${address.ip} ${address.port}`).digest("base64url").slice(0, 22);
}

export function stickyId({ kind, name }: SessionPersistence, header: (name: string) => string | undefined): string | undefined {
  return kind === "header" ? header(name.toLowerCase()) : cookieOf(header("cookie"), name);
}
