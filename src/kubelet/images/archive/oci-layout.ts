/** An OCI image layout (image-spec v1.1 image-layout.md): a directory, or an archive of one (`skopeo copy … oci-archive:`, `docker save`). */
import { basename } from "node:path";
import { ImageSourceError, mostManifestBytes, type ImageSource, type ResolvedImage } from "../image-source.ts";
import { parseManifest, type Descriptor } from "../manifest.ts";
import { formatImageReference, parseImageReference, type ImageReference } from "../reference.ts";
import { readSmall, type LayoutFiles } from "./files.ts";

/** containerd and Docker write the whole name there. */
const wholeName = "io.containerd.image.name";
const refName = "org.opencontainers.image.ref.name";

/** `path`: of the layout on this machine; its last part is the name of images that have only a tag. */
export function layoutSource(files: LayoutFiles, path: string): ImageSource {
  return {
    name: path,
    async resolve(reference) {
      const text = await readSmall(files, "index.json", mostManifestBytes);
      if (text === undefined) throw new ImageSourceError(`${path} has no index.json`);
      const index = parseManifest(text.toString("utf8"));
      if (index.kind !== "index") throw new ImageSourceError(`index.json of ${path} is no index`);
      const top = index.manifests.find((descriptor) => names(descriptor, reference, path));
      return top === undefined ? undefined : resolved(files, top);
    },
  };
}

function names(descriptor: Descriptor, reference: ImageReference, path: string): boolean {
  if (reference.digest !== undefined) return descriptor.digest === reference.digest;
  const { annotations = {} } = descriptor;
  const wanted = formatImageReference(reference);
  const whole = [annotations[wholeName], annotations[refName]].filter((name) => name !== undefined).map(parseImageReference);
  if (whole.some((name) => name !== undefined && formatImageReference(name) === wanted)) return true;
  // `skopeo copy … oci:nginx:1.27` names it 1.27.
  const own = basename(path).replace(/\.tar$/, "");
  return annotations[refName] === reference.tag && basename(reference.repository) === own;
}

function resolved(files: LayoutFiles, top: Descriptor): ResolvedImage {
  return {
    top,
    async manifest({ digest }) {
      const content = await readSmall(files, blobPath(digest), mostManifestBytes);
      if (content === undefined) throw new ImageSourceError(`the layout has no blob ${digest}`);
      return content;
    },
    blob: ({ digest }) => files.stream(blobPath(digest)),
  };
}

function blobPath(digest: string): string {
  return `blobs/${digest.replace(":", "/")}`;
}
