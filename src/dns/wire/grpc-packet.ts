/** `message DnsPacket { bytes msg = 1; }` in a gRPC frame: five bytes (compressed?, length), then protobuf. */

/** The DNS message of a request or response body; undefined when it is no such frame. */
export function readPacket(body: Buffer): Uint8Array | undefined {
  if (body.length < 5 || body[0] !== 0) return undefined;
  const size = body.readUInt32BE(1);
  if (body.length !== 5 + size) return undefined;
  return readField(body.subarray(5));
}

/** Field 1, bytes. Nothing else is in the message. */
function readField(bytes: Buffer): Uint8Array | undefined {
  if (bytes[0] !== 0x0a) return undefined;
  let length = 0;
  for (let i = 1; i <= 4; i++) {
    const byte = bytes[i];
    if (byte === undefined) return undefined;
    length |= (byte & 0x7f) << (7 * (i - 1));
    if (byte < 0x80) return bytes.length === i + 1 + length ? bytes.subarray(i + 1) : undefined;
  }
  return undefined;
}

export function writePacket(message: Uint8Array): Buffer {
  const varint: number[] = [];
  for (let rest = message.length; ; rest >>>= 7) {
    if (rest < 0x80) {
      varint.push(rest);
      break;
    }
    varint.push((rest & 0x7f) | 0x80);
  }
  const head = Buffer.from([0, 0, 0, 0, 0, 0x0a, ...varint]);
  head.writeUInt32BE(1 + varint.length + message.length, 1);
  return Buffer.concat([head, message]);
}
