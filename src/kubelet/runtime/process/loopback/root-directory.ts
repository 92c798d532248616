/**
 * The directory that a container sees as its root, by convention only: without a mount namespace nothing can stand at
 * the absolute path that the pod asks for, so each mount is a link at that path below this directory.
 */
import { lstat, mkdir, realpath, rm, symlink } from "node:fs/promises";
import { dirname, join, normalize, sep } from "node:path";
import type { ContainerMount } from "../../runtime.ts";
import { ContainerStartError } from "../../runtime.ts";
import { errnoCode } from "../../../../lib/errors.ts";

/** Makes the directory with its mounts, parents first. Its `tmp` is the container's TMPDIR. */
export async function makeRoot(root: string, podDirectory: string, mounts: readonly ContainerMount[]): Promise<void> {
  await mkdir(root, { recursive: true, mode: 0o755 });
  for (const mount of mounts) await link(root, podDirectory, mount);
  await mkdir(join(root, "tmp"), { recursive: true, mode: 0o777 });
}

async function link(root: string, podDirectory: string, { mountPath, source }: ContainerMount): Promise<void> {
  const place = join(root, normalize(`/${mountPath}`));
  if (place === root || place === `${root}${sep}`)
    throw new ContainerStartError(`a volume cannot be mounted at ${JSON.stringify(mountPath)}`);
  await mkdir(dirname(place), { recursive: true, mode: 0o755 });
  const parent = await realpath(dirname(place));
  const own = await realpath(podDirectory);
  if (parent !== own && !parent.startsWith(`${own}${sep}`)) {
    throw new ContainerStartError(`the mount at ${mountPath} lies inside a hostPath volume, where this node would have to write a link`);
  }
  const before = await kindOf(place);
  if (before === "other") throw new ContainerStartError(`the mount at ${mountPath} would hide ${place}`);
  if (before === "link") await rm(place);
  await symlink(source, place);
}

async function kindOf(path: string): Promise<"absent" | "link" | "other"> {
  try {
    return (await lstat(path)).isSymbolicLink() ? "link" : "other";
  } catch (error) {
    if (errnoCode(error) === "ENOENT") return "absent";
    throw error;
  }
}

/**
 * A word of a command, or a variable's value, that is as a whole a path inside a mount (`/etc/app/x.yaml`, also behind `=` in
 * `--config=/etc/app/x.yaml`) is led to where the mount is. Paths within longer text, such as a shell script, stay.
 */
export function relocate(text: string, root: string, mounts: readonly { readonly mountPath: string }[]): string {
  const equals = /^-{1,2}[\w.-]+=(?=\/)/.exec(text)?.[0] ?? "";
  const path = text.slice(equals.length);
  // It names the root already, which may itself lie below such a path: /tmp.
  if (path === root || path.startsWith(`${root}/`)) return text;
  const inside = mounts.some(({ mountPath }) => {
    const at = mountPath.replace(/\/+$/, "");
    return at !== "" && (path === at || path.startsWith(`${at}/`));
  });
  return inside && !/[\s:;,]/.test(path) ? `${equals}${root}${path}` : text;
}
