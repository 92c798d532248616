/** The files of an image layout: in a directory, or as members of an archive. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join, posix } from "node:path";
import { errnoCode } from "../../../lib/errors.ts";
import { ImageSourceError } from "../image-source.ts";
import { readTar } from "../tar-reader.ts";

export interface LayoutFiles {
  /** In bytes; undefined: there is no such file. */
  size(path: string): Promise<number | undefined>;
  /** Throws where there is no such file. */
  stream(path: string): AsyncIterable<Uint8Array>;
}

/** `path` is never a stranger's: a fixed name, or made of a digest. */
export function directoryFiles(directory: string): LayoutFiles {
  return {
    async size(path) {
      try {
        const found = await stat(join(directory, path));
        return found.isFile() ? found.size : undefined;
      } catch (error) {
        if (errnoCode(error) === "ENOENT" || errnoCode(error) === "ENOTDIR") return undefined;
        throw error;
      }
    },
    stream: (path) => createReadStream(join(directory, path)),
  };
}

interface Member {
  readonly offset: number;
  readonly size: number;
}

/** Reads through the whole archive once, for its members' places. Throws TarError. */
export async function archiveFiles(archive: string): Promise<LayoutFiles> {
  const members = new Map<string, Member>();
  const links = new Map<string, string>();
  for await (const { type, name, linkName, offset, size } of readTar(createReadStream(archive))) {
    const path = posix.normalize(name);
    if (type === "file") members.set(path, { offset, size });
    if (type === "symlink") links.set(path, posix.join(posix.dirname(path), linkName));
    if (type === "hardlink") links.set(path, posix.normalize(linkName));
  }
  // Docker used to write a layer that several images share once, with links to it.
  const find = (path: string) => members.get(path) ?? members.get(links.get(path) ?? "");
  return {
    size: async (path) => find(path)?.size,
    stream(path) {
      const member = find(path);
      if (member === undefined) throw new ImageSourceError(`${archive} has no member ${path}`);
      const { offset, size } = member;
      return size === 0 ? nothing() : createReadStream(archive, { start: offset, end: offset + size - 1 });
    },
  };
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  // A range of a file has one byte at least.
}

/** The whole of a small file; undefined: there is none. Throws ImageSourceError above `most` bytes. */
export async function readSmall(files: LayoutFiles, path: string, most: number): Promise<Buffer | undefined> {
  const size = await files.size(path);
  if (size === undefined) return undefined;
  if (size > most) throw new ImageSourceError(`${path} has ${size} bytes; ${most} are read at most`);
  const parts: Uint8Array[] = [];
  for await (const part of files.stream(path)) parts.push(part);
  return Buffer.concat(parts);
}
