/**
 * SPDY/3.1 header blocks (draft-mbelshe-httpbis-spdy-00, 2.6.10): pairs of names and values, compressed with zlib and a dictionary
 * that both sides know, in one compression stream for the whole connection and direction.
 */
import { createInflate, type Inflate } from "node:zlib";

export type Headers = Readonly<Record<string, string>>;

const words =
  "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow authorization cache-control connection content-base content-encoding content-language content-length content-location content-md5 content-range content-type date etag expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate method get status"
    .split(" ")
    .concat("200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin");
const rest =
  "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

/** Both sides must have it byte by byte: its Adler-32 is E3C6A7C2. */
export const dictionary: Buffer = Buffer.concat([...words.map(prefixed), Buffer.from(rest)]);
const dictionaryId = Buffer.from([0xe3, 0xc6, 0xa7, 0xc2]);

/** Bytes of one block, uncompressed. The streams of Kubernetes carry three short headers. */
const maxBlock = 16 * 1024;

function prefixed(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([uint32(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Pairs as they are before compression. Names go out in lower case, as the protocol demands. */
export function encodePairs(headers: Headers): Buffer {
  const pairs = Object.entries(headers);
  return Buffer.concat([uint32(pairs.length), ...pairs.flatMap(([name, value]) => [prefixed(name.toLowerCase()), prefixed(value)])]);
}

/** Undefined for what is no header block. Names come in lower case. */
export function decodePairs(block: Buffer): Headers | undefined {
  let at = 0;
  const number = () => {
    const value = at + 4 <= block.length ? block.readUInt32BE(at) : undefined;
    at += 4;
    return value;
  };
  const text = () => {
    const length = number();
    if (length === undefined || at + length > block.length) return undefined;
    at += length;
    return block.toString("utf8", at - length, at);
  };
  const headers: [string, string][] = [];
  const count = number();
  if (count === undefined) return undefined;
  for (let index = 0; index < count; index++) {
    const [name, value] = [text(), text()];
    if (name === undefined || value === undefined) return undefined;
    headers.push([name.toLowerCase(), value]);
  }
  return at === block.length ? Object.fromEntries(headers) : undefined;
}

/** An empty stored piece, as a flush leaves it: Go's reader hands nothing out before it has seen one. */
const flushed = Buffer.from([0, 0, 0, 0xff, 0xff]);

/**
 * Writes blocks as deflate's stored pieces, which need no state and no turn of the event loop: what this side has to say in headers
 * is too short for compression to matter.
 */
export class HeaderCompressor {
  #begun = false;

  /** At most 64 KiB, which is what a stored piece can hold. */
  compress(headers: Headers): Buffer {
    const block = encodePairs(headers);
    const piece = Buffer.alloc(5);
    piece.writeUInt16LE(block.length, 1);
    piece.writeUInt16LE(~block.length & 0xffff, 3);
    // 0x78 0x20: deflate with a window of 32 KiB, a preset dictionary follows (RFC 1950 2.2).
    const start = this.#begun ? [] : [Buffer.from([0x78, 0x20]), dictionaryId];
    this.#begun = true;
    return Buffer.concat([...start, piece, block, flushed]);
  }
}

/** Reads blocks in the order in which they came. */
export class HeaderDecompressor {
  readonly #inflate: Inflate = createInflate({ dictionary });
  #pieces: Buffer[] = [];
  #size = 0;
  #settle: (() => void) | undefined;
  #fail: ((error: Error) => void) | undefined;

  constructor() {
    this.#inflate.on("data", (piece: Buffer) => this.#collect(piece));
    this.#inflate.on("error", (error) => this.#fail?.(error));
    this.#inflate.on("close", () => this.#settle?.());
  }

  #collect(piece: Buffer): void {
    this.#size += piece.length;
    if (this.#size > maxBlock) this.#inflate.destroy();
    else this.#pieces.push(piece);
  }

  /** One at a time. Rejects for what is not compressed so, is too long, or holds no pairs; nothing can be read after that. */
  async decompress(compressed: Buffer): Promise<Headers> {
    this.#pieces = [];
    this.#size = 0;
    await new Promise<void>((resolve, reject) => {
      [this.#settle, this.#fail] = [resolve, reject];
      this.#inflate.write(compressed);
      // Everything written so far comes out before this is called.
      this.#inflate.flush(() => resolve());
    });
    if (this.#size > maxBlock) throw new Error(`a header block is longer than ${maxBlock} bytes`);
    const headers = decodePairs(Buffer.concat(this.#pieces));
    if (headers === undefined) throw new Error("a header block holds no pairs");
    return headers;
  }

  close(): void {
    this.#inflate.destroy();
  }
}
