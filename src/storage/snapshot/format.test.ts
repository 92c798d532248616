import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Entry } from "../backend.ts";
import { openSnapshot, writeSnapshot } from "./format.ts";

const revision = fc.integer({ min: 1, max: 1_000_000 });
const entries = fc.uniqueArray(
  fc.record({
    key: fc.oneof(fc.string({ minLength: 1 }), fc.constantFrom('/a","value":1', "/registry/services/default/web")),
    createRevision: revision,
    modRevision: revision,
    value: fc.jsonValue().map((value) => Buffer.from(JSON.stringify(value))),
  }),
  { selector: ({ key }) => key, maxLength: 20 },
);
const head = { revision: 1_000_000, takenAt: "2026-11-21T09:28:27Z" };

async function written(all: readonly Entry[]): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of writeSnapshot(head, all)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The file in pieces of `size`, as a network gives it. */
async function* inPieces(file: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < file.length; at += size) yield file.subarray(at, at + size);
}

async function read(file: Uint8Array, size = 1000): Promise<readonly Entry[]> {
  const opened = await openSnapshot(inPieces(file, size));
  expect(opened.head).toEqual(head);
  const all: Entry[] = [];
  for await (const entry of opened.entries) all.push(entry);
  return all;
}

const shown = (all: readonly Entry[]) => all.map((entry) => ({ ...entry, value: Buffer.from(entry.value).toString() }));

test("what is read is what was written, to the byte, whatever the pieces", async () => {
  await fc.assert(
    fc.asyncProperty(entries, fc.integer({ min: 1, max: 400 }), async (all, size) => {
      expect(shown(await read(await written(all), size))).toEqual(shown(all));
    }),
  );
});

test("a file that was cut off anywhere, or changed anywhere, is no snapshot", async () => {
  const file = await written([
    { key: "/registry/configmaps/a/b", createRevision: 2, modRevision: 3, value: Buffer.from('{"metadata":{},"data":{"a":"b"}}') },
    { key: "/registry/configmaps/a/c", createRevision: 4, modRevision: 4, value: Buffer.from('{"metadata":{}}') },
  ]);
  for (let length = 0; length < file.length; length++)
    await expect(read(file.subarray(0, length)), `${length} bytes`).rejects.toMatchObject({ code: "FL_SNAPSHOT" });
  for (let at = file.indexOf(10) + 1; at < file.length; at++) {
    const other = Buffer.from(file);
    other[at] = (other[at] as number) ^ 1;
    await expect(read(other), `byte ${at}`).rejects.toMatchObject({ code: "FL_SNAPSHOT" });
  }
  await expect(read(Buffer.concat([file, Buffer.from("{}\n")]))).rejects.toMatchObject({ code: "FL_SNAPSHOT" });
});

test("bytes of any kind are refused, not believed", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 500 }), async (bytes) => {
      await expect(read(bytes)).rejects.toMatchObject({ code: "FL_SNAPSHOT" });
    }),
  );
});

test("a line without end does not fill the memory", async () => {
  const endless = async function* (): AsyncGenerator<Uint8Array> {
    for (;;) yield Buffer.alloc(1 << 20, "x");
  };
  await expect(openSnapshot(endless())).rejects.toMatchObject({ code: "FL_SNAPSHOT" });
});
