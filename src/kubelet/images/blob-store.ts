/** Blobs by their digest: complete and true from the moment they are there, each had once however many ask for it at a time. */
import { randomUUID } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { verified } from "./digest.ts";
import type { Descriptor } from "./manifest.ts";

export class BlobStore {
  readonly #directory: string;
  readonly #coming = new Map<string, Promise<void>>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Has it from `source` unless it is there. Rejects with DigestError, or what the source throws. */
  add(descriptor: Descriptor, source: () => AsyncIterable<Uint8Array>): Promise<void> {
    const { digest } = descriptor;
    const coming = this.#coming.get(digest);
    if (coming !== undefined) return coming;
    if (existsSync(this.#path(digest))) return Promise.resolve();
    const adding = this.#write(descriptor, source()).finally(() => this.#coming.delete(digest));
    this.#coming.set(digest, adding);
    return adding;
  }

  stream(digest: string): Readable {
    return createReadStream(this.#path(digest), { highWaterMark: 2 ** 18 });
  }

  read(digest: string): Promise<Buffer> {
    return readFile(this.#path(digest));
  }

  /** Those that nobody wants any more, and what was never finished. */
  async removeOthers(wanted: ReadonlySet<string>): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.#directory))
      if (!wanted.has(`sha256:${name}`)) await rm(join(this.#directory, name), { recursive: true, force: true });
  }

  async #write(descriptor: Descriptor, source: AsyncIterable<Uint8Array>): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const partial = join(this.#directory, `partial-${randomUUID()}`);
    // Opened before anything can fail: a stream that opens by itself may make the file after it was removed.
    const file = await open(partial, "wx", 0o600);
    try {
      await pipeline(verified(source, descriptor), file.createWriteStream());
      await rename(partial, this.#path(descriptor.digest));
    } catch (error) {
      await rm(partial, { force: true });
      throw error;
    }
  }

  #path(digest: string): string {
    return join(this.#directory, digest.replace(/^sha256:/, ""));
  }
}
