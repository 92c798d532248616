/**
 * The images of this machine: blobs by digest, one root directory for each image's content, and the names under which they were
 * had. All nodes of a cluster share one. Layers of an image lie unpacked over each other once; containers write elsewhere.
 */
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BlobStore } from "./blob-store.ts";
import { DigestError, verified } from "./digest.ts";
import { ImageSourceError, type ImageSource, type ResolvedImage, type ResolveOptions } from "./image-source.ts";
import { layerContent } from "./layer-content.ts";
import {
  choosePlatform,
  ownPlatform,
  parseImageConfig,
  parseManifest,
  type Descriptor,
  type ImageConfig,
  type Manifest,
} from "./manifest.ts";
import { formatImageReference, type ImageReference } from "./reference.ts";
import { applyLayer, defaultUnpackLimits, type Unpacked, type UnpackLimits } from "./unpack.ts";

export interface StoredImage {
  /** `docker.io/library/nginx@sha256:…`: what a container's status shows. */
  readonly imageID: string;
  readonly config: ImageConfig;
  /** Its files, never to be written. */
  readonly rootfs: string;
  /** Of its layers as they came, in bytes. */
  readonly size: number;
}

export interface ImageStoreOptions {
  readonly directory: string;
  /** Asked in this order; the first that has an image gives it. */
  readonly sources: readonly ImageSource[];
  /** Whether files get the owners that layers name: the program is the machine's root. */
  readonly owners: boolean;
  readonly limits?: UnpackLimits;
}

/** One line of `images.json`, by the whole name. */
interface Named {
  readonly imageID: string;
  readonly manifest: string;
  readonly config: string;
  readonly size: number;
}

type Image = Extract<Manifest, { kind: "image" }>;

const namesFile = "images.json";
const layersAtOnce = 3;
/** Between the end of an archive and that of its file: tar pads to blocks of any size. */
const mostPaddingBytes = 16 * 2 ** 20;

export class ImageStore {
  readonly #options: ImageStoreOptions;
  readonly #limits: UnpackLimits;
  readonly #blobs: BlobStore;
  readonly #images = new Map<string, StoredImage>();
  readonly #names = new Map<string, Named>();
  /** config digest → its root directory, which is being made */
  readonly #unpacking = new Map<string, Promise<string>>();
  #saved: Promise<void> = Promise.resolve();

  constructor(options: ImageStoreOptions) {
    this.#options = options;
    this.#limits = options.limits ?? defaultUnpackLimits;
    this.#blobs = new BlobStore(join(options.directory, "blobs", "sha256"));
  }

