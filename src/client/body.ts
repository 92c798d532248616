/** Reads the bodies of answers, whichever way they came: as objects, as bytes, as pieces, or as a watch. */
import type { KubeObject } from "../api/object.ts";
import type { ApiBody, WatchEvent } from "../api/request.ts";
import { deepFreeze } from "../lib/freeze.ts";

/** The JSON value of a body, frozen. Throws SyntaxError when it is none. */
export async function readJson(body: ApiBody): Promise<unknown> {
  if (body.kind === "object") return body.object;
  return deepFreeze(JSON.parse(await readText(body)));
}

export async function readText(body: ApiBody): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of readBytes(body)) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

/** The body as it would travel. */
export async function* readBytes(body: ApiBody): AsyncGenerator<Uint8Array> {
  switch (body.kind) {
    case "empty":
      return;
    case "bytes":
      yield body.bytes;
      return;
    case "object":
      yield Buffer.from(JSON.stringify(body.object));
      return;
    case "chunks":
      yield* body.chunks;
      return;
    case "watch":
      for await (const event of body.stream) yield Buffer.concat([event.bytes(), newline]);
  }
}

const newline = Buffer.from("\n");

/** The events of a watch; its objects are frozen. */
export async function* readEvents<T extends KubeObject>(body: ApiBody): AsyncGenerator<WatchEvent<T>> {
  if (body.kind === "watch") {
    for await (const event of body.stream) yield { type: event.type, object: event.object() as T };
    return;
  }
  for await (const line of readLines(readBytes(body))) yield deepFreeze(JSON.parse(line.toString("utf8")) as WatchEvent<T>);
}

/** Lines without their newlines; empty ones are left out. */
async function* readLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let pieces: Uint8Array[] = [];
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      const line = Buffer.concat([...pieces, chunk.subarray(start, end)]);
      pieces = [];
      start = end + 1;
      if (line.length > 0) yield line;
    }
    if (start < chunk.length) pieces.push(chunk.subarray(start));
  }
}
