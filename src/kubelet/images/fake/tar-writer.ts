/** Layers for tests: tar archives with everything that layers have, well-formed or not. Pure. */
import { blockBytes } from "../tar-header.ts";

export interface WrittenEntry {
  readonly name: string;
  /** As the format has it: `0` a file, `1` a hard link, `2` a symbolic link, `5` a directory, `3` a device. Default: a file. */
  readonly type?: string;
  readonly content?: string | Uint8Array;
  readonly linkName?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Records of a pax header before it. */
  readonly pax?: Readonly<Record<string, string>>;
}

export function writeTar(entries: readonly WrittenEntry[]): Buffer {
  return Buffer.concat([...entries.flatMap(blocks), Buffer.alloc(2 * blockBytes)]);
}

function blocks(entry: WrittenEntry): readonly Buffer[] {
  const { name, linkName = "", pax = {} } = entry;
  const records = {
    ...(Buffer.byteLength(name) > 100 ? { path: name } : {}),
    ...(Buffer.byteLength(linkName) > 100 ? { linkpath: linkName } : {}),
    ...pax,
  };
  const extra = Object.keys(records).length === 0 ? [] : [...plain({ name: "pax", type: "x", content: paxContent(records) })];
  return [...extra, ...plain(entry)];
}

function plain({
  name,
  type = "0",
  content = "",
  linkName = "",
  mode = type === "5" ? 0o755 : 0o644,
  uid = 0,
  gid = 0,
}: WrittenEntry): readonly Buffer[] {
  const bytes = Buffer.from(content as string);
  const header = Buffer.alloc(blockBytes);
  const octal = (value: number, at: number, length: number) =>
    header.write(`${value.toString(8).padStart(length - 1, "0")}\0`, at, "latin1");
  header.write(name, 0, 100, "utf8");
  octal(mode, 100, 8);
  octal(uid, 108, 8);
  octal(gid, 116, 8);
  octal(bytes.length, 124, 12);
  octal(1_700_000_000, 136, 12);
  header.fill(0x20, 148, 156);
  header.write(type, 156, "latin1");
  header.write(linkName, 157, 100, "utf8");
  header.write("ustar\u000000", 257, "latin1");
  octal(
    header.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return [header, bytes, Buffer.alloc((blockBytes - (bytes.length % blockBytes)) % blockBytes)];
}

export function paxContent(records: Readonly<Record<string, string>>): string {
  return Object.entries(records)
    .map(([key, value]) => paxRecord(`${key}=${value}\n`))
    .join("");
}

/** Its length counts its own digits. */
function paxRecord(text: string): string {
  const bytes = Buffer.byteLength(text) + 1;
  const length = [1, 2, 3, 4, 5].map((digits) => bytes + digits).find((sum, i) => String(sum).length === i + 1) as number;
  return `${length} ${text}`;
}
