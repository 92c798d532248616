/**
 * What `docker save` wrote before Docker knew OCI layouts (github.com/moby/docker-image-spec, v1.2 "Combined Image JSON + Filesystem
 * Changeset Format"): `manifest.json` names configuration and layers as members. It has no manifest of its own; one is made here, in
 * which a layer's digest is that of its content, which the configuration gives.
 */
import { sha256 } from "../digest.ts";
import { ImageSourceError, mostManifestBytes, type ImageSource, type ResolvedImage } from "../image-source.ts";
import { parseImageConfig, type Descriptor } from "../manifest.ts";
import { formatImageReference, parseImageReference } from "../reference.ts";
import { readSmall, type LayoutFiles } from "./files.ts";

interface ArchivedImage {
  readonly config: string;
  readonly layers: readonly string[];
  readonly names: readonly string[];
}

export function dockerArchiveSource(files: LayoutFiles, path: string): ImageSource {
  return {
    name: path,
    async resolve(reference) {
      const wanted = formatImageReference(reference);
      for (const image of await archivedImages(files, path)) {
        const names = image.names.map(parseImageReference).filter((name) => name !== undefined);
        if (names.some((name) => formatImageReference(name) === wanted)) return await resolved(files, image);
      }
      return undefined;
    },
  };
}

async function archivedImages(files: LayoutFiles, path: string): Promise<readonly ArchivedImage[]> {
  const text = await readSmall(files, "manifest.json", mostManifestBytes);
  const list: unknown = JSON.parse(text?.toString("utf8") ?? "null");
  if (!Array.isArray(list)) throw new ImageSourceError(`manifest.json of ${path} is no list`);
  return list.map((one: { Config?: unknown; Layers?: unknown; RepoTags?: unknown } | null) => ({
    config: String(one?.Config),
    layers: strings(one?.Layers),
    names: strings(one?.RepoTags),
  }));
}

function strings(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

async function resolved(files: LayoutFiles, image: ArchivedImage): Promise<ResolvedImage> {
  const config = await readSmall(files, image.config, mostManifestBytes);
  if (config === undefined) throw new ImageSourceError(`the archive has no member ${image.config}`);
  const { diffIDs } = parseImageConfig(config.toString("utf8"));
  if (diffIDs.length !== image.layers.length)
    throw new ImageSourceError(`the archive has ${image.layers.length} layers, its configuration names ${diffIDs.length}`);
  const members = new Map([[sha256(config), image.config], ...image.layers.map((layer, i) => [diffIDs[i] as string, layer] as const)]);
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: sha256(config), size: config.length },
      layers: await Promise.all(image.layers.map((layer, i) => layerDescriptor(files, layer, diffIDs[i] as string))),
    }),
  );
  const top: Descriptor = { mediaType: "application/vnd.oci.image.manifest.v1+json", digest: sha256(manifest), size: manifest.length };
  return { top, manifest: async () => manifest, blob: ({ digest }) => files.stream(members.get(digest) ?? digest) };
}

async function layerDescriptor(files: LayoutFiles, layer: string, digest: string): Promise<Descriptor> {
  const size = await files.size(layer);
  if (size === undefined) throw new ImageSourceError(`the archive has no member ${layer}`);
  return { mediaType: "application/vnd.oci.image.layer.v1.tar", digest, size };
}
