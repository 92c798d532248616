/** gzip for answers that are worth it, as upstream: from 128 KiB on and at the fastest level (apiserver `pkg/endpoints/handlers/responsewriters`). */
import { promisify } from "node:util";
import { constants, createGzip, gzip } from "node:zlib";

const worthwhile = 128 * 1024;
const level = constants.Z_BEST_SPEED;
const zip = promisify<Uint8Array, { readonly level: number }, Buffer>(gzip);

export function acceptsGzip(acceptEncoding: string | undefined): boolean {
  return (acceptEncoding ?? "").split(",").some((part) => /^\s*gzip\s*(;\s*q\s*=\s*(0?\.\d*[1-9]\d*|1(\.0*)?)\s*)?$/i.test(part));
}

/** Undefined: it goes as it is. The work is done outside the main thread. */
export async function compressed(bytes: Uint8Array): Promise<Uint8Array | undefined> {
  return bytes.length < worthwhile ? undefined : zip(bytes, { level });
}

export interface Pieces {
  readonly gzip: boolean;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** The same for what comes piece by piece: its first piece tells whether it is long. */
export async function compressedPieces(chunks: AsyncIterable<Uint8Array>): Promise<Pieces> {
  const source = chunks[Symbol.asyncIterator]();
  const first = await source.next();
  const whole = resumed(first, source);
  if (first.done === true || first.value.length < worthwhile) return { gzip: false, chunks: whole };
  return { gzip: true, chunks: zipped(whole) };
}

async function* resumed(first: IteratorResult<Uint8Array>, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    for (let next = first; next.done !== true; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}

async function* zipped(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const stream = createGzip({ level });
  const feeding = (async () => {
    for await (const chunk of chunks) if (!stream.write(chunk)) await new Promise((resolve) => stream.once("drain", resolve));
    stream.end();
  })();
  feeding.catch((error: unknown) => stream.destroy(error instanceof Error ? error : new Error(String(error))));
  yield* stream;
}
