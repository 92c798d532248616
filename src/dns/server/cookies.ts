/**
 * DNS cookies (RFC 7873): whoever sends one gets it back with a server's part, bound to the client's address and to a secret of
 * this process, so that later queries with it cannot be forged off the path. Laid out as RFC 9018 4, the hash by HMAC-SHA-256.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

const lifetimeSeconds = 3600;
const aheadSeconds = 300;

export type CookieVerdict =
  /** The option is no cookie: FORMERR (RFC 7873 5.2.2). */
  | { readonly kind: "malformed" }
  /** `known`: the server's part is ours, for this address, and not too old. */
  | { readonly kind: "cookie"; readonly known: boolean; readonly reply: Uint8Array };

export interface CookieOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Default: random bytes of this process. */
  readonly secret?: Uint8Array;
}

/** RFC 7873 4: the client's part, and maybe 8 to 32 bytes of a server's. */
export const isCookie = ({ length }: Uint8Array): boolean => length === 8 || (length >= 16 && length <= 40);

export class Cookies {
  readonly #now: () => number;
  readonly #secret: Uint8Array;

  constructor({ now, secret = randomBytes(32) }: CookieOptions) {
    this.#now = now;
    this.#secret = secret;
  }

  check(cookie: Uint8Array, address: string): CookieVerdict {
    if (!isCookie(cookie)) return { kind: "malformed" };
    const client = cookie.subarray(0, 8);
    const now = Math.floor(this.#now() / 1000);
    const reply = Buffer.concat([client, this.#serverPart(client, address, now)]);
    return { kind: "cookie", known: this.#knows(cookie, address, now), reply };
  }

  #knows(cookie: Uint8Array, address: string, now: number): boolean {
    if (cookie.length !== 24) return false;
    const at = Buffer.from(cookie.buffer, cookie.byteOffset, cookie.length).readUInt32BE(12);
    if (now - at > lifetimeSeconds || at - now > aheadSeconds) return false;
    return timingSafeEqual(this.#serverPart(cookie.subarray(0, 8), address, at), cookie.subarray(8));
  }

  #serverPart(client: Uint8Array, address: string, seconds: number): Buffer {
    const head = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);
    head.writeUInt32BE(seconds >>> 0, 4);
    const hash = createHmac("sha256", this.#secret).update(client).update(head).update(address).digest().subarray(0, 8);
    return Buffer.concat([head, hash]);
  }
}
