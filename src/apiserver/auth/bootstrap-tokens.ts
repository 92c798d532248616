/**
 * Bootstrap tokens: `ID.SECRET` of a Secret `kube-system/bootstrap-token-ID`, by which a new node introduces itself
 * (`plugin/pkg/auth/authenticator/token/bootstrap`, KEP-130).
 */
import { timingSafeEqual } from "node:crypto";
import { keyOf } from "../../api/object.ts";
import type { UserInfo } from "../../api/request.ts";
import { secrets } from "../../api/resources.ts";
import type { Secret } from "../../api/types.ts";
import type { Store } from "../store.ts";

const namespace = "kube-system";
const secretType = "bootstrap.kubernetes.io/token";
const tokenText = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const groupText = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;
const defaultGroup = "system:bootstrappers";

export interface BootstrapTokensOptions {
  readonly store: Pick<Store, "resource">;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Undefined: no such token, or one that has ended or is not for this use. */
export function bootstrapTokenUser(token: string, { store, now }: BootstrapTokensOptions): UserInfo | undefined {
  const [, id, secret] = tokenText.exec(token) ?? [];
  if (id === undefined || secret === undefined) return undefined;
  const found = store
    .resource(secrets)
    .get(keyOf(namespace, `bootstrap-token-${id}`))
    ?.object() as Secret | undefined;
  if (found?.type !== secretType || found.metadata.deletionTimestamp !== undefined) return undefined;
  const read = (key: string) => Buffer.from(found.data?.[key] ?? "", "base64").toString();
  if (read("token-id") !== id || !sameSecret(read("token-secret"), secret)) return undefined;
  if (hasEnded(read("expiration"), now()) || read("usage-bootstrap-authentication") !== "true") return undefined;
  const extra = read("auth-extra-groups") === "" ? [] : read("auth-extra-groups").split(",");
  if (!extra.every((group) => groupText.test(group))) return undefined;
  return { name: `system:bootstrap:${id}`, groups: [...new Set([defaultGroup, ...extra])].sort() };
}

/** In a time that tells nothing of how much of it is right. */
function sameSecret(known: string, given: string): boolean {
  const [a, b] = [Buffer.from(known), Buffer.from(given)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** One that cannot be read has ended: whoever wrote it meant it to. */
function hasEnded(expiration: string, now: number): boolean {
  if (expiration === "") return false;
  const at = Date.parse(expiration);
  return Number.isNaN(at) || at <= now;
}
