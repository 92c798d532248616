/** Where history is written: segments, each a state of everything that is kept and then the changes after it; the oldest go first. */
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, rm, type FileHandle } from "node:fs/promises";
import { join } from "node:path";

/** In order of `number`, which only grows. */
export interface Segments {
  readonly list: () => Promise<readonly number[]>;
  /** Bytes are appended to it from now on. */
  readonly begin: (number: number) => Promise<void>;
  readonly append: (bytes: Uint8Array) => Promise<void>;
  readonly read: (number: number) => AsyncIterable<Uint8Array>;
  readonly remove: (number: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

export function memorySegments(): Segments {
  const segments = new Map<number, Uint8Array[]>();
  let current: Uint8Array[] = [];
  return {
    list: async () => [...segments.keys()],
    async begin(number) {
      current = [];
      segments.set(number, current);
    },
    append: async (bytes) => void current.push(bytes),
    async *read(number) {
      yield* [...(segments.get(number) ?? [])];
    },
    remove: async (number) => void segments.delete(number),
    close: async () => segments.clear(),
  };
}

const ending = ".history.jsonl";

/** Files of their owner alone in a directory of its own. Not synchronized to the disk: what a loss of power takes is gone. */
export function fileSegments(directory: string): Segments {
  const pathOf = (number: number) => join(directory, `${String(number).padStart(8, "0")}${ending}`);
  let handle: FileHandle | undefined;
  return {
    async list() {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const names = await readdir(directory);
      return names
        .filter((name) => /^\d{8,}\.history\.jsonl$/.test(name))
        .map((name) => Number(name.slice(0, -ending.length)))
        .toSorted((a, b) => a - b);
    },
    async begin(number) {
      await handle?.close();
      handle = await open(pathOf(number), "a", 0o600);
    },
    async append(bytes) {
      await handle?.writeFile(bytes);
    },
    read: (number) => createReadStream(pathOf(number)),
    remove: (number) => rm(pathOf(number), { force: true }),
    async close() {
      await handle?.close();
      handle = undefined;
    },
  };
}
