/** One header block of a tar archive (POSIX.1-2017 pax Interchange Format, ustar; the numbers of GNU tar beside it). Pure. */

export class TarError extends Error {}

export const blockBytes = 512;

export type TarType = "file" | "hardlink" | "symlink" | "directory" | "device" | "fifo";

export interface TarHeader {
  /** `pax`, `pax-global`, `gnu-name` and `gnu-link` tell of the entry that follows. */
  readonly type: TarType | "pax" | "pax-global" | "gnu-name" | "gnu-link";
  readonly name: string;
  readonly linkName: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of the content that follows, in bytes. */
  readonly size: number;
  /** Seconds since the epoch. */
  readonly mtime: number;
}

const types: Readonly<Record<string, TarHeader["type"]>> = {
  "0": "file",
  "\0": "file",
  "7": "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "device",
  "4": "device",
  "5": "directory",
  "6": "fifo",
  x: "pax",
  g: "pax-global",
  L: "gnu-name",
  K: "gnu-link",
};

/** Undefined: a block of zeroes, which ends the archive. Throws TarError. */
export function parseTarHeader(block: Buffer): TarHeader | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  if (number(block, 148, 8) !== checksum(block))
    throw new TarError("the checksum of a header is wrong: this is no tar archive, or it is damaged");
  const flag = String.fromCharCode(block[156] as number);
  const type = types[flag];
  if (type === undefined) throw new TarError(`an entry of type ${JSON.stringify(flag)} is not supported`);
  const name = text(block, 0, 100);
  const isPosix = block.toString("latin1", 257, 263) === "ustar\0";
  const prefix = isPosix ? text(block, 345, 155) : "";
  const size = number(block, 124, 12);
  return {
    // Before POSIX a directory was a file whose name ends with a slash.
    type: type === "file" && name.endsWith("/") ? "directory" : type,
    name: prefix === "" ? name : `${prefix}/${name}`,
    linkName: text(block, 157, 100),
    mode: number(block, 100, 8) & 0o7777,
    uid: number(block, 108, 8),
    gid: number(block, 116, 8),
    size: type === "hardlink" || type === "symlink" || type === "directory" || type === "device" || type === "fifo" ? 0 : size,
    mtime: number(block, 136, 12),
  };
}

/** The records of a pax header: `LENGTH KEY=VALUE\n`. Throws TarError. */
export function parsePax(content: Buffer): ReadonlyMap<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < content.length;) {
    const space = content.indexOf(0x20, at);
    const length = space < 0 ? Number.NaN : Number(content.toString("latin1", at, space));
    const end = at + length;
    if (!Number.isInteger(length) || end > content.length || end <= space + 1 || content[end - 1] !== 0x0a)
      throw new TarError("a pax header has a record of another length than it says");
    const record = content.toString("utf8", space + 1, end - 1);
    const equals = record.indexOf("=");
    if (equals <= 0) throw new TarError("a pax header has a record without a key");
    records.set(record.slice(0, equals), record.slice(equals + 1));
    at = end;
  }
  return records;
}

/** The header as the pax records of its entry (or of all) change it. Throws TarError. */
export function withPax(header: TarHeader, records: ReadonlyMap<string, string>): TarHeader {
  if ([...records.keys()].some((key) => key.startsWith("GNU.sparse."))) throw new TarError("sparse files are not supported");
  const whole = (key: string, fallback: number) => {
    const value = records.get(key);
    if (value === undefined) return fallback;
    const parsed = Math.trunc(Number(value));
    if (value === "" || !Number.isSafeInteger(parsed) || (parsed < 0 && key !== "mtime"))
      throw new TarError(`pax: ${key}=${value} is no number`);
    return parsed;
  };
  return {
    ...header,
    name: records.get("path") ?? header.name,
    linkName: records.get("linkpath") ?? header.linkName,
    uid: whole("uid", header.uid),
    gid: whole("gid", header.gid),
    size: header.type === "file" ? whole("size", header.size) : header.size,
    mtime: whole("mtime", header.mtime),
  };
}

/** All bytes, its own field as if it were blanks. */
function checksum(block: Buffer): number {
  let sum = 8 * 0x20;
  for (const [i, byte] of block.entries()) if (i < 148 || i >= 156) sum += byte;
  return sum;
}

function text(block: Buffer, start: number, length: number): string {
  const end = block.indexOf(0, start);
  return block.toString("utf8", start, end < 0 || end > start + length ? start + length : end);
}

/** Octal digits; or, as GNU has it for what they cannot hold, a binary number behind the bit 0x80. */
function number(block: Buffer, start: number, length: number): number {
  const first = block[start] as number;
  if ((first & 0x80) !== 0) {
    let value = BigInt(first & 0x7f);
    for (const byte of block.subarray(start + 1, start + length)) value = (value << 8n) | BigInt(byte);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new TarError("a number of a header is negative, or too large");
    return Number(value);
  }
  const digits = block
    .toString("latin1", start, start + length)
    .replace(/[\0 ]+$/, "")
    .trimStart();
  if (!/^[0-7]*$/.test(digits)) throw new TarError("a number of a header is no number: this is no tar archive, or it is damaged");
  return digits === "" ? 0 : Number.parseInt(digits, 8);
}
