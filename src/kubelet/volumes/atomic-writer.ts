/**
 * Writes a set of files into a directory so that a reader sees either the old set or the new one: the files lie in a
 * directory of their own, `..data` is a link to it that is swapped by rename, and each name is a link through `..data`
 * (upstream pkg/volume/util/atomic_writer.go).
 */
import { chmod, lstat, mkdir, readFile, readlink, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { errnoCode } from "../../lib/errors.ts";
import { listDirectory } from "../logs/log-store.ts";
import type { VolumeFiles } from "./files.ts";

const dataLink = "..data";

/** Makes `directory` hold exactly `files`; writes nothing when it does already. Gives whether anything changed. */
export async function writeFiles(directory: string, files: VolumeFiles, version: string): Promise<boolean> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const current = await currentVersion(directory);
  if (current !== undefined && (await holds(join(directory, current), files))) return false;
  const name = `..${version}`;
  await writeVersion(join(directory, name), files);
  const link = join(directory, "..data_tmp");
  await rm(link, { force: true });
  await symlink(name, link);
  await rename(link, join(directory, dataLink));
  await linkNames(directory, files);
  if (current !== undefined && current !== name) await rm(join(directory, current), { recursive: true, force: true });
  return true;
}

async function currentVersion(directory: string): Promise<string | undefined> {
  try {
    return await readlink(join(directory, dataLink));
  } catch (error) {
    if (errnoCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function holds(directory: string, files: VolumeFiles): Promise<boolean> {
  const present = await filesBelow(directory, directory);
  if (present.length !== files.size) return false;
  for (const path of present) {
    const wanted = files.get(path);
    if (wanted === undefined || !wanted.bytes.equals(await readFile(join(directory, path)))) return false;
    if (((await lstat(join(directory, path))).mode & 0o7777) !== wanted.mode) return false;
  }
  return true;
}

async function filesBelow(root: string, directory: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await listDirectory(directory)) {
    const path = join(directory, name);
    if ((await lstat(path)).isDirectory()) found.push(...(await filesBelow(root, path)));
    else found.push(relative(root, path));
  }
  return found;
}

async function writeVersion(directory: string, files: VolumeFiles): Promise<void> {
  await mkdir(directory, { mode: 0o755 });
  for (const [path, { bytes, mode }] of files) {
    const file = join(directory, path);
    await mkdir(dirname(file), { recursive: true, mode: 0o755 });
    await writeFile(file, bytes, { mode: 0o600 });
    // Not left to the umask.
    await chmod(file, mode);
  }
}

/** One link per name at the top; names that are no more lose theirs. */
async function linkNames(directory: string, files: VolumeFiles): Promise<void> {
  const wanted = new Set([...files.keys()].map((path) => path.split("/")[0] as string));
  for (const name of await listDirectory(directory)) {
    if (name.startsWith("..")) continue;
    if (!wanted.delete(name) && (await pointsIntoData(join(directory, name)))) await rm(join(directory, name), { force: true });
  }
  for (const name of wanted) await symlink(`${dataLink}/${name}`, join(directory, name));
}

async function pointsIntoData(path: string): Promise<boolean> {
  return (await lstat(path)).isSymbolicLink() && (await readlink(path)).startsWith(`${dataLink}/`);
}
