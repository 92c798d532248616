/**
 * The Huffman code of HPACK (RFC 7541 5.2, Appendix B). It is canonical: codes of one length follow each other in the order of
 * their symbols, so the lengths alone say all of it.
 */

/** For each octet the bits of its code: `a` is 5, `b` 6, and so on. */
const lengths =
  "isxxxxxxxtzxxzxxxxxxxxzxxxxxxxxxbffhibdgffdgdbbbaaabbbbbbbcdkbhf" +
  "ibccccccccccccccccccccccdcdioijbkabababbbaccbbbabcbaabccccckgjix" +
  "prpprrrsrssssststtrstssssqrsrsstrqprrssqsrrtqrssqqrqsrssprrrsrrs" +
  "vvporsruvvvwwvtuoqvwwvwtqqvvxwwwptpqrqqsrruuttvsvwvvwwwwwxwwwwwv";

const bitsOf = Uint8Array.from(lengths, (letter) => letter.charCodeAt(0) - 92);
const codeOf = canonicalCodes();

function canonicalCodes(): Uint32Array {
  const codes = new Uint32Array(256);
  let code = 0;
  for (let bits = 5; bits <= 30; bits++) {
    for (let symbol = 0; symbol < 256; symbol++) if (bitsOf[symbol] === bits) codes[symbol] = code++;
    code *= 2;
  }
  return codes;
}

/** Decoding goes by octets: what the next eight bits mean is a symbol (`bits << 8 | symbol`), another node (`-index`), or nothing (0). */
const nodes: Int32Array[] = [new Int32Array(256)];
for (let symbol = 0; symbol < 256; symbol++) plant(symbol, codeOf[symbol] as number, bitsOf[symbol] as number);

function plant(symbol: number, code: number, bits: number): void {
  let node = nodes[0] as Int32Array;
  let left = bits;
  for (; left > 8; left -= 8) {
    const at = (code >>> (left - 8)) & 255;
    if (node[at] === 0) node[at] = -nodes.push(new Int32Array(256)) + 1;
    node = nodes[-(node[at] as number)] as Int32Array;
  }
  const first = (code << (8 - left)) & 255;
  node.fill((left << 8) | symbol, first, first + (1 << (8 - left)));
}

const scratchBytes = 8192;
const scratch = Buffer.allocUnsafeSlow(scratchBytes);

/** Latin-1 text; undefined for what is no code: the end-of-string symbol, or padding that is too long or not ones. */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number): string | undefined {
  // No code has less than 5 bits.
  const room = Math.ceil(((end - start) * 8) / 5);
  const out = room <= scratchBytes ? scratch : Buffer.allocUnsafe(room);
  const root = nodes[0] as Int32Array;
  let [node, length, pending, bits] = [root, 0, 0, 0];
  for (let at = start; at < end; at++) {
    pending = ((pending << 8) | (bytes[at] as number)) & 0xffff;
    bits += 8;
    while (bits >= 8) {
      const entry = node[(pending >>> (bits - 8)) & 255] as number;
      if (entry > 0) {
        out[length++] = entry & 255;
        bits -= entry >> 8;
        node = root;
      } else if (entry < 0) {
        bits -= 8;
        node = nodes[-entry] as Int32Array;
      } else return undefined;
    }
  }
  while (bits > 0) {
    const entry = node[(pending << (8 - bits)) & 255] as number;
    if (entry <= 0 || entry >> 8 > bits) break;
    out[length++] = entry & 255;
    bits -= entry >> 8;
    node = root;
  }
  const ones = (1 << bits) - 1;
  return node === root && (pending & ones) === ones ? out.toString("latin1", 0, length) : undefined;
}

/** In octets. */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let at = 0; at < text.length; at++) bits += bitsOf[text.charCodeAt(at) & 255] as number;
  return (bits + 7) >> 3;
}

/** Writes the code of latin-1 text at `at`; gives where it ends. */
export function encodeHuffman(text: string, into: Uint8Array, at: number): number {
  let [pending, bits] = [0, 0];
  for (let index = 0; index < text.length; index++) {
    const symbol = text.charCodeAt(index) & 255;
    let left = bitsOf[symbol] as number;
    // At most 7 bits wait, and 24 more fit beside them.
    for (const code = codeOf[symbol] as number; left > 0;) {
      const take = Math.min(left, 24);
      left -= take;
      pending = (pending << take) | ((code >>> left) & ((1 << take) - 1));
      for (bits += take; bits >= 8; bits -= 8) into[at++] = (pending >>> (bits - 8)) & 255;
      pending &= 0xff;
    }
  }
  if (bits > 0) into[at++] = ((pending << (8 - bits)) | ((1 << (8 - bits)) - 1)) & 255;
  return at;
}
