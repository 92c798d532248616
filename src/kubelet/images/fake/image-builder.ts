/** Images for tests, made in memory: as a layout's directory, as archives, or for a registry to give out. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { sha256 } from "../digest.ts";
import { ownPlatform, type Descriptor } from "../manifest.ts";
import { writeTar, type WrittenEntry } from "./tar-writer.ts";

export interface BuiltImage {
  /** Of the manifest, or of an index that leads to it. */
  readonly top: Descriptor;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  /** digest → content */
  readonly blobs: ReadonlyMap<string, Buffer>;
  readonly diffIDs: readonly string[];
}

export type Compression = "none" | "gzip" | "zstd";

export interface ImageToBuild {
  readonly layers: readonly (readonly WrittenEntry[])[];
  /** Of the configuration's `config`. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly compression?: Compression;
  /** Under an index, beside an image for another machine. */
  readonly index?: boolean;
  /** Changes the content of a layer after its digest was taken. */
  readonly spoil?: (layer: Buffer) => Buffer;
}

const oci = "application/vnd.oci.image";
const suffixes = { none: "", gzip: "+gzip", zstd: "+zstd" } as const;

export function buildImage({
  layers,
  config = {},
  compression = "gzip",
  index = false,
  spoil = (layer) => layer,
}: ImageToBuild): BuiltImage {
  const blobs = new Map<string, Buffer>();
  const add = (mediaType: string, content: Buffer, stored = content): Descriptor => {
    const digest = sha256(content);
    blobs.set(digest, stored);
    return { mediaType, digest, size: content.length };
  };
  const json = (value: unknown) => Buffer.from(JSON.stringify(value));
  const archives = layers.map(writeTar);
  const diffIDs = archives.map(sha256);
  const packed = archives.map((archive) => compressed(archive, compression));
  const layerDescriptors = packed.map((layer) => add(`${oci}.layer.v1.tar${suffixes[compression]}`, layer, spoil(layer)));
  const { os, architecture } = ownPlatform();
  const configDescriptor = add(`${oci}.config.v1+json`, json({ os, architecture, config, rootfs: { type: "layers", diff_ids: diffIDs } }));
  const manifest = { schemaVersion: 2, mediaType: `${oci}.manifest.v1+json`, config: configDescriptor, layers: layerDescriptors };
  const own = add(`${oci}.manifest.v1+json`, json(manifest));
  const top = index
    ? add(
        `${oci}.index.v1+json`,
        json({
          schemaVersion: 2,
          manifests: [
            { ...own, digest: sha256(json("other")), platform: { os: "plan9", architecture } },
            { ...own, platform: { os, architecture } },
          ],
        }),
      )
    : own;
  return { top, config: configDescriptor, layers: layerDescriptors, blobs, diffIDs };
}

function compressed(archive: Buffer, compression: Compression): Buffer {
  return compression === "gzip" ? gzipSync(archive) : compression === "zstd" ? zstdCompressSync(archive) : archive;
}

/** Files of a layout: path → content. `images`: name → image. */
export function layoutFiles(images: Readonly<Record<string, BuiltImage>>): ReadonlyMap<string, Buffer> {
  const manifests = Object.entries(images).map(([name, { top }]) => ({
    ...top,
    annotations: { "org.opencontainers.image.ref.name": name },
  }));
  return new Map([
    ["oci-layout", Buffer.from('{"imageLayoutVersion":"1.0.0"}')],
    ["index.json", Buffer.from(JSON.stringify({ schemaVersion: 2, manifests }))],
    ...Object.values(images).flatMap(({ blobs }) =>
      [...blobs].map(([digest, content]) => [`blobs/${digest.replace(":", "/")}`, content] as const),
    ),
  ]);
}

export function writeLayout(directory: string, images: Readonly<Record<string, BuiltImage>>): void {
  mkdirSync(join(directory, "blobs", "sha256"), { recursive: true });
  for (const [path, content] of layoutFiles(images)) writeFileSync(join(directory, path), content);
}

export function ociArchive(images: Readonly<Record<string, BuiltImage>>): Buffer {
  return writeTar([...layoutFiles(images)].map(([name, content]) => ({ name, content })));
}

/** As `docker save` wrote it; of images whose layers are not compressed. */
export function dockerArchive(images: Readonly<Record<string, BuiltImage>>): Buffer {
  const list = Object.entries(images).map(([name, { config, layers }]) => ({
    Config: `${hex(config)}.json`,
    RepoTags: [name],
    Layers: layers.map((layer) => `${hex(layer)}/layer.tar`),
  }));
  const members = Object.values(images).flatMap(({ config, layers, blobs }) => [
    { name: `${hex(config)}.json`, content: blobs.get(config.digest) as Buffer },
    ...layers.map((layer) => ({ name: `${hex(layer)}/layer.tar`, content: blobs.get(layer.digest) as Buffer })),
  ]);
  return writeTar([...members, { name: "manifest.json", content: JSON.stringify(list) }]);
}

function hex({ digest }: Descriptor): string {
  return digest.replace("sha256:", "");
}
