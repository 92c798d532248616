/**
 * Reads a chunked body (RFC 9112 7.1) as it comes, without copying it. The strictest reading: sizes are hexadecimal digits and
 * nothing else, every line ends with CR LF, extensions have the grammar's form and are dropped.
 *
 * In *framed* mode what is given on is chunked again, so that it can be written to another HTTP/1.1 connection as it is:
 * the same bytes, but without extensions and without the last chunk, which whoever ends the body writes himself. Otherwise
 * it is the bare data.
 */
import { hasForbiddenBytes, parseFields, type Field } from "./fields.ts";

export interface ChunkSink {
  data(bytes: Buffer): void;
  /** The body is whole. Trailer fields that may be passed on, in the order they came. */
  end(trailers: readonly Field[]): void;
}

export type ChunkResult =
  /** All bytes are used; there is more to come. */
  | { readonly kind: "more" }
  /** The body ended; `used` bytes of the last piece belong to it. */
  | { readonly kind: "end"; readonly used: number }
  | { readonly kind: "malformed"; readonly why: string };

/** Nothing more is read. */
type Stop = Exclude<ChunkResult, { kind: "more" }>;

type State = "size" | "extension" | "size-lf" | "data" | "data-cr" | "data-lf" | "trailer";

const more = { kind: "more" } as const;
const maxExtension = 1024;
const maxTrailer = 8192;
const extensions =
  /^(?:[ \t]*;[ \t]*[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:[ \t]*=[ \t]*(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+|"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"))?)*$/;
/** Fields that a trailer may not carry: framing, routing, and what decides how a message is handled (RFC 9110 6.5.1). */
const notInTrailers = new Set([
  "authorization",
  "cache-control",
  "content-encoding",
  "content-range",
  "content-type",
  "cookie",
  "set-cookie",
]);

export class ChunkedReader {
  readonly #sink: ChunkSink;
  readonly #framed: boolean;
  #state: State = "size";
  #digits = 0;
  #size = 0;
  #left = 0;
  #extension = "";
  #trailer = "";
  /** Where, in the present piece, what is to be given on begins; -1: nowhere. */
  #from = -1;
  /** Where the present size line began; -1: in an earlier piece. */
  #lineStart = -1;

  constructor(sink: ChunkSink, framed: boolean) {
    this.#sink = sink;
    this.#framed = framed;
  }

  push(bytes: Buffer): ChunkResult {
    if (this.#framed && !this.#inSizeLine() && this.#state !== "trailer") this.#from = 0;
    this.#lineStart = -1;
    let at = 0;
    while (at < bytes.length) {
      const next = this.#step(bytes, at);
      if (typeof next !== "number") return next;
      at = next;
    }
    // A size line that is not whole yet is written anew once it is.
    this.#flush(bytes, this.#inSizeLine() && this.#lineStart >= 0 ? this.#lineStart : bytes.length);
    return more;
  }

  #inSizeLine(): boolean {
    return this.#state === "size" || this.#state === "extension" || this.#state === "size-lf";
  }

  #flush(bytes: Buffer, to: number): void {
    if (this.#from >= 0 && to > this.#from) this.#sink.data(bytes.subarray(this.#from, to));
    this.#from = -1;
  }

  /** Uses what it can from `at` on; gives where to go on. */
  #step(bytes: Buffer, at: number): number | Stop {
    const byte = bytes[at] as number;
    switch (this.#state) {
      case "size":
        return this.#sizeByte(byte, at);
      case "extension":
        return this.#extensionByte(byte, at);
      case "size-lf":
        return byte === 10 ? this.#sizeLineEnds(bytes, at + 1) : bad("a chunk size line that does not end with CR LF");
      case "data":
        return this.#takeData(bytes, at);
      case "data-cr":
        this.#state = "data-lf";
        return byte === 13 ? at + 1 : bad("a chunk that is longer than its size");
      case "data-lf":
        this.#state = "size";
        this.#digits = 0;
        this.#size = 0;
        this.#lineStart = -1;
        return byte === 10 ? at + 1 : bad("a chunk that does not end with CR LF");
      case "trailer":
        return this.#takeTrailer(bytes, at);
    }
  }

  #sizeByte(byte: number, at: number): number | Stop {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      if (this.#digits === 0) this.#lineStart = at;
      this.#digits += 1;
      // 13 digits: below 2^52, exact in a number.
      if (this.#digits > 13) return bad("a chunk size that is too long");
      this.#size = this.#size * 16 + digit;
      return at + 1;
    }
    if (this.#digits === 0) return bad("a chunk without a size");
    this.#extension = "";
    if (byte === 13) this.#state = "size-lf";
    else if (byte === 59 || byte === 32 || byte === 9) {
      this.#state = "extension";
      this.#extension = String.fromCharCode(byte);
    } else return bad("a chunk size with something else than digits");
    return at + 1;
  }

  #extensionByte(byte: number, at: number): number | Stop {
    if (byte === 13) {
      this.#state = "size-lf";
      return extensions.test(this.#extension) ? at + 1 : bad("a chunk extension that is none");
    }
    if (byte === 10 || this.#extension.length >= maxExtension) return bad("a chunk extension that is too long or has a line feed");
    this.#extension += String.fromCharCode(byte);
    return at + 1;
  }

  #sizeLineEnds(bytes: Buffer, at: number): number {
    if (this.#size === 0) {
      this.#flush(bytes, this.#lineStart < 0 ? 0 : this.#lineStart);
      this.#state = "trailer";
      return at;
    }
    this.#state = "data";
    this.#left = this.#size;
    if (!this.#framed) return at;
    const whole = this.#lineStart >= 0 && this.#extension === "";
    if (whole) {
      if (this.#from < 0) this.#from = this.#lineStart;
    } else {
      // A line in two pieces, or one with extensions: written anew.
      this.#flush(bytes, this.#lineStart < 0 ? 0 : this.#lineStart);
      this.#sink.data(Buffer.from(`${this.#size.toString(16)}\r\n`, "latin1"));
      this.#from = at;
    }
    return at;
  }

  #takeData(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#left);
    this.#left -= end - at;
    if (!this.#framed) this.#sink.data(bytes.subarray(at, end));
    if (this.#left === 0) this.#state = "data-cr";
    return end;
  }

  /** Trailer fields, up to the empty line. */
  #takeTrailer(bytes: Buffer, at: number): number | Stop {
    const before = this.#trailer.length;
    this.#trailer += bytes.toString("latin1", at, Math.min(bytes.length, at + maxTrailer + 4 - before));
    const text = this.#trailer;
    const end = text.startsWith("\r\n") ? 0 : text.indexOf("\r\n\r\n") + 2;
    if (end === 1) {
      if (text.length > maxTrailer || hasForbiddenBytes(text.endsWith("\r") ? text.slice(0, -1) : text))
        return bad("trailer fields that are too long or malformed");
      return bytes.length;
    }
    const fields = hasForbiddenBytes(text.slice(0, end)) ? undefined : parseFields(text.slice(0, end), 0, 32);
    if (fields === undefined || "kind" in fields) return bad("malformed trailer fields");
    this.#sink.end(fields.filter(({ role, name }) => role === "end-to-end" && !notInTrailers.has(name)));
    return { kind: "end", used: at + end + 2 - before };
  }
}

function bad(why: string): Stop {
  return { kind: "malformed", why };
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}
