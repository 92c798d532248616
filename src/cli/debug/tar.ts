/** A tar archive of small files (POSIX.1-1988 ustar), in memory. Pure. */
export interface TarEntry {
  /** At most 100 bytes, no leading slash. */
  readonly name: string;
  readonly content: Uint8Array;
}

const block = 512;

/** Files get mode 0600 and the time `mtime` (s since the epoch). Throws RangeError for a name that the format cannot hold. */
export function tarOf(entries: readonly TarEntry[], mtime: number): Buffer {
  const parts = entries.flatMap(({ name, content }) => {
    const padding = Buffer.alloc((block - (content.length % block)) % block);
    return [header(name, content.length, mtime), content, padding];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * block)]);
}

function header(name: string, size: number, mtime: number): Buffer {
  if (Buffer.byteLength(name) > 100) throw new RangeError(`${name} is too long a name for a tar archive`);
  const bytes = Buffer.alloc(block);
  const octal = (value: number, offset: number, length: number) =>
    bytes.write(`${value.toString(8).padStart(length - 1, "0")}\0`, offset, "latin1");
  bytes.write(name, 0, "utf8");
  octal(0o600, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(mtime, 136, 12);
  bytes.fill(0x20, 148, 156);
  bytes.write("0", 156, "latin1");
  bytes.write("ustar\u000000", 257, "latin1");
  octal(
    bytes.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return bytes;
}
