/** What a directory takes on disk. */
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { errnoCode } from "../../lib/errors.ts";

const blockBytes = 512;

/** Bytes of all files below, links not followed. What goes away meanwhile counts as nothing. */
export async function diskUsage(directory: string): Promise<number> {
  let total = 0;
  const left = [directory];
  for (let path = left.pop(); path !== undefined; path = left.pop()) {
    try {
      const found = await lstat(path);
      total += found.blocks * blockBytes;
      if (found.isDirectory()) for (const name of await readdir(path)) left.push(join(path, name));
    } catch (error) {
      if (errnoCode(error) !== "ENOENT" && errnoCode(error) !== "ENOTDIR" && errnoCode(error) !== "EACCES") throw error;
    }
  }
  return total;
}
