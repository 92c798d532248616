/** Gives a volume to a group, as `fsGroup` asks (upstream pkg/volume/volume_linux.go): group-owned, readable, directories inherit it. */
import { chmod, lchown, lstat } from "node:fs/promises";
import { join } from "node:path";
import { listDirectory } from "../logs/log-store.ts";

const groupRead = 0o440;
const groupWrite = 0o220;
const groupEnter = 0o110;
const inherit = 0o2000;

/** `readOnly`: files made of API objects, which nobody writes. */
export async function giveToGroup(path: string, group: number, readOnly: boolean): Promise<void> {
  const found = await lstat(path);
  await lchown(path, found.uid, group);
  if (found.isSymbolicLink()) return;
  const wanted = groupRead | (readOnly ? 0 : groupWrite);
  if (!found.isDirectory()) return chmod(path, (found.mode & 0o7777) | wanted);
  await chmod(path, (found.mode & 0o7777) | wanted | groupEnter | inherit);
  for (const name of await listDirectory(path)) await giveToGroup(join(path, name), group, readOnly);
}
