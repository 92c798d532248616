/**
 * Passwords as Apache's `htpasswd` writes them, checked: apr1 and md5-crypt (`$apr1$`, `$1$`), `{SHA}`, `{SSHA}`, `{PLAIN}`. bcrypt and
 * SHA-crypt take longer by design than a thread with other requests can wait, and are refused by name where the Secret is read.
 */
import { createHash, timingSafeEqual } from "node:crypto";

/** Whether a stored password is of a kind that can be checked. */
export function isReadable(stored: string): boolean {
  return /^(?:\$apr1\$|\$1\$|\{SHA\}|\{SSHA\}|\{PLAIN\})/.test(stored);
}

export function passwordHolds(stored: string, password: string): boolean {
  const [, magic, salt = ""] = /^\$(apr1|1)\$([^$]{0,8})/.exec(stored) ?? [];
  if (magic !== undefined) return equal(stored, md5Crypt(password, `$${magic}$`, salt));
  if (stored.startsWith("{SHA}")) return equal(stored.slice(5), createHash("sha1").update(password).digest("base64"));
  if (stored.startsWith("{SSHA}")) return saltedHolds(Buffer.from(stored.slice(6), "base64"), password);
  return stored.startsWith("{PLAIN}") && equal(stored.slice(7), password);
}

/** A digest of 20 bytes, then the salt. */
function saltedHolds(stored: Buffer, password: string): boolean {
  if (stored.length < 20) return false;
  const digest = createHash("sha1").update(password).update(stored.subarray(20)).digest();
  return timingSafeEqual(stored.subarray(0, 20), digest);
}

function equal(a: string, b: string): boolean {
  const [one, other] = [a, b].map((text) => createHash("sha256").update(text).digest()) as [Buffer, Buffer];
  return timingSafeEqual(one, other);
}

const alphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const rounds = 1000;

/** Poul-Henning Kamp's algorithm of 1994 (FreeBSD `crypt-md5.c`); Apache's differs in the magic only. */
function md5Crypt(password: string, magic: string, salt: string): string {
  const key = Buffer.from(password);
  const md5 = (...parts: readonly (Buffer | string)[]) => {
    const hash = createHash("md5");
    for (const part of parts) hash.update(part);
    return hash.digest();
  };
  const inner = md5(key, salt, key);
  const parts: (Buffer | string)[] = [key, magic, salt];
  for (let left = key.length; left > 0; left -= 16) parts.push(inner.subarray(0, Math.min(16, left)));
  for (let bits = key.length; bits > 0; bits >>= 1) parts.push((bits & 1) === 1 ? Buffer.of(0) : key.subarray(0, 1));
  let digest = md5(...parts);
  for (let round = 0; round < rounds; round++) {
    const odd = (round & 1) === 1;
    digest = md5(odd ? key : digest, ...(round % 3 === 0 ? [] : [salt]), ...(round % 7 === 0 ? [] : [key]), odd ? digest : key);
  }
  return `${magic}${salt}$${md5Text(digest)}`;
}

/** Three bytes at a time, in the order that the algorithm has them. */
function md5Text(digest: Buffer): string {
  const at = (index: number) => digest[index] as number;
  const groups = [0, 1, 2, 3, 4].map((index) => [(at(index) << 16) | (at(index + 6) << 8) | at(index === 4 ? 5 : index + 12), 4] as const);
  return [...groups, [at(11), 2] as const].map(([value, length]) => sixBits(value, length)).join("");
}

function sixBits(value: number, length: number): string {
  return Array.from({ length }, (_, index) => alphabet[(value >> (6 * index)) & 63]).join("");
}

/** Checks that came out well are remembered, by a digest: a browser sends its password with every request. */
const mostRemembered = 1000;

export class PasswordCheck {
  readonly #good = new Set<string>();

  /** `authorization`: the header. Gives the user's name. */
  userOf(authorization: string | undefined, users: ReadonlyMap<string, string>): string | undefined {
    const [, encoded] = /^basic +([A-Za-z0-9+/]{1,2048}={0,2}) *$/i.exec(authorization ?? "") ?? [];
    if (encoded === undefined) return undefined;
    const text = Buffer.from(encoded, "base64").toString("utf8");
    const colon = text.indexOf(":");
    const [user, password] = [text.slice(0, Math.max(colon, 0)), text.slice(colon + 1)];
    const stored = users.get(user);
    return stored !== undefined && this.#holds(stored, password) ? user : undefined;
  }

  #holds(stored: string, password: string): boolean {
    const key = createHash("sha256").update(`${stored}\0${password}`).digest("base64");
    if (this.#good.has(key)) return true;
    if (!passwordHolds(stored, password)) return false;
    if (this.#good.size >= mostRemembered) this.#good.clear();
    this.#good.add(key);
    return true;
  }
}
