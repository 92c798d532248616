/**
 * Lays the layers of an image over each other in one directory (OCI image-spec v1.1 layer.md): additions, changes, whiteouts. A
 * layer is a stranger's archive. What it names is looked up below the root alone, with its links followed as a process inside
 * would see them; `..` in a name is refused; device nodes and pipes are left out, for a container has those of its own.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  symlinkSync,
  write,
  type Stats,
} from "node:fs";
import { basename, dirname } from "node:path";
import { promisify } from "node:util";
import { withPlaceBelow } from "../../host/namespaces/below-root.ts";
import { TarError } from "./tar-header.ts";
import { readTar, type TarEntry } from "./tar-reader.ts";

export interface UnpackOptions {
  /** Becomes the root directory of containers; exists. */
  readonly root: string;
  /** Whether files get the owners that the layer names; else they stay ours. */
  readonly owners: boolean;
  readonly limits?: UnpackLimits;
}

export interface UnpackLimits {
  /** Of all files of the image. */
  readonly bytes: number;
  readonly entries: number;
}

export interface Unpacked {
  readonly bytes: number;
  readonly entries: number;
}

export const defaultUnpackLimits: UnpackLimits = { bytes: 16 * 2 ** 30, entries: 1_000_000 };

const whiteout = ".wh.";
const opaque = ".wh..wh..opq";
const writeTo = promisify(write);

/** One layer over what is there. `before`: what earlier layers took of the limits. Throws TarError, or the system's error. */
export async function applyLayer(
  layer: AsyncIterable<Uint8Array>,
  { root, owners, limits = defaultUnpackLimits }: UnpackOptions,
  before: Unpacked = { bytes: 0, entries: 0 },
): Promise<Unpacked> {
  let { bytes, entries } = before;
  /** What this layer has put there: its own opaque directory does not hide it. */
  const added = new Set<string>();
  for await (const entry of readTar(layer)) {
    const path = pathOf(entry.name);
    if (++entries > limits.entries) throw new TarError(`the image has more than ${limits.entries} files`);
    if ((bytes += entry.size) > limits.bytes) throw new TarError(`the image has more than ${limits.bytes} bytes`);
    if (path === "") continue;
    const name = basename(path);
    if (name === opaque) clear(root, dirname(path), added);
    else if (name.startsWith(whiteout)) remove(root, dirname(path), name.slice(whiteout.length));
    else if (await place(entry, path, root, owners)) addWithParents(added, path);
  }
  return { bytes, entries };
}

/** `./usr/bin/` → `usr/bin`; the root itself is empty. */
function pathOf(name: string): string {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw new TarError(`the name ${JSON.stringify(name)} leads out of the image`);
  if (name.includes("\0")) throw new TarError("a name has a NUL byte");
  return parts.join("/");
}

function addWithParents(added: Set<string>, path: string): void {
  for (let at = path; at !== "." && !added.has(at); at = dirname(at)) added.add(at);
}

/** Whether it was put there. */
async function place(entry: TarEntry, path: string, root: string, owners: boolean): Promise<boolean> {
  if (entry.type === "device" || entry.type === "fifo") return false;
  const file = below(root, dirname(path), "directory", (parent) => make(entry, `${parent}/${basename(path)}`, root, owners));
  if (file === undefined) return true;
  try {
    for await (const part of entry.content) for (let at = 0; at < part.length;) at += (await writeTo(file, part, at)).bytesWritten;
    futimesSync(file, entry.mtime, entry.mtime);
  } finally {
    closeSync(file);
  }
  return true;
}

/** The descriptor of a file that waits for its content. */
function make(entry: TarEntry, target: string, root: string, owners: boolean): number | undefined {
  const there = lstatSync(target, { throwIfNoEntry: false });
  if (there !== undefined && !(there.isDirectory() && entry.type === "directory")) rmSync(target, { recursive: true });
  switch (entry.type) {
    case "directory":
      return makeDirectory(entry, target, there, owners);
    case "symlink":
      symlinkSync(entry.linkName, target);
      if (owners) lchownSync(target, entry.uid, entry.gid);
      return undefined;
    case "hardlink":
      return makeHardlink(entry, target, root);
    default: {
      const file = openSync(target, constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW | constants.O_WRONLY, 0o600);
      if (owners) fchownSync(file, entry.uid, entry.gid);
      // After the owner, whose change takes the set-user-id bit away; ours are always readable for us.
      fchmodSync(file, owners ? entry.mode : entry.mode | 0o400);
      return file;
    }
  }
}

function makeDirectory(entry: TarEntry, target: string, there: Stats | undefined, owners: boolean): undefined {
  if (there?.isDirectory() !== true) mkdirSync(target, 0o700);
  const directory = openSync(target, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    if (owners) fchownSync(directory, entry.uid, entry.gid);
    fchmodSync(directory, owners ? entry.mode : entry.mode | 0o700);
  } finally {
    closeSync(directory);
  }
}

function makeHardlink(entry: TarEntry, target: string, root: string): undefined {
  const source = pathOf(entry.linkName);
  // Of a link the link itself: its parent is looked up, its own name is not followed.
  const made = below(root, dirname(source), "leave", (parent) => {
    const from = `${parent}/${basename(source)}`;
    if (source === "" || lstatSync(from, { throwIfNoEntry: false }) === undefined) return false;
    linkSync(from, target);
    return true;
  });
  if (made !== true) throw new TarError(`${entry.name} is a link to ${entry.linkName}, which is not there`);
}

function remove(root: string, directory: string, name: string): void {
  if (name === "" || name === "." || name === "..") throw new TarError(`a whiteout of ${JSON.stringify(name)}`);
  below(root, directory, "leave", (parent) => rmSync(`${parent}/${name}`, { recursive: true, force: true }));
}

/** Lower layers' entries of a directory go. */
function clear(root: string, directory: string, added: ReadonlySet<string>): void {
  below(root, directory, "leave", (place) => {
    for (const name of readdirSync(place)) {
      const path = directory === "." ? name : `${directory}/${name}`;
      if (!added.has(path)) rmSync(`${place}/${name}`, { recursive: true, force: true });
      else if (lstatSync(`${place}/${name}`).isDirectory()) clear(root, path, added);
    }
  });
}

function below<Result>(root: string, path: string, missing: "directory" | "leave", use: (place: string) => Result): Result | undefined {
  return withPlaceBelow(root, path, missing, use);
}
