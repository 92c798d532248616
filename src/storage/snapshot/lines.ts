/** Lines of a stream of bytes, without their newlines. What follows the last newline is no line: it was cut off. */
import { FairleadError } from "../../lib/errors.ts";

/** An object of the API is at most 3 MiB as it is sent, and its managed fields as much again. */
const maxLineBytes = 16 << 20;

export async function* readLines(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of bytes) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      yield Buffer.concat([...parts, chunk.subarray(start, end)]);
      [parts, size, start] = [[], 0, end + 1];
    }
    parts.push(chunk.subarray(start));
    if ((size += chunk.length - start) > maxLineBytes)
      throw new FairleadError("FL_SNAPSHOT", "the snapshot cannot be used: a line of it does not end");
  }
}
