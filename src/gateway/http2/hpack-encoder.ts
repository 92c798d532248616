/**
 * Header blocks of ours. Nothing is ever put into the table of the other side: a block then means the same at any time and on
 * any connection, and what endpoints say again and again is written once (RFC 7541 lets every encoder choose so; nginx does likewise).
 */
import { encodeHuffman, huffmanLength } from "./huffman.ts";
import { staticTable } from "./hpack-table.ts";

/** `name value` → index of the whole field; `name` → the first index with the name. */
const indexes = new Map<string, number>();
for (const [index, { name, value }] of staticTable.entries()) {
  if (index === 0) continue;
  if (value !== "") indexes.set(`${name} ${value}`, index);
  if (!indexes.has(name)) indexes.set(name, index);
}

/** Header lines (`Name: value\r\n`, as HTTP/1.1 has them) to blocks. Bounded: strangers say what is in them. */
const blocks = new Map<string, Buffer>();
const maxBlocks = 512;
const longestKept = 4096;

/** Names become lower case. */
export function encodeLines(lines: string): Buffer {
  const before = blocks.get(lines);
  if (before !== undefined) return before;
  const parts: Buffer[] = [];
  for (let start = 0; start < lines.length;) {
    const end = lines.indexOf("\r\n", start);
    const colon = lines.indexOf(":", start);
    if (end < 0 || colon < 0) break;
    if (colon > start && colon < end) parts.push(encodeField(lines.slice(start, colon).toLowerCase(), lines.slice(colon + 1, end).trim()));
    start = end + 2;
  }
  const block = Buffer.concat(parts);
  if (lines.length <= longestKept) {
    if (blocks.size >= maxBlocks) blocks.delete(blocks.keys().next().value as string);
    blocks.set(lines, block);
  }
  return block;
}

/** `name`: lower case. */
export function encodeField(name: string, value: string): Buffer {
  const whole = indexes.get(`${name} ${value}`);
  if (whole !== undefined) return integer(whole, 7, 0x80);
  const index = indexes.get(name) ?? 0;
  // What must stay secret is said never to be put into any table (RFC 7541 7.1.3).
  const form = name === "authorization" || name === "cookie" || name === "set-cookie" ? 0x10 : 0;
  return Buffer.concat([integer(index, 4, form), ...(index === 0 ? text(name) : []), ...text(value)]);
}

function text(value: string): readonly Buffer[] {
  const length = huffmanLength(value);
  if (length >= value.length) return [integer(value.length, 7, 0), Buffer.from(value, "latin1")];
  const coded = Buffer.allocUnsafe(length);
  encodeHuffman(value, coded, 0);
  return [integer(length, 7, 0x80), coded];
}

/** RFC 7541 5.1; `form`: the bits before it. */
function integer(value: number, prefixBits: number, form: number): Buffer {
  const most = (1 << prefixBits) - 1;
  if (value < most) return Buffer.of(form | value);
  const octets = [form | most];
  let left = value - most;
  for (; left >= 128; left = Math.floor(left / 128)) octets.push((left & 127) | 128);
  octets.push(left);
  return Buffer.from(octets);
}
