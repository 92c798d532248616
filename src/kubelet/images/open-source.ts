/** What `--image-source` names. */
import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { errorMessage, FairleadError } from "../../lib/errors.ts";
import { archiveFiles, directoryFiles } from "./archive/files.ts";
import { dockerArchiveSource } from "./archive/docker-archive.ts";
import { layoutSource } from "./archive/oci-layout.ts";
import type { ImageSource } from "./image-source.ts";
import { registrySource } from "./registry/registry-source.ts";

/** The word for the registries that images' own names say. */
export const registryWord = "registry";

/** `registry`, the directory of an OCI layout, or an archive of one or of Docker's. Throws FL_CONFIG for anything else. */
export async function openImageSource(text: string): Promise<ImageSource> {
  if (text === registryWord) return registrySource();
  try {
    if ((await stat(text)).isDirectory()) return await openDirectory(text);
    return await openArchive(text);
  } catch (error) {
    if (error instanceof FairleadError) throw error;
    throw new FairleadError("FL_CONFIG", `image source ${text}: ${errorMessage(error)}`, { cause: error, hint });
  }
}

const hint = `A source is the word ${JSON.stringify(registryWord)}, the directory of an OCI image layout, or an archive (skopeo copy … oci-archive:FILE, docker save).`;

async function openDirectory(path: string): Promise<ImageSource> {
  const files = directoryFiles(path);
  if ((await files.size("index.json")) === undefined)
    throw new FairleadError("FL_CONFIG", `image source ${path}: no OCI image layout, for it has no ${join(path, "index.json")}`, { hint });
  return layoutSource(files, path);
}

async function openArchive(path: string): Promise<ImageSource> {
  if (await isCompressed(path)) throw new FairleadError("FL_CONFIG", `image source ${path} is compressed`, { hint: `Run: gunzip ${path}` });
  const files = await archiveFiles(path);
  if ((await files.size("index.json")) !== undefined) return layoutSource(files, path);
  if ((await files.size("manifest.json")) !== undefined) return dockerArchiveSource(files, path);
  throw new FairleadError("FL_CONFIG", `image source ${path} is no archive of an image: it has neither index.json nor manifest.json`, {
    hint,
  });
}

async function isCompressed(path: string): Promise<boolean> {
  const file = await open(path, "r");
  try {
    const { buffer } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return buffer[0] === 0x1f && buffer[1] === 0x8b;
  } finally {
    await file.close();
  }
}
