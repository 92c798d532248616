/** A layer without its compression, told by its first bytes: media types of old images are not always true. */
import type { Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";

/** Ends the stream when it is left. */
export async function* layerContent(stored: Readable): AsyncGenerator<Uint8Array> {
  const unpacker = await decompressor(stored);
  if (unpacker === undefined) return yield* stored;
  // Its own error is thrown where it is read.
  stored.once("error", (error) => unpacker.destroy(error));
  try {
    yield* stored.pipe(unpacker);
  } finally {
    stored.destroy();
  }
}

async function decompressor(stored: Readable) {
  const head = await firstBytes(stored);
  if (head.readUInt16BE(0) === 0x1f8b) return createGunzip();
  return head.readUInt32LE(0) === 0xfd2fb528 ? createZstdDecompress() : undefined;
}

/** Leaves them in the stream. */
async function firstBytes(stored: Readable): Promise<Buffer> {
  while (stored.readableLength < 4 && !stored.readableEnded) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    stored.once("readable", resolve);
    stored.once("end", resolve);
    stored.once("error", reject);
    await promise;
    stored.off("error", reject);
    if (stored.readableLength === 0) break;
  }
  const all = (stored.read() as Buffer | null) ?? Buffer.alloc(0);
  if (all.length > 0) stored.unshift(all);
  return Buffer.concat([all.subarray(0, 4), Buffer.alloc(4)]);
}
