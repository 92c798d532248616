/**
 * Who may look. The URL that the program prints holds a token behind `#`, which browsers send to nobody. The page exchanges it
 * for two halves, and every request for data needs both: a cookie that scripts cannot read, and a key that the page keeps for its own
 * origin and sends in a header. A cookie alone would not do: browsers send it to every port of the host, so also to a program that
 * serves 127.0.0.1:8080; the key never leaves the origin, and a page elsewhere cannot set the header.
 */
import { randomBytes, timingSafeEqual } from "node:crypto";

export interface Session {
  /** Of the cookie. */
  readonly cookie: string;
  /** Of the header `x-fairlead-console`. */
  readonly key: string;
}

export interface SessionsOptions {
  /** Default: 32 bytes of the machine's randomness. */
  readonly token?: string;
  readonly random?: (bytes: number) => string;
  /** The one begun first is forgotten beyond it. Default 64. */
  readonly most?: number;
}

export class Sessions {
  readonly token: string;
  readonly #random: (bytes: number) => string;
  readonly #most: number;
  /** Cookie → key, the oldest first. */
  readonly #keys = new Map<string, string>();

  constructor({ random = randomText, token = random(32), most = 64 }: SessionsOptions = {}) {
    this.token = token;
    this.#random = random;
    this.#most = most;
  }

  /** Undefined: that is not the token. */
  begin(token: string): Session | undefined {
    if (!same(token, this.token)) return undefined;
    const session = { cookie: this.#random(32), key: this.#random(32) };
    this.#keys.set(session.cookie, session.key);
    for (const oldest of this.#keys.keys()) {
      if (this.#keys.size <= this.#most) break;
      this.#keys.delete(oldest);
    }
    return session;
  }

  holds({ cookie, key }: Session): boolean {
    const known = this.#keys.get(cookie);
    return known !== undefined && same(key, known);
  }
}

const randomText = (bytes: number): string => randomBytes(bytes).toString("base64url");

/** Takes as long for any text of a length. */
function same(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
