import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HpackDecoder, type HeaderBlock } from "./hpack-decoder.ts";
import { encodeField, encodeLines } from "./hpack-encoder.ts";
import { staticTable } from "./hpack-table.ts";
import { decodeHuffman, encodeHuffman, huffmanLength } from "./huffman.ts";

const limits = { bytes: 16_384, fields: 100 };
const bytes = (hex: string) => Buffer.from(hex.replace(/\s/g, ""), "hex");
const pairs = (block: HeaderBlock) =>
  block.kind === "headers"
    ? block.fields.map(({ name, value }) => `${name}: ${value}`)
    : [block.kind === "malformed" ? block.why : block.kind];

test("the static table ends with its 61st entry", () => {
  expect(staticTable).toHaveLength(62);
  expect([staticTable[1], staticTable[16], staticTable[61]]).toEqual([
    { name: ":authority", value: "" },
    { name: "accept-encoding", value: "gzip, deflate" },
    { name: "www-authenticate", value: "" },
  ]);
});

describe("RFC 7541 Appendix C", () => {
  const decoded = (...blocks: readonly string[]) => {
    const decoder = new HpackDecoder(limits, 4096);
    return blocks.map((block) => pairs(decoder.decode(bytes(block))));
  };

  test("C.2: a field of each form", () => {
    expect(decoded("400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572")).toEqual([["custom-key: custom-header"]]);
    expect(decoded("040c 2f73 616d 706c 652f 7061 7468")).toEqual([[":path: /sample/path"]]);
    expect(decoded("1008 7061 7373 776f 7264 0673 6563 7265 74")).toEqual([["password: secret"]]);
    expect(decoded("82")).toEqual([[":method: GET"]]);
  });

  const requests = [
    [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"],
    [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com", "cache-control: no-cache"],
    [":method: GET", ":scheme: https", ":path: /index.html", ":authority: www.example.com", "custom-key: custom-value"],
  ];

  test("C.3 and C.4: three requests on one connection, without and with Huffman's code", () => {
    expect(
      decoded(
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
      ),
    ).toEqual(requests);
    expect(
      decoded(
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
      ),
    ).toEqual(requests);
  });

  test("C.6: three answers, whose table of 256 octets loses entries", () => {
    const decoder = new HpackDecoder(limits, 256);
    const first =
      "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3";
    const third =
      "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07";
    const date = "date: Mon, 21 Oct 2013 20:13:21 GMT";
    const rest = ["cache-control: private", date, "location: https://www.example.com"];
    expect(pairs(decoder.decode(bytes(first)))).toEqual([":status: 302", ...rest]);
    expect(pairs(decoder.decode(bytes("4883 640e ffc1 c0bf")))).toEqual([":status: 307", ...rest]);
    expect(pairs(decoder.decode(bytes(third)))).toEqual([
      ":status: 200",
      "cache-control: private",
      "date: Mon, 21 Oct 2013 20:13:22 GMT",
      "location: https://www.example.com",
      "content-encoding: gzip",
      "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
    ]);
  });
});

describe("what is no header block", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["an index of nothing", "80"],
    ["an index beyond both tables", "be"],
    ["an integer that ends early", "ff"],
    ["an integer without end", "ffffffffffffffffffff7f"],
    ["a text longer than the block", "0005 6162"],
    ["a name of an entry that is not there", "7f00 0161"],
    ["Huffman padding of zeros", "0001 6181 00"],
    ["Huffman padding of a whole octet", "0001 6182 1fff"],
    ["the end-of-string symbol", "0001 6184 ffff ffff"],
    ["a table larger than agreed", "3fe1 7f"],
    ["a table size behind a field", "8220"],
  ];
  test.for(cases)("%s", ([, hex]) => {
    expect(new HpackDecoder(limits).decode(bytes(hex)).kind).toBe("malformed");
  });

  test("any octets are read or refused, and no more is made of them than the limits say", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), (blocks) => {
        const decoder = new HpackDecoder({ bytes: 400, fields: 4 });
        for (const block of blocks) {
          const result = decoder.decode(block);
          if (result.kind === "headers") expect(result.fields.length).toBeLessThanOrEqual(4);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("beyond the limits the table is right all the same", () => {
    const decoder = new HpackDecoder({ bytes: 100, fields: 2 });
    expect(decoder.decode(bytes("400161 0162 828282")).kind).toBe("too-large");
    expect(pairs(decoder.decode(bytes("be")))).toEqual(["a: b"]);
  });
});

test("the version changes with the table and only then", () => {
  const decoder = new HpackDecoder(limits);
  decoder.decode(bytes("82"));
  const before = decoder.version;
  decoder.decode(bytes("040c 2f73 616d 706c 652f 7061 7468"));
  expect(decoder.version).toBe(before);
  decoder.decode(bytes("400161 0162"));
  expect(decoder.version).not.toBe(before);
});

test("Huffman's code: any octets come back, in as many octets as was said", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (octets) => {
      const text = Buffer.from(octets).toString("latin1", 0, octets.length);
      const coded = new Uint8Array(huffmanLength(text));
      expect(encodeHuffman(text, coded, 0)).toBe(coded.length);
      expect(decodeHuffman(coded, 0, coded.length)).toBe(text);
    }),
  );
});

test("what is encoded is decoded, whatever it is", () => {
  const field = fc.record({ name: fc.stringMatching(/^[a-z0-9-]{1,20}$/), value: fc.string({ unit: "binary-ascii", maxLength: 200 }) });
  fc.assert(
    fc.property(fc.array(field, { maxLength: 20 }), (fields) => {
      const block = Buffer.concat(fields.map(({ name, value }) => encodeField(name, value)));
      expect(new HpackDecoder({ bytes: 1 << 20, fields: 100 }).decode(block)).toEqual({ kind: "headers", fields });
    }),
  );
  const lines = "Content-Type: text/plain\r\nX-Long: " + "y".repeat(300) + "\r\nSet-Cookie: a=b\r\nEmpty:\r\n";
  const expected = ["content-type: text/plain", `x-long: ${"y".repeat(300)}`, "set-cookie: a=b", "empty: "];
  for (let again = 0; again < 2; again++) expect(pairs(new HpackDecoder(limits).decode(encodeLines(lines)))).toEqual(expected);
});