  /** Finds what a former run of the program left; what belongs to no name goes. */
  async open(): Promise<void> {
    await mkdir(join(this.#options.directory, "rootfs"), { recursive: true, mode: 0o700 });
    for (const [name, named] of Object.entries(await this.#readNames())) {
      const image = await this.#stored(named).catch(() => undefined);
      if (image === undefined) continue;
      this.#names.set(name, named);
      this.#images.set(name, image);
    }
    await this.#removeUnused();
  }

  find(reference: ImageReference): StoredImage | undefined {
    return this.#images.get(formatImageReference(reference));
  }

  /** From the first source that has it. Rejects with the reason, in words for the container's status. */
  async pull(reference: ImageReference, options: ResolveOptions): Promise<StoredImage> {
    for (const source of this.#options.sources) {
      const resolved = await source.resolve(reference, options);
      if (resolved !== undefined) return await this.#take(reference, resolved);
    }
    const asked = this.#options.sources.map(({ name }) => name).join(", ");
    throw new ImageSourceError(`${formatImageReference(reference)}: not found (asked: ${asked})`);
  }

  async #take(reference: ImageReference, resolved: ResolvedImage): Promise<StoredImage> {
    const { descriptor, image } = await this.#imageManifest(resolved);
    const size = image.layers.reduce((sum, layer) => sum + layer.size, 0);
    if (size > this.#limits.bytes) throw new ImageSourceError(`the image has ${size} bytes; ${this.#limits.bytes} are taken at most`);
    await this.#addAll([image.config, ...image.layers], resolved);
    const { registry, repository } = reference;
    const imageID = `${registry}/${repository}@${resolved.top.digest}`;
    const named: Named = { imageID, manifest: descriptor.digest, config: image.config.digest, size };
    await this.#unpackOnce(image);
    const stored = await this.#stored(named);
    const name = formatImageReference(reference);
    this.#names.set(name, named);
    this.#images.set(name, stored);
    await this.#save();
    return stored;
  }

  /** The manifest for this machine's platform; kept, so that its blobs are known after a restart. */
  async #imageManifest(resolved: ResolvedImage): Promise<{ readonly descriptor: Descriptor; readonly image: Image }> {
    let descriptor = resolved.top;
    for (let depth = 0; depth < 2; depth++) {
      const content = await this.#manifestContent(resolved, descriptor);
      const manifest = parseManifest(content.toString("utf8"));
      if (manifest.kind === "image") return { descriptor, image: manifest };
      const wanted = ownPlatform();
      const chosen = choosePlatform(manifest.manifests, wanted);
      if (chosen === undefined)
        throw new ImageSourceError(`no match for platform ${wanted.os}/${wanted.architecture} in the index ${descriptor.digest}`);
      descriptor = chosen;
    }
    throw new ImageSourceError("an index leads to an index, which leads to another");
  }

  async #manifestContent(resolved: ResolvedImage, descriptor: Descriptor): Promise<Buffer> {
    const content = await resolved.manifest(descriptor);
    await this.#blobs.add({ ...descriptor, size: content.length }, async function* () {
      yield content;
    });
    return content;
  }

  async #addAll(descriptors: readonly Descriptor[], resolved: ResolvedImage): Promise<void> {
    const left = [...descriptors];
    const next = async () => {
      for (let one = left.shift(); one !== undefined; one = left.shift()) {
        const descriptor = one;
        if (/foreign|nondistributable/.test(descriptor.mediaType))
          throw new ImageSourceError(`layer ${descriptor.digest} is not distributable: it is not in the image`);
        await this.#blobs.add(descriptor, () => resolved.blob(descriptor));
      }
    };
    // Whoever is told of a failure finds nothing under way any more.
    const ended = await Promise.allSettled(Array.from({ length: layersAtOnce }, next));
    const failed = ended.find(({ status }) => status === "rejected");
    if (failed?.status === "rejected") throw failed.reason;
  }

  #unpackOnce(image: Image): Promise<string> {
    const { digest } = image.config;
    const root = this.#rootOf(digest);
    if (existsSync(root)) return Promise.resolve(root);
    const unpacking = this.#unpacking.get(digest) ?? this.#unpack(image, root).finally(() => this.#unpacking.delete(digest));
    this.#unpacking.set(digest, unpacking);
    return unpacking;
  }

  async #unpack({ config, layers }: Image, root: string): Promise<string> {
    const { diffIDs } = parseImageConfig((await this.#blobs.read(config.digest)).toString("utf8"));
    if (diffIDs.length !== layers.length)
      throw new ImageSourceError(`the image has ${layers.length} layers, its configuration names ${diffIDs.length}`);
    const making = `${root}.making-${randomUUID()}`;
    await mkdir(making, { mode: 0o755 });
    try {
      let unpacked: Unpacked = { bytes: 0, entries: 0 };
      for (const [i, { digest }] of layers.entries()) unpacked = await this.#unpackLayer(digest, diffIDs[i] as string, making, unpacked);
      await rename(making, root);
      return root;
    } catch (error) {
      await rm(making, { recursive: true, force: true });
      throw error;
    }
  }

  async #unpackLayer(digest: string, diffID: string, root: string, before: Unpacked): Promise<Unpacked> {
    const { owners } = this.#options;
    const content = verified(layerContent(this.#blobs.stream(digest)), { digest: diffID });
    try {
      const unpacked = await applyLayer(content, { root, owners, limits: this.#limits }, before);
      await readToEnd(content);
      return unpacked;
    } finally {
      await content.return(undefined);
    }
  }

  async #stored({ imageID, config, size }: Named): Promise<StoredImage> {
    const rootfs = this.#rootOf(config);
    if (!existsSync(rootfs)) throw new ImageSourceError(`${imageID} is not unpacked`);
    return { imageID, config: parseImageConfig((await this.#blobs.read(config)).toString("utf8")), rootfs, size };
  }

  async #readNames(): Promise<Readonly<Record<string, Named>>> {
    const text = await readFile(join(this.#options.directory, namesFile), "utf8").catch(() => "{}");
    try {
      return JSON.parse(text) as Readonly<Record<string, Named>>;
    } catch {
      // Written by nobody but us and in one piece: then the disk was full. All of it can be had again.
      return {};
    }
  }

  /** One after the other, the last state last. */
  #save(): Promise<void> {
    this.#saved = this.#saved
      .catch(() => undefined)
      .then(async () => {
        const file = join(this.#options.directory, namesFile);
        await writeFile(`${file}.new`, JSON.stringify(Object.fromEntries(this.#names), undefined, 1), { mode: 0o600 });
        await rename(`${file}.new`, file);
      });
    return this.#saved;
  }

  async #removeUnused(): Promise<void> {
    const wanted = new Set<string>();
    const roots = new Set<string>();
    for (const { manifest, config } of this.#names.values()) {
      const parsed = parseManifest((await this.#blobs.read(manifest)).toString("utf8"));
      const layers = parsed.kind === "image" ? parsed.layers : [];
      for (const digest of [manifest, config, ...layers.map((layer) => layer.digest)]) wanted.add(digest);
      roots.add(this.#rootOf(config));
    }
    await this.#blobs.removeOthers(wanted);
    const directory = join(this.#options.directory, "rootfs");
    for (const name of await readdir(directory)) {
      const path = join(directory, name);
      if (!roots.has(path)) await rm(path, { recursive: true, force: true });
    }
  }

  #rootOf(configDigest: string): string {
    return join(this.#options.directory, "rootfs", configDigest.replace(/^sha256:/, ""));
  }
}

/** So that the digest covers all of it. */
async function readToEnd(content: AsyncIterator<Uint8Array>): Promise<void> {
  let padding = 0;
  for (let next = await content.next(); next.done !== true; next = await content.next()) {
    if ((padding += next.value.byteLength) > mostPaddingBytes)
      throw new DigestError(`more than ${mostPaddingBytes} bytes follow the end of a layer`);
  }
}
