/**
 * The server name in the first bytes of a TLS connection (RFC 8446 4.1.2, RFC 6066 3), read without ending the TLS. Pure; every
 * length is checked, and what is no ClientHello says so as early as it can be known.
 */

export type ClientHello =
  /** More bytes are needed. */
  | { readonly kind: "incomplete" }
  /** `serverName`: lower case; undefined: it names none. */
  | { readonly kind: "hello"; readonly serverName: string | undefined }
  | { readonly kind: "malformed"; readonly why: string };

const incomplete = { kind: "incomplete" } as const;
const maxHello = 65_536;

export function readClientHello(bytes: Buffer): ClientHello {
  const message = handshake(bytes);
  if (!Buffer.isBuffer(message)) return message;
  return readExtensions(message);
}

function malformed(why: string): ClientHello {
  return { kind: "malformed", why };
}

/** The handshake message, put together from its records. */
function handshake(bytes: Buffer): Buffer | ClientHello {
  let at = 0;
  let message = Buffer.alloc(0);
  for (;;) {
    if (bytes.length > at && bytes[at] !== 22) return malformed("no TLS handshake");
    if (bytes.length > at + 1 && bytes[at + 1] !== 3) return malformed("no version of TLS");
    if (bytes.length < at + 5) return incomplete;
    const length = bytes.readUInt16BE(at + 3);
    if (length === 0 || length > 16_640) return malformed("a record of impossible length");
    if (bytes.length < at + 5 + length) return incomplete;
    message = Buffer.concat([message, bytes.subarray(at + 5, at + 5 + length)]);
    at += 5 + length;
    if (message[0] !== 1) return malformed("no ClientHello");
    if (message.length < 4) continue;
    const wanted = 4 + message.readUIntBE(1, 3);
    if (wanted > maxHello) return malformed("a ClientHello that is too long");
    if (message.length >= wanted) return message.subarray(4, wanted);
  }
}

/** Moves over the parts of a message; a part that is longer than what is left is undefined. */
class Parts {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  take(length: number): Buffer | undefined {
    if (this.#at + length > this.#bytes.length) return undefined;
    const part = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return part;
  }

  /** What a length of so many bytes says. */
  vector(lengthBytes: 1 | 2): Buffer | undefined {
    const length = this.take(lengthBytes);
    return length === undefined ? undefined : this.take(length.readUIntBE(0, lengthBytes));
  }
}

function readExtensions(hello: Buffer): ClientHello {
  const parts = new Parts(hello);
  // Version and random, session, cipher suites, compression.
  if (!parts.take(34) || !parts.vector(1) || !parts.vector(2) || !parts.vector(1)) return malformed("a ClientHello that ends early");
  if (parts.done) return { kind: "hello", serverName: undefined };
  const extensions = parts.vector(2);
  if (extensions === undefined) return malformed("extensions that end early");
  const list = new Parts(extensions);
  while (!list.done) {
    const type = list.take(2);
    const body = list.vector(2);
    if (type === undefined || body === undefined) return malformed("an extension that ends early");
    if (type.readUInt16BE(0) === 0) return serverName(body);
  }
  return { kind: "hello", serverName: undefined };
}

function serverName(body: Buffer): ClientHello {
  const names = new Parts(body).vector(2);
  if (names === undefined) return malformed("a server name that ends early");
  const list = new Parts(names);
  const type = list.take(1);
  const name = list.vector(2);
  if (type?.[0] !== 0 || name === undefined) return malformed("a server name that is none");
  const text = name.toString("latin1").toLowerCase();
  return /^[a-z0-9_.-]{1,253}$/.test(text)
    ? { kind: "hello", serverName: text.replace(/\.$/, "") }
    : malformed("a server name with impossible characters");
}
