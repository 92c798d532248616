/** Reads a tar archive as it comes: nothing is kept but one entry's header. Every archive is a stranger's. */
import { blockBytes, parsePax, parseTarHeader, TarError, withPax, type TarHeader, type TarType } from "./tar-header.ts";

export interface TarEntry extends TarHeader {
  readonly type: TarType;
  /** Where its content begins in the archive, in bytes. */
  readonly offset: number;
  /** To be read before the next entry is asked for; what is not read is passed over. */
  readonly content: AsyncIterable<Buffer>;
}

const mostHeaderBytes = 2 ** 20;
const mostNameBytes = 4096;

/** Throws TarError for what is no tar archive, is cut short, or has what is not read here (sparse files). */
export async function* readTar(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const bytes = new ByteReader(chunks);
  let global: ReadonlyMap<string, string> = new Map();
  let own: ReadonlyMap<string, string> = new Map();
  for (;;) {
    const block = await bytes.block();
    const header = block === undefined ? undefined : parseTarHeader(block);
    if (header === undefined) return;
    switch (header.type) {
      case "pax-global":
        global = new Map([...global, ...parsePax(await extension(bytes, header))]);
        break;
      case "pax":
        own = new Map([...own, ...parsePax(await extension(bytes, header))]);
        break;
      case "gnu-name":
      case "gnu-link": {
        const value = (await extension(bytes, header)).toString("utf8").replace(/\0.*$/s, "");
        own = new Map([...own, [header.type === "gnu-name" ? "path" : "linkpath", value]]);
        break;
      }
      default: {
        const entry = withPax(header, new Map([...global, ...own])) as TarHeader & { readonly type: TarType };
        own = new Map();
        if (Buffer.byteLength(entry.name) > mostNameBytes || Buffer.byteLength(entry.linkName) > mostNameBytes)
          throw new TarError(`a name has more than ${mostNameBytes} bytes`);
        const content = bytes.content(entry.size);
        yield { ...entry, offset: bytes.offset, content };
        await bytes.skipContent();
      }
    }
  }
}

async function extension(bytes: ByteReader, { size }: TarHeader): Promise<Buffer> {
  if (size > mostHeaderBytes) throw new TarError(`an extended header has ${size} bytes; ${mostHeaderBytes} are read at most`);
  const parts: Buffer[] = [];
  for await (const part of bytes.content(size)) parts.push(part);
  await bytes.skipContent();
  return Buffer.concat(parts);
}

class ByteReader {
  /** Of the next byte that is given out. */
  offset = 0;
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Buffer = Buffer.alloc(0);
  /** Of the content that is being read. */
  #left = 0;
  #padding = 0;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** Undefined at the end of the archive. */
  async block(): Promise<Buffer | undefined> {
    while (this.#rest.length < blockBytes) {
      const next = await this.#chunks.next();
      if (next.done === true) {
        if (this.#rest.length === 0) return undefined;
        throw new TarError("the archive is cut short");
      }
      this.#rest = Buffer.concat([this.#rest, next.value]);
    }
    return this.#take(blockBytes);
  }

  content(size: number): AsyncIterable<Buffer> {
    this.#left = size;
    this.#padding = (blockBytes - (size % blockBytes)) % blockBytes;
    return { [Symbol.asyncIterator]: () => ({ next: () => this.#nextPart() }) };
  }

  async skipContent(): Promise<void> {
    while ((await this.#nextPart()).done !== true);
    this.#left = this.#padding;
    this.#padding = 0;
    while ((await this.#nextPart()).done !== true);
  }

  async #nextPart(): Promise<IteratorResult<Buffer, undefined>> {
    if (this.#left === 0) return { done: true, value: undefined };
    if (this.#rest.length === 0) {
      const next = await this.#chunks.next();
      if (next.done === true) throw new TarError("the archive is cut short");
      this.#rest = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
      return this.#nextPart();
    }
    const part = this.#take(Math.min(this.#left, this.#rest.length));
    this.#left -= part.length;
    return { done: false, value: part };
  }

  #take(length: number): Buffer {
    const part = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    this.offset += length;
    return part;
  }
}
