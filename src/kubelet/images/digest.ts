/** Content is what its digest says, or it is refused. */
import { createHash } from "node:crypto";
import type { Descriptor } from "./manifest.ts";

export class DigestError extends Error {}

export function sha256(content: Uint8Array): string {
  return `sha256:${createHash("sha256").update(content).digest("hex")}`;
}

/**
 * The same chunks; throws DigestError at their end when they are not what was announced, and at once when there are more. Without
 * a size only the digest is compared: that of a layer's content, whose length nobody announces.
 */
export async function* verified(
  chunks: AsyncIterable<Uint8Array>,
  { digest, size }: Pick<Descriptor, "digest"> & { readonly size?: number },
): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  let seen = 0;
  for await (const chunk of chunks) {
    seen += chunk.byteLength;
    if (size !== undefined && seen > size) throw new DigestError(`${digest} has more than the ${size} bytes that were announced`);
    hash.update(chunk);
    yield chunk;
  }
  if (size !== undefined && seen !== size) throw new DigestError(`${digest} has ${seen} bytes instead of the ${size} that were announced`);
  const found = `sha256:${hash.digest("hex")}`;
  if (found !== digest) throw new DigestError(`content with digest ${found} came in the place of ${digest}`);
}
